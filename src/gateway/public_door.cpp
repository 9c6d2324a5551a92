#include "gateway/public_door.hpp"

#include <chrono>

#include "voxgate/base/log.hpp"
#include "voxgate/base/text.hpp"
#include "voxgate/carriers/twilio_signature.hpp"

namespace voxgate::gateway {
namespace {

constexpr std::size_t kMaxCallIdChars = 128;
constexpr std::int64_t kTokenSeconds = 30;

std::int64_t unix_now() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

net::HttpResponse twiml(std::string body) {
  return net::HttpResponse(200, std::move(body), "text/xml");
}

// The percent-decoded segments of a path; nullopt on a broken escape.
std::optional<std::vector<std::string>> segments(std::string_view path) {
  std::vector<std::string> out;
  for (const std::string_view raw : text::split(path, '/')) {
    if (raw.empty()) continue;
    auto decoded = text::percent_decode(raw, false);
    if (!decoded) return std::nullopt;
    out.push_back(std::move(*decoded));
  }
  return out;
}

}  // namespace

net::HttpResponse PublicDoor::refuse(int status, const char* reason, const std::string& detail) const {
  deps_.metrics.rejected(reason);
  std::string body = "{\"reason\":\"" + std::string(reason) + "\"";
  if (!detail.empty()) body += ",\"detail\":\"" + text::json_escape(detail) + "\"";
  net::HttpResponse response(status, body + "}\n", "application/json");
  if (status == 503) response.headers.add("Retry-After", std::to_string(deps_.config.limits.retry_after.count()));
  return response;
}

std::string PublicDoor::base_url(const net::HttpRequest& request, bool websocket) const {
  std::string base = deps_.config.public_url;
  if (base.empty()) base = "http://" + std::string(request.headers.get("Host"));
  while (!base.empty() && base.back() == '/') base.pop_back();
  if (websocket) base = "ws" + base.substr(4);  // http -> ws, https -> wss
  return base;
}

// ---- plain requests
// ---------------------------------------------------------------------------------------------------

net::Awaitable<net::HttpResponse> PublicDoor::handle(net::Loop&, const net::HttpRequest& request) {
  const bool get = request.method == "GET" || request.method == "HEAD";
  if (request.path == "/healthz" && get) co_return health_.live();
  if (request.path == "/readyz" && get) co_return health_.ready();
  if (request.path == "/v1/twilio/voice" && request.method == "POST") co_return twilio_voice(request);
  if (request.path == "/v1/twilio/continue" && request.method == "POST") co_return twilio_continue(request);
  if (request.path == "/v1/twilio/status" && request.method == "POST") {
    net::HttpResponse refusal;
    co_return signed_form(request, refusal) ? net::HttpResponse(204) : refusal;
  }
  if (request.path.starts_with("/v1/realtime/")) {
    net::HttpResponse response(426, "{\"reason\":\"this path takes WebSocket upgrades\"}\n", "application/json");
    response.headers.add("Upgrade", "websocket");
    co_return response;
  }
  co_return net::HttpResponse(404, "{\"reason\":\"not_found\"}\n", "application/json");
}

std::optional<carriers::Params> PublicDoor::signed_form(const net::HttpRequest& request,
                                                        net::HttpResponse& refusal) const {
  auto form = carriers::parse_form(request.body);
  if (!form) {
    refusal = refuse(400, "bad_request", "the form cannot be decoded");
    return std::nullopt;
  }
  if (deps_.config.auth.mode == "none") return form;
  const std::string url = base_url(request, false) + request.target;
  const auto body_hash = request.query_parameter("bodySHA256");
  const bool json_body = body_hash.has_value() && !body_hash->empty();
  const bool genuine = (!json_body || carriers::verify_body_sha256(*body_hash, request.body)) &&
                       carriers::verify_twilio_signature(deps_.config.auth.twilio_auth_tokens, url,
                                                         json_body ? carriers::Params{} : *form,
                                                         request.headers.get("X-Twilio-Signature"));
  if (!genuine) {
    log::warn("webhook.bad_signature", {{"path", request.path}, {"from", request.remote_address}});
    refusal = refuse(403, "unauthorized");
    return std::nullopt;
  }
  return form;
}

net::HttpResponse PublicDoor::twilio_voice(const net::HttpRequest& request) {
  net::HttpResponse refusal;
  const auto form = signed_form(request, refusal);
  if (!form) return refusal;
  const std::string call_id(carriers::param(*form, "CallSid"));
  if (call_id.empty() || call_id.size() > kMaxCallIdChars) return refuse(400, "bad_request", "CallSid is missing");
  if (admission_.draining() || admission_.active() >= admission_.max_calls()) {
    deps_.metrics.rejected(admission_.draining() ? "draining" : "full");
    return twiml(carriers::busy_twiml());
  }
  const std::string to(carriers::param(*form, "To"));
  std::string agent = deps_.config.agents.default_agent;
  for (const auto& [number, name] : deps_.config.agents.numbers) {
    if (number == to) agent = name;
  }
  carriers::ConnectStream connect;
  connect.stream_url = base_url(request, true) + "/v1/realtime/" + text::percent_encode(call_id);
  if (deps_.config.auth.mode == "token") {
    const StreamClaim claim{"twilio", agent, call_id, unix_now() + kTokenSeconds};
    connect.stream_url += '/' + make_stream_token(deps_.config.auth.token_secret, claim);
  }
  connect.action_url = base_url(request, false) + "/v1/twilio/continue";
  connect.status_callback = base_url(request, false) + "/v1/twilio/status";
  connect.params = {{"agent", agent}, {"from", std::string(carriers::param(*form, "From"))}, {"to", to}};
  return twiml(carriers::connect_stream_twiml(connect));
}

// The verb after the stream: the caller goes to whom the agent named, else the call is over.
net::HttpResponse PublicDoor::twilio_continue(const net::HttpRequest& request) {
  net::HttpResponse refusal;
  const auto form = signed_form(request, refusal);
  if (!form) return refusal;
  const auto to = transfers_.take(std::string(carriers::param(*form, "CallSid")));
  return twiml(to ? carriers::dial_twiml(*to) : carriers::hangup_twiml());
}

// ---- media upgrades
// ---------------------------------------------------------------------------------------------------

PublicDoor::Authorized PublicDoor::authorize(const net::HttpRequest& request, const std::string& call_id,
                                             const std::string& token) const {
  Authorized out;
  const Config::Auth& auth = deps_.config.auth;
  if (auth.mode == "none") {
    out.ok = true;
    out.agent = request.query_parameter("agent").value_or("");
    return out;
  }
  const std::string_view signature = request.headers.get("X-Twilio-Signature");
  if (auth.mode == "token") {
    const auto claim = check_stream_token(auth.token_secret, token, call_id, unix_now());
    if (!claim) return out;
    out.agent = claim->agent;
    out.carrier = claim->carrier;
    out.token = token;
    out.token_expires = claim->expires_unix_s;
  }
  if (signature.empty()) {
    out.status = 401;
    return out;
  }
  const std::string url = base_url(request, true) + request.target;
  out.ok = carriers::verify_twilio_signature(auth.twilio_auth_tokens, url, {}, signature);
  if (auth.mode == "signature") out.carrier = "twilio";
  return out;
}

net::Awaitable<net::UpgradeDecision> PublicDoor::upgrade(net::Loop& loop, const net::HttpRequest& request) {
  co_return decide(loop, request);
}

net::UpgradeDecision PublicDoor::decide(net::Loop& loop, const net::HttpRequest& request) {
  const auto path = segments(request.path);
  if (!path || path->size() < 3 || path->size() > 4 || (*path)[0] != "v1" || (*path)[1] != "realtime") {
    return net::UpgradeDecision(refuse(404, "not_found"));
  }
  const std::string& call_id = (*path)[2];
  if (call_id.size() > kMaxCallIdChars) return net::UpgradeDecision(refuse(400, "bad_request", "call id too long"));
  Authorized who = authorize(request, call_id, path->size() == 4 ? (*path)[3] : "");
  if (!who.ok) {
    log::warn("stream.unauthorized", {{"call", call_id}, {"from", request.remote_address}});
    return net::UpgradeDecision(refuse(who.status, "unauthorized"));
  }
  if (!who.agent.empty() && !deps_.services.agent(who.agent)) {
    return net::UpgradeDecision(refuse(404, "not_found", "no agent '" + who.agent + "'"));
  }
  auto entered = admission_.try_enter();
  if (const auto* refusal = std::get_if<Refusal>(&entered)) {
    return net::UpgradeDecision(refuse(503, to_string(*refusal)));
  }
  SlotPool::Lease slot = slots_.try_acquire();
  if (!slot) return net::UpgradeDecision(refuse(503, "full"));
  if (!who.token.empty() && !used_tokens_.use(who.token, who.token_expires, unix_now())) {
    return net::UpgradeDecision(refuse(403, "unauthorized", "the token was used before"));
  }
  SessionInit init{call_id, who.agent, who.carrier, std::move(std::get<Admission::Ticket>(entered)), std::move(slot)};
  net::UpgradeDecision decision(std::make_unique<CallSession>(deps_, loop, std::move(init)));
  decision.options.message_limit = carriers::Capabilities{}.max_message_bytes;
  decision.options.idle_timeout = deps_.config.limits.idle_timeout;
  decision.options.write_timeout = deps_.config.limits.write_timeout;
  return decision;
}

}  // namespace voxgate::gateway
