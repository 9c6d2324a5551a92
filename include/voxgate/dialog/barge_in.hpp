#pragma once
// The caller speaks while the agent does: hold at the first suspicion, then confirm or go on.

#include <cstdint>
#include <string>
#include <string_view>

#include "voxgate/audio/vad.hpp"
#include "voxgate/base/time.hpp"

namespace voxgate::dialog {

/// All durations are media time.
struct BargeInSettings {
  bool enabled = true;
  Millis hold_speech = 300ms;     // so much speech ...
  Millis hold_window = 500ms;     // ... within this holds the agent
  Millis confirm_speech = 460ms;  // so much speech (min_duration) ...
  Millis confirm_window = 700ms;  // ... within this confirms, unless the words are known and only a back-channel
  int min_words = 1;              // words beyond back-channels that confirm; 0: words never confirm
  Millis resume_after = 1000ms;   // quiet this long while held: it was nothing
  float above_floor_db = 9.0F;
  float min_db = -52.0F;
  double echo_share = 0.7;  // of the words, in order, in what is being said: our own voice
};

enum class BargeInAction : std::uint8_t {
  none,
  hold,     // stop sending and clear, keep everything to go on
  confirm,  // the caller has the turn: cancel
  resume,   // false alarm: go on from where the caller stopped hearing
};

/// States: off (agent silent) -> speaking -> held -> speaking (resume) or done (confirm); confirm also comes straight
/// from speaking on words that always interrupt. agent_stopped() leads to off from anywhere.
/// Owner: the turn machine of one call. Threads: the call's loop.
class BargeInGate {
 public:
  explicit BargeInGate(const BargeInSettings& settings = {}) : settings_(settings) {}

  /// The agent is audible from now on. `text` is what it says (may be extended by saying()); an uninterruptible
  /// utterance yields no actions.
  void agent_started(std::string_view text, bool interruptible = true);
  /// What is being said changed or grew.
  void saying(std::string_view text) { saying_ = text; }
  void set_interruptible(bool interruptible) { interruptible_ = interruptible; }
  void agent_stopped();

  /// Every 20 ms of media. `echo_limit_db`: levels up to this may be our own echo (audio::EchoGate::step()); -100 if
  /// nothing was played.
  BargeInAction on_frame(const audio::VadFrame& frame, float echo_limit_db);

  /// Words of the caller's current turn, all of them so far. False alarms first: see is_echo().
  BargeInAction on_text(Micros now, std::string_view text);

  /// The words are our own voice: the caller of on_text() must not treat them as the caller's either.
  bool is_echo(std::string_view text) const;

  bool agent_speaking() const { return state_ != State::off; }
  bool held() const { return state_ == State::held; }
  /// Media time of the hold; meaningful while held and until the next.
  Micros held_at() const { return held_at_; }
  const BargeInSettings& settings() const { return settings_; }
  void set_settings(const BargeInSettings& settings) { settings_ = settings; }
  void reset() noexcept;

 private:
  enum class State : std::uint8_t { off, speaking, held, done };

  bool enough(Millis speech, Millis window) const;
  void fill_short_hole();
  BargeInAction become_held(Micros now);
  BargeInAction confirm();

  BargeInSettings settings_;
  State state_ = State::off;
  bool interruptible_ = true;
  std::uint64_t candidates_ = 0;  // one bit per frame, newest lowest
  Micros last_candidate_{0};
  Micros held_at_{0};
  bool only_backchannel_ = false;  // words were heard, none of them says anything
  std::string saying_;
};

}  // namespace voxgate::dialog
