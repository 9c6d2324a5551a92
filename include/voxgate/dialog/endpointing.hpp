#pragma once
// When the caller's turn is over: silence on the media clock, what the words look like, and what the recogniser says.

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "voxgate/audio/vad.hpp"
#include "voxgate/base/time.hpp"
#include "voxgate/dialog/text_rules.hpp"
#include "voxgate/vendors/common.hpp"

namespace voxgate::dialog {

/// All durations are media time.
struct EndpointSettings {
  Millis silence = 500ms;              // ends a turn whose words say nothing either way
  Millis silence_complete = 300ms;     // ... whose words look finished
  Millis silence_incomplete = 1200ms;  // ... whose words look unfinished, or a number is being dictated
  Millis min_silence = 250ms;          // limits on the above, learnt pauses included
  Millis max_silence = 3000ms;
  Millis max_turn = 30s;
  Millis no_text = 2000ms;       // after the voice stopped without a word: it was noise
  bool needs_text = true;        // false without a recogniser: silence alone, `silence` long, no eager starts
  Millis eager_silence = 250ms;  // start the reply on suspicion after this much silence ...
  Millis eager_stable = 200ms;   // ... of unchanged text
  int max_eager = 3;             // per turn; 0 switches eager starts off
  Millis eager_max_turn = 10s;   // longer turns change too much to guess
  Millis learn_within = 2000ms;  // a caller who goes on this soon after our cut had only paused
};

struct EndpointAction {
  enum class Kind : std::uint8_t {
    eager,    // the turn is probably over: prepare the reply, do not speak
    resumed,  // no, it was not (or the text changed): drop what was prepared
    eot,      // the turn is over
    discard,  // what sounded like speech had no words
  };
  enum class Reason : std::uint8_t { silence, complete, incomplete, recogniser, too_long, no_text, speech, text };
  Kind kind = Kind::eot;
  Reason reason = Reason::silence;
  Micros at{0};       // media time
  Micros silence{0};  // waited since the last active frame
  friend bool operator==(const EndpointAction&, const EndpointAction&) = default;
};

/// The actions of one step, in order; at most two.
class EndpointActions {
 public:
  void add(const EndpointAction& action) { items_[size_++] = action; }
  const EndpointAction* begin() const { return items_.data(); }
  const EndpointAction* end() const { return items_.data() + size_; }
  bool empty() const { return size_ == 0; }
  std::size_t size() const { return size_; }

 private:
  std::array<EndpointAction, 2> items_;
  std::size_t size_ = 0;
};

/// States: idle -> hearing (voice active or just paused) -> idle by `eot` or `discard`. Within hearing, `eager` may be
/// pending: it is taken back by voice or by other words, and confirmed by `eot`.
/// Owner: the turn machine of one call. Threads: the call's loop.
/// Source: silence with text rules and a learnt pause; the constants are those the design measured or read.
class Endpointer {
 public:
  explicit Endpointer(const EndpointSettings& settings = {}) : settings_(settings) {}

  /// Every 20 ms of media.
  EndpointActions on_frame(const audio::VadFrame& frame);

  /// The whole text of the current turn so far. `grammar_complete`: a sentence of the expected grammar.
  /// `now` is media time, as in the other steps.
  EndpointActions on_text(Micros now, std::string_view text, bool grammar_complete = false);

  /// The recogniser itself says the turn is over. Acted on as soon as the voice is silent.
  EndpointActions on_turn_end(Micros now);
  /// The recogniser suspects an end, or takes that back.
  EndpointActions on_eager_end(Micros now);
  EndpointActions on_resumed(Micros now);

  /// Wall-clock watchdog: no media has come for `stalled` (>= 1 s); counts as silence, so that a dead line ends a turn.
  EndpointActions on_stall(Micros stalled);

  /// What the next turn answers; stays until changed.
  void expect(const vendors::Expectation& expectation) { expected_ = expectation; }
  void set_settings(const EndpointSettings& settings) { settings_ = settings; }
  const EndpointSettings& settings() const { return settings_; }

  /// Forgets the current turn without an action (its text was an echo, the agent took over).
  void drop_turn();

  /// The agent is heard: whoever speaks now interrupts it, and has not merely paused.
  void agent_answered() { cut_at_.reset(); }

  /// The caller went on `pause` after we cut in: a pause of theirs that must be waited for.
  void learn_pause(Micros pause);

  bool in_turn() const { return in_turn_; }
  bool eager_pending() const { return eager_pending_; }
  const std::string& text() const { return text_; }
  Micros turn_start() const { return turn_start_; }
  Micros last_speech() const { return last_speech_; }
  /// Silence that ends the turn as things stand.
  Micros needed_silence() const;

 private:
  void start_turn(Micros at);
  void end_turn(EndpointActions& out, EndpointAction::Kind kind, EndpointAction::Reason reason, Micros now);
  void take_back(EndpointActions& out, EndpointAction::Reason reason, Micros now);
  void evaluate(EndpointActions& out, Micros now);
  bool may_start_eagerly(Micros now) const;
  void start_eagerly(EndpointActions& out, Micros now);
  Completeness judge_text() const;
  EndpointAction::Reason reason_of(Completeness c) const;

  EndpointSettings settings_;
  vendors::Expectation expected_;
  bool in_turn_ = false;
  bool voice_ = false;  // the VAD says speech
  bool voice_heard_ = false;
  Micros now_{0};
  Micros turn_start_{0};
  Micros last_speech_{0};         // end of the last active frame of speech
  std::optional<Micros> cut_at_;  // when the last turn was ended
  std::string text_;
  bool grammar_complete_ = false;
  bool turn_end_signalled_ = false;
  Micros text_since_{0};
  Completeness completeness_ = Completeness::neutral;
  bool eager_pending_ = false;
  int eager_count_ = 0;
  double pause_ema_ms_ = 300.0;  // of this caller's pauses inside turns; below 333 it adds nothing
};

}  // namespace voxgate::dialog
