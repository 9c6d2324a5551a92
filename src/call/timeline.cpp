#include "voxgate/call/timeline.hpp"

#include <algorithm>

namespace voxgate::call {

const char* to_string(Stage stage) {
  constexpr const char* kNames[] = {"endpointing", "asr", "llm", "split", "tts", "out"};
  return kNames[static_cast<std::size_t>(stage)];
}

std::array<Duration, kStages> TurnStamps::stages() const {
  const Instant points[kStages] = {end_of_turn, asr_final, llm_first, clause, tts_first, first_frame};
  std::array<Duration, kStages> out{};
  Instant before = speech_end;
  for (std::size_t i = 0; i < kStages; ++i) {
    const Instant here = std::clamp(points[i], before, std::max(before, first_frame));
    out[i] = here - before;
    before = here;
  }
  return out;
}

const char* to_string(EventKind kind) {
  constexpr const char* kNames[] = {"speech_start",   "speech_stop",    "eager_end",  "speculation_dropped",
                                    "end_of_turn",    "turn_discarded", "barge_hold", "barge_confirm",
                                    "barge_resume",   "no_input",       "no_match",   "dtmf",
                                    "asr_warning",    "service_failed", "apology",    "farewell",
                                    "length_reached", "hang_up",        "transfer",   "carrier_ended"};
  return kNames[static_cast<std::size_t>(kind)];
}

const char* to_string(EndReason reason) {
  constexpr const char* kNames[] = {"caller_hung_up", "transport_lost", "agent_hung_up",  "transferred", "too_long",
                                    "no_input",       "protocol_error", "operator_ended", "failed"};
  return kNames[static_cast<std::size_t>(reason)];
}

}  // namespace voxgate::call
