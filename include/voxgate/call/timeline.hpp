#pragma once
// What a call tells the world: its turns with the latency of every stage, and what happened in between.

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "voxgate/base/time.hpp"
#include "voxgate/vendors/llm_stream.hpp"

namespace voxgate::call {

/// Contiguous stages from the caller's last sound to the agent's first frame; they sum to the total.
enum class Stage : std::uint8_t { endpointing, asr, llm, split, tts, out };
inline constexpr std::size_t kStages = 6;
const char* to_string(Stage stage);

/// The moments between the stages, in order; unset ones are epoch.
struct TurnStamps {
  Instant speech_end{}, end_of_turn{}, asr_final{}, llm_first{}, clause{}, tts_first{}, first_frame{};

  bool complete() const { return first_frame != Instant{}; }
  /// Each stage's share. A stage that was over before the one before it (speculation) takes nothing.
  std::array<Duration, kStages> stages() const;
  Duration total() const { return first_frame - speech_end; }
};

struct TurnRecord {
  int number = 0;  // from 1
  vendors::TurnCause cause = vendors::TurnCause::user_turn;
  Duration at{};       // of the caller's turn (or the greeting), since the start of the call
  std::string caller;  // as recognised
  double confidence = 1.0;
  std::string agent;  // as heard
  bool interrupted = false;
  bool speculative = false;  // the reply was begun before the turn was over
  int merged = 0;            // turns of the caller that were joined to this one
  TurnStamps stamps;
  std::int64_t agent_audio_ms = 0;  // heard
  std::int64_t mark_delay_ms = 0;   // the path's delay by the last mark
};

enum class EventKind : std::uint8_t {
  speech_start,
  speech_stop,
  eager_end,
  speculation_dropped,
  end_of_turn,
  turn_discarded,
  barge_hold,
  barge_confirm,
  barge_resume,
  no_input,
  no_match,
  dtmf,
  asr_warning,
  service_failed,
  apology,
  farewell,
  length_reached,
  hang_up,
  transfer,
  carrier_ended,
};
const char* to_string(EventKind kind);

/// Where a call reports. Called on the call's loop; must not call the call back.
class Timeline {
 public:
  virtual ~Timeline() = default;
  /// `at` is since the start of the call; `detail` lives until the call returns.
  virtual void on_event(EventKind kind, Duration at, std::string_view detail) = 0;
  /// The caller's side of a turn is known, the agent's not yet.
  virtual void on_caller(const TurnRecord& turn) = 0;
  /// The turn is over: heard, cut, or failed.
  virtual void on_turn(const TurnRecord& turn) = 0;
  /// From the decision that the caller interrupts back to the onset of that speech.
  virtual void on_barge_in(Duration reaction) = 0;
};

/// Why a call ended; exactly one per call, whatever came first.
enum class EndReason : std::uint8_t {
  caller_hung_up,  // the carrier said stop
  transport_lost,  // the stream broke or fell silent
  agent_hung_up,   // the agent said goodbye
  transferred,     // handed to somebody else
  too_long,        // maximum length
  no_input,        // the caller never spoke
  protocol_error,  // the peer did not speak the protocol
  operator_ended,  // an operator or a drain ended it
  failed,          // something of ours broke
};
const char* to_string(EndReason reason);

}  // namespace voxgate::call
