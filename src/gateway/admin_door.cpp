#include "gateway/admin_door.hpp"

#include <openssl/crypto.h>

#include <nlohmann/json.hpp>
#include <optional>

#include "gateway/call_json.hpp"
#include "voxgate/base/log.hpp"
#include "voxgate/base/text.hpp"
#include "voxgate/net/task_scope.hpp"

namespace voxgate::gateway {
namespace {

constexpr const char* kJson = "application/json";
constexpr std::chrono::seconds kOtherLoopPatience{2};

net::HttpResponse not_found(const std::string& what) {
  return net::HttpResponse(404, "{\"reason\":\"" + text::json_escape(what) + "\"}\n", kJson);
}

// Runs `f` on the loop of the call and resumes here with its answer; empty if the call ended or its loop is held up.
net::Awaitable<std::optional<std::string>> on_call_loop(net::Loop& here, net::Loop& there,
                                                        std::function<std::optional<std::string>()> f) {
  struct State {
    explicit State(net::Executor executor) : done(executor) {}
    net::Event done;
    std::optional<std::string> answer;
  };
  auto state = std::make_shared<State>(here.executor());
  auto ask = [state, &here, f = std::move(f)] {
    auto answer = f();
    auto reply = [state, answer = std::move(answer)]() mutable {
      state->answer = std::move(answer);
      state->done.set();
    };
    here.post(std::move(reply));
  };
  there.post(std::move(ask));
  const bool answered = co_await state->done.wait_until(Clock::now() + kOtherLoopPatience);
  if (!answered) co_return std::nullopt;
  co_return std::move(state->answer);
}

}  // namespace

net::HttpResponse metrics_page(const metrics::Registry& registry) {
  return net::HttpResponse(200, registry.render(), "text/plain; version=0.0.4; charset=utf-8");
}

net::Awaitable<net::HttpResponse> MetricsDoor::handle(net::Loop&, const net::HttpRequest& request) {
  if (request.path == "/metrics") co_return metrics_page(registry_);
  if (request.path == "/healthz") co_return health_.live();
  if (request.path == "/readyz") co_return health_.ready();
  co_return not_found("not_found");
}

bool AdminDoor::allowed(const net::HttpRequest& request) const {
  const std::string& token = deps_.config.admin_token;
  if (token.empty()) return true;
  const std::string expected = "Bearer " + token;
  const std::string_view given = request.headers.get("Authorization");
  return given.size() == expected.size() && CRYPTO_memcmp(given.data(), expected.data(), given.size()) == 0;
}

net::Awaitable<net::HttpResponse> AdminDoor::handle(net::Loop& loop, const net::HttpRequest& request) {
  if (request.path == "/healthz") co_return health_.live();
  if (request.path == "/readyz") co_return health_.ready();
  if (!allowed(request)) {
    net::HttpResponse response(401, "{\"reason\":\"unauthorized\"}\n", kJson);
    response.headers.add("WWW-Authenticate", "Bearer");
    co_return response;
  }
  if (request.path == "/metrics") co_return metrics_page(deps_.metrics.registry);
  if (request.path == "/v1/config" && request.method == "GET") {
    co_return net::HttpResponse(200, print_config(deps_.config), kJson);
  }
  if (request.path == "/v1/drain" && request.method == "POST") {
    request_drain_();
    co_return net::HttpResponse(202, "{\"draining\":true,\"calls\":" + std::to_string(admission_.active()) + "}\n",
                                kJson);
  }
  if (request.path == "/v1/log-level" && request.method == "PUT") co_return set_log_level(request.body);
  if (request.path == "/v1/calls" || request.path.starts_with("/v1/calls/")) co_return co_await calls(loop, request);
  co_return not_found("not_found");
}

net::HttpResponse AdminDoor::set_log_level(const std::string& body) {
  log::Level level;
  if (!log::parse_level(text::trim(body), level)) {
    return net::HttpResponse(400, "{\"reason\":\"the body must be debug, info, warn, error or off\"}\n", kJson);
  }
  log::set_level(level);
  return net::HttpResponse(204);
}

net::Awaitable<net::HttpResponse> AdminDoor::calls(net::Loop& loop, const net::HttpRequest& request) {
  if (request.path == "/v1/calls") {
    if (request.method != "GET") co_return net::HttpResponse(405);
    co_return net::HttpResponse(200, call_list_json(deps_.directory.list()), kJson);
  }
  const std::string_view rest = std::string_view(request.path).substr(std::string_view("/v1/calls/").size());
  const std::size_t slash = rest.find('/');
  auto call_id = text::percent_decode(rest.substr(0, slash), false);
  if (!call_id) co_return not_found("not_found");
  if (slash == std::string_view::npos) {
    if (request.method != "GET") co_return net::HttpResponse(405);
    std::string id = std::move(*call_id);
    co_return co_await show(loop, std::move(id));
  }
  if (request.method != "POST") co_return net::HttpResponse(405);
  std::string id = std::move(*call_id), verb(rest.substr(slash + 1)), body = request.body;
  co_return co_await command(loop, std::move(id), std::move(verb), std::move(body));
}

net::Awaitable<net::HttpResponse> AdminDoor::show(net::Loop& loop, std::string call_id) {
  if (const auto address = deps_.directory.find(call_id)) {
    CallTable* table = deps_.tables[address->loop->index()].get();
    std::function<std::optional<std::string>()> ask = [table, handle = address->handle,
                                                       carrier = address->carrier]() -> std::optional<std::string> {
      CallSession* session = table->find(handle);
      if (session == nullptr || session->call() == nullptr) return std::nullopt;
      return live_call_json(*session, carrier);
    };
    auto answer = co_await on_call_loop(loop, *address->loop, std::move(ask));
    if (answer) co_return net::HttpResponse(200, std::move(*answer), kJson);
  }
  if (deps_.store == nullptr) co_return not_found("no such call");
  records::Store* store = deps_.store;
  auto job = [store, call_id] { return store->find(call_id); };
  auto found = co_await net::offload(loop, readers_, std::move(job));
  if (!found) co_return net::HttpResponse(503, "{\"reason\":\"records unavailable\"}\n", kJson);
  if (!*found) co_return not_found("no such call");
  co_return net::HttpResponse(200, stored_call_json(**found), kJson);
}

net::Awaitable<net::HttpResponse> AdminDoor::command(net::Loop& loop, std::string call_id, std::string verb,
                                                     std::string body) {
  const auto address = deps_.directory.find(call_id);
  if (!address) co_return not_found("no such call");
  std::string text;
  if (verb == "say") {
    const auto json = nlohmann::json::parse(body, nullptr, false);
    if (!json.is_object() || !json.contains("text") || !json["text"].is_string()) {
      co_return net::HttpResponse(400, "{\"reason\":\"the body must be {\\\"text\\\": \\\"...\\\"}\"}\n", kJson);
    }
    text = json["text"].get<std::string>();
  } else if (verb != "hangup") {
    co_return not_found("not_found");
  }
  CallTable* table = deps_.tables[address->loop->index()].get();
  std::function<std::optional<std::string>()> act = [table, handle = address->handle, verb,
                                                     text]() -> std::optional<std::string> {
    CallSession* session = table->find(handle);
    if (session == nullptr || session->call() == nullptr) return std::nullopt;
    if (verb == "say") {
      session->call()->on_control(call::SayText{text, true}, Clock::now());
    } else {
      session->call()->on_control(call::HangUp{}, Clock::now());
    }
    return "{\"ok\":true}\n";
  };
  auto answer = co_await on_call_loop(loop, *address->loop, std::move(act));
  if (!answer) co_return not_found("no such call");
  co_return net::HttpResponse(200, std::move(*answer), kJson);
}

}  // namespace voxgate::gateway
