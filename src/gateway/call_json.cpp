#include "gateway/call_json.hpp"

#include <nlohmann/json.hpp>

namespace voxgate::gateway {

using nlohmann::json;

namespace {

std::string dump(const json& value) {
  return value.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

json turn_json(const TurnView& view) {
  const call::TurnRecord& turn = view.turn;
  json out{{"number", turn.number},
           {"cause", vendors::to_string(turn.cause)},
           {"at_ms", to_ms(turn.at)},
           {"caller", turn.caller},
           {"agent", turn.agent},
           {"confidence", turn.confidence},
           {"over", view.over},
           {"interrupted", turn.interrupted},
           {"speculative", turn.speculative}};
  if (!turn.stamps.complete()) return out;
  out["latency_ms"] = to_ms_f(turn.stamps.total());
  const auto stages = turn.stamps.stages();
  for (std::size_t i = 0; i < call::kStages; ++i) {
    out["stages_ms"][call::to_string(static_cast<call::Stage>(i))] = to_ms_f(stages[i]);
  }
  return out;
}

}  // namespace

std::string live_call_json(CallSession& session, const std::string& carrier) {
  const call::Call& call = *session.call();
  json out{{"call", call.start().call_id},
           {"stream", call.start().stream_id},
           {"carrier", carrier},
           {"agent", call.agent().name},
           {"from", call.start().from},
           {"to", call.start().to},
           {"live", true},
           {"state", dialog::to_string(call.state())},
           {"age_ms", to_ms(Clock::now() - call.started_at())}};
  const auto& feed = call.ears().feed_stats();
  out["media"] = {{"frames_in", call.ears().frames_in()},
                  {"late", feed.late + feed.duplicate},
                  {"gaps", feed.gaps},
                  {"messages_out", call.playout().stats().messages},
                  {"underruns", call.playout().stats().underruns},
                  {"buffered_bytes", call.buffered_bytes()},
                  {"jitter_ms", call.ears().network().jitter_ms()},
                  {"stalls", call.ears().network().stalls()},
                  {"longest_stall_ms", call.ears().network().longest_stall().count()},
                  {"missing_share", call.ears().missing_share()}};
  out["turns"] = json::array();
  for (const TurnView& view : session.turns()) out["turns"].push_back(turn_json(view));
  return dump(out);
}

std::string stored_call_json(const records::StoredCall& call) {
  json out{{"call", call.call_id},
           {"record", call.record},
           {"stream", call.stream_id},
           {"carrier", call.carrier},
           {"agent", call.agent},
           {"from", call.from},
           {"to", call.to},
           {"live", false},
           {"outcome", call.outcome},
           {"detail", call.detail},
           {"started_at", call.started_at},
           {"ended_at", call.ended_at},
           {"duration_ms", call.duration_ms},
           {"recording", call.recording}};
  out["turns"] = json::array();
  for (const records::StoredTurn& turn : call.turns) {
    json t{{"number", turn.number},
           {"cause", turn.cause},
           {"at_ms", turn.at_ms},
           {"caller", turn.caller},
           {"agent", turn.agent},
           {"confidence", turn.confidence},
           {"over", true},
           {"interrupted", turn.interrupted},
           {"speculative", turn.speculative}};
    if (turn.total_ms >= 0) t["latency_ms"] = turn.total_ms;
    for (const auto& [stage, ms] : turn.stages_ms) t["stages_ms"][stage] = ms;
    out["turns"].push_back(std::move(t));
  }
  return dump(out);
}

std::string call_list_json(const std::vector<CallAddress>& calls) {
  json out{{"calls", json::array()}};
  for (const CallAddress& call : calls) {
    out["calls"].push_back({{"call", call.call_id},
                            {"carrier", call.carrier},
                            {"agent", call.agent},
                            {"age_ms", to_ms(Clock::now() - call.started)}});
  }
  return dump(out);
}

}  // namespace voxgate::gateway
