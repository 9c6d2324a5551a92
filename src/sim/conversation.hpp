#pragma once
// When the caller speaks: the turns of a plan against what he hears, as steps on given time.

#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>

#include "voxgate/sim/phone_line.hpp"
#include "voxgate/sim/sim_call.hpp"

namespace voxgate::sim {

/// Decides frame by frame. No I/O, no clock. Owner: one call.
///
/// greeting -> pausing -> speaking -> waiting -> hearing -> pausing ... -> done
class Conversation {
 public:
  Conversation(const CallPlan& plan, CallResult& result, PhoneLine& line);

  /// What the caller does in the 20 ms that end at `now`.
  struct Frame {
    std::span<const std::uint8_t> ulaw;  // kFrameSamples or fewer; empty: he is silent
    char digit = 0;
  };
  Frame step(Instant now);

  void on_media(Instant now);
  void on_clear(Instant now);
  /// The gateway says that everything said so far is answered.
  void set_reply_over(bool over) { gateway_says_over_ = over; }
  bool done() const { return state_ == State::done; }
  /// The script's turns were all spoken and the last one answered (or waited for in vain).
  bool complete() const;
  /// The turn under way; -1: the greeting.
  int current() const { return turn_; }

 private:
  enum class State { greeting, pausing, speaking, waiting, hearing, done };
  TurnTrace& trace() { return turn_ < 0 ? result_.greeting : result_.turns[static_cast<std::size_t>(turn_)]; }
  const PlannedTurn& planned() const { return plan_.turns[static_cast<std::size_t>(turn_)]; }
  Duration since_start(Instant t) const { return t - line_.start(); }
  Instant at(Duration d) const { return line_.start() + d; }
  bool next_begins(Instant now) const;
  void begin_turn(Instant now);
  Frame speak(Instant now);
  Frame say_clip(Instant now, const Clip& clip);
  Frame press(Instant now, const std::string& digits);
  void finish_speaking(Instant now, State next);
  void wait_for_reply(Instant now);
  void hear_reply(Instant now);
  bool reply_over(Instant now);
  void turn_over(Instant now);

  const CallPlan& plan_;
  CallResult& result_;
  PhoneLine& line_;
  State state_ = State::greeting;
  int turn_ = -1;
  std::size_t sent_ = 0;  // samples of the clip, or digits
  Instant next_digit_{};
  Instant state_since_;
  std::optional<Instant> last_media_, last_clear_;
  bool gateway_says_over_ = false;
};

}  // namespace voxgate::sim
