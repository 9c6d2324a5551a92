#include "voxgate/dialog/barge_in.hpp"

#include <algorithm>
#include <bit>

#include "voxgate/dialog/text_rules.hpp"

namespace voxgate::dialog {
namespace {

/// Words confirm only near a voice: text alone may be a late result for what was said before the agent began.
constexpr int kFramesNearText = 5;  // candidates among the last 64 frames

constexpr int kClosureFrames = 4, kBreathFrames = 8;
constexpr int kVoiceBefore = 6, kVoiceAfter = 3;  // frames of voice around a breath

std::uint64_t newest(std::int64_t frames) {
  return frames >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << frames) - 1;
}

}  // namespace

void BargeInGate::agent_started(std::string_view text, bool interruptible) {
  saying_ = text;
  interruptible_ = interruptible;
  if (state_ == State::off || state_ == State::done) {
    state_ = State::speaking;
    candidates_ = 0;
    only_backchannel_ = false;
  }
}

void BargeInGate::agent_stopped() {
  state_ = State::off;
  candidates_ = 0;
  only_backchannel_ = false;
  saying_.clear();
}

void BargeInGate::reset() noexcept {
  agent_stopped();
  interruptible_ = true;
  last_candidate_ = held_at_ = Micros{0};
}

bool BargeInGate::enough(Millis speech, Millis window) const {
  return std::popcount(candidates_ & newest(window / audio::Vad::kFrame)) >= speech / audio::Vad::kFrame;
}

/// The closure of a "p" or a "t" is speech, too, and so is a breath between two words: a hole of up to 80 ms counts,
/// one of up to 160 ms if there is a voice on both sides of it (clicks in a row are none).
void BargeInGate::fill_short_hole() {
  const int after = std::countr_one(candidates_);
  if (after >= 32) return;
  const std::uint64_t before_hole = candidates_ >> after;
  const int hole = std::countr_zero(before_hole);
  if (hole > kBreathFrames) return;
  const int before = std::countr_one(before_hole >> hole);
  const bool closure = hole <= kClosureFrames && before >= 2;
  const bool breath = before >= kVoiceBefore && after >= kVoiceAfter;
  if (closure || breath) candidates_ |= newest(after + hole);
}

BargeInAction BargeInGate::become_held(Micros now) {
  state_ = State::held;
  held_at_ = now;
  last_candidate_ = now;
  return BargeInAction::hold;
}

BargeInAction BargeInGate::confirm() {
  state_ = State::done;
  return BargeInAction::confirm;
}

BargeInAction BargeInGate::on_frame(const audio::VadFrame& frame, float echo_limit_db) {
  if (state_ == State::off || state_ == State::done) return BargeInAction::none;
  const float threshold = std::max({frame.floor_db + settings_.above_floor_db, settings_.min_db, echo_limit_db});
  const bool candidate = frame.act && frame.db > threshold;
  candidates_ = (candidates_ << 1) | (candidate ? 1U : 0U);
  if (candidate) fill_short_hole();
  if (candidate) last_candidate_ = frame.end;
  if (!settings_.enabled || !interruptible_) return BargeInAction::none;
  if (state_ == State::speaking) {
    return enough(settings_.hold_speech, settings_.hold_window) ? become_held(frame.end) : BargeInAction::none;
  }
  if (!only_backchannel_ && enough(settings_.confirm_speech, settings_.confirm_window)) return confirm();
  if (frame.end - last_candidate_ >= settings_.resume_after) {
    state_ = State::speaking;
    candidates_ = 0;
    only_backchannel_ = false;
    return BargeInAction::resume;
  }
  return BargeInAction::none;
}

BargeInAction BargeInGate::on_text(Micros now, std::string_view text) {
  if (state_ == State::off || state_ == State::done) return BargeInAction::none;
  if (!settings_.enabled || !interruptible_ || text.empty() || is_echo(text)) return BargeInAction::none;
  if (always_interrupts(text)) return confirm();
  const int words = meaningful_words(text);
  only_backchannel_ = words == 0;
  if (settings_.min_words <= 0 || words < settings_.min_words) return BargeInAction::none;
  if (state_ == State::held) return confirm();
  if (std::popcount(candidates_) < kFramesNearText) return BargeInAction::none;
  return settings_.min_words == 1 ? confirm() : become_held(now);
}

bool BargeInGate::is_echo(std::string_view text) const {
  return state_ != State::off && is_echo_of(text, saying_, settings_.echo_share);
}

}  // namespace voxgate::dialog
