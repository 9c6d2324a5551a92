#pragma once
// The normalised language model of one call: what decides the words the agent says.
//
// One LlmStream per call; at most one request in flight per stream, named by the caller's request id. Commands never
// block. Events arrive on the call's loop through the sink given at creation, possibly from within start().

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "voxgate/vendors/common.hpp"

namespace voxgate::vendors {

enum class Role : std::uint8_t { system, user, assistant, tool };

/// One entry of the conversation as both sides experienced it: an assistant entry holds what the caller heard.
struct Message {
  Role role = Role::user;
  std::string text;
  /// Opaque state the model attached to this answer (LlmState); handed back with the next request.
  std::string state;
  /// The answer was cut by the caller.
  bool interrupted = false;
};

enum class TurnCause : std::uint8_t {
  greeting,       // the call has just begun
  user_turn,      // the caller said something: the last message
  no_input,       // the caller said nothing for the agent's no-input time
  no_match,       // the caller said something that was not understood
  dtmf,           // the last message is digits
  operator_says,  // words of an operator; never asked of a model
  farewell,       // the call has to end; never asked of a model
};

const char* to_string(TurnCause cause);

struct LlmRequest {
  std::uint64_t id = 0;  // unique in the call; 0 is never used
  TurnCause cause = TurnCause::user_turn;
  std::vector<Message> messages;
  /// How often in a row this cause (no_input, no_match) has come up, from 1.
  int repeat = 1;
  /// Recogniser's confidence in the last user message.
  double confidence = 1.0;
  /// Wall time of the call, for "tomorrow" and opening hours: milliseconds since the epoch, and the local offset in
  /// minutes.
  std::int64_t wall_ms = 0;
  int utc_offset_min = 0;
};

struct LlmText {
  std::string text;
};
struct LlmToolCall {
  std::string key, name, json_arguments;
};
/// What the caller is expected to answer to this; sent at the latest before Done.
struct LlmExpect {
  Expectation expectation;
};
/// The spoken answer may not be interrupted (greeting with legal text, confirmation).
struct LlmProtect {};
/// Opaque state to keep with this answer.
struct LlmState {
  std::string state;
};
struct LlmUsage {
  std::uint32_t input_tokens = 0, output_tokens = 0, cached_tokens = 0;
};
enum class LlmStop : std::uint8_t { stop, length, tool_calls, filter, other };
struct LlmDone {
  LlmStop reason = LlmStop::stop;
};
struct LlmFailed {
  Error error;
};

struct LlmEvent {
  std::uint64_t request = 0;
  std::variant<LlmText, LlmToolCall, LlmExpect, LlmProtect, LlmState, LlmUsage, LlmDone, LlmFailed> body;
};

/// Tool names the gateway itself carries out.
inline constexpr std::string_view kToolHangup = "hang_up";     // {} : after the answer has been heard
inline constexpr std::string_view kToolTransfer = "transfer";  // {"to": "..."} : likewise

class LlmStream {
 public:
  virtual ~LlmStream() = default;
  /// A request in flight is cancelled first.
  virtual void start(LlmRequest request) = 0;
  /// No event of that request after this returns.
  virtual void cancel(std::uint64_t request) = 0;
};

}  // namespace voxgate::vendors
