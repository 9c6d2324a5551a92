#include "sim/call_watch.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "voxgate/net/http_client.hpp"

namespace voxgate::sim {
namespace {

using nlohmann::json;

constexpr Duration kPatience = 2s;
constexpr std::array<std::string_view, 6> kStageOrder{"endpointing", "asr", "llm", "split", "tts", "out"};

std::string string_of(const json& object, const char* key) {
  const auto it = object.find(key);
  return it != object.end() && it->is_string() ? it->get<std::string>() : std::string();
}

double number_of(const json& object, const char* key, double otherwise) {
  const auto it = object.find(key);
  return it != object.end() && it->is_number() ? it->get<double>() : otherwise;
}

bool flag_of(const json& object, const char* key) {
  const auto it = object.find(key);
  return it != object.end() && it->is_boolean() && it->get<bool>();
}

// In the order in which they happen; stages that we do not know come last.
void read_stages(const json& stages, GatewayTurn& out) {
  for (const std::string_view stage : kStageOrder) {
    const auto it = stages.find(std::string(stage));
    if (it != stages.end() && it->is_number()) out.stages_ms.emplace_back(stage, it->get<double>());
  }
  for (const auto& [name, value] : stages.items()) {
    const bool known = std::find(kStageOrder.begin(), kStageOrder.end(), name) != kStageOrder.end();
    if (!known && value.is_number()) out.stages_ms.emplace_back(name, value.get<double>());
  }
}

GatewayTurn read_turn(const json& turn) {
  GatewayTurn out;
  out.number = static_cast<int>(number_of(turn, "number", 0));
  out.cause = string_of(turn, "cause");
  out.caller = string_of(turn, "caller");
  out.agent = string_of(turn, "agent");
  out.at_ms = static_cast<std::int64_t>(number_of(turn, "at_ms", 0));
  out.confidence = number_of(turn, "confidence", 0);
  out.over = flag_of(turn, "over");
  out.interrupted = flag_of(turn, "interrupted");
  const double latency = number_of(turn, "latency_ms", -1);
  if (latency >= 0) out.latency_ms = latency;
  const auto stages = turn.find("stages_ms");
  if (stages != turn.end() && stages->is_object()) read_stages(*stages, out);
  return out;
}

}  // namespace

std::optional<GatewayCall> parse_gateway_call(std::string_view body) {
  const json call = json::parse(body, nullptr, false);
  if (!call.is_object() || !call.contains("call")) return std::nullopt;
  GatewayCall out;
  out.reachable = out.found = true;
  out.live = flag_of(call, "live");
  out.outcome = string_of(call, "outcome");
  out.detail = string_of(call, "detail");
  out.recording = string_of(call, "recording");
  const auto turns = call.find("turns");
  if (turns == call.end() || !turns->is_array()) return out;
  for (const json& turn : *turns) {
    if (turn.is_object()) out.turns.push_back(read_turn(turn));
  }
  return out;
}

net::Awaitable<GatewayCall> ask_gateway(net::Loop& loop, std::string admin, std::string token, std::string call_id) {
  while (!admin.empty() && admin.back() == '/') admin.pop_back();
  net::Headers headers;
  if (!token.empty()) headers.add("Authorization", "Bearer " + token);
  std::string url = admin + "/v1/calls/" + call_id, method = "GET", body;
  auto answer = co_await net::http_request(loop, std::move(method), std::move(url), std::move(headers), std::move(body),
                                           kPatience);
  GatewayCall out;
  if (!answer) co_return out;
  out.reachable = answer->status == 200 || answer->status == 404 || answer->status == 503;
  if (answer->status != 200) co_return out;
  auto parsed = parse_gateway_call(answer->body);
  if (parsed) out = std::move(*parsed);
  co_return out;
}

}  // namespace voxgate::sim
