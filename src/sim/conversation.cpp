#include "sim/conversation.hpp"

#include <algorithm>

namespace voxgate::sim {
namespace {

constexpr Duration kFrame = 20ms;
constexpr Duration kGreetingPatience = 3s;  // when nothing says that there will be one
constexpr Duration kNewReplyGap = 250ms;    // media after so long a gap is a reply of its own
constexpr Duration kReplySilence = 700ms;   // after the last sound, with an empty buffer
constexpr Duration kLongSilence = 2s;       // after the last sound, whatever is in the buffer
constexpr Duration kKeyPeriod = 240ms;
constexpr Duration kWaitingLonger = 60s;  // an agent that speaks on and on

}  // namespace

Conversation::Conversation(const CallPlan& plan, CallResult& result, PhoneLine& line)
    : plan_(plan), result_(result), line_(line), state_since_(line.start()) {
  result_.greeting.onset = result_.greeting.speech_end = Duration{};
}

bool Conversation::complete() const {
  if (state_ == State::done) return true;
  // The agent may say goodbye and hang up while his last words are still being listened to.
  return turn_ + 1 == static_cast<int>(plan_.turns.size()) && state_ == State::hearing;
}

void Conversation::on_media(Instant now) {
  TurnTrace& t = trace();
  const bool listening = t.speech_end && !t.reply_media;
  const bool cleared =
      last_clear_ && t.onset && since_start(*last_clear_) >= *t.onset && (!last_media_ || *last_clear_ >= *last_media_);
  const bool fresh = !last_media_ || now - *last_media_ >= kNewReplyGap || cleared;
  last_media_ = now;
  if (listening && fresh) t.reply_media = since_start(now);
}

void Conversation::on_clear(Instant now) {
  last_clear_ = now;
  TurnTrace& t = trace();
  if (!t.interrupting || t.reply_media) return;
  if (!t.clear) t.clear = since_start(now);
  if (const auto sound = line_.last_sound()) t.old_audio_end = since_start(*sound);
}

Conversation::Frame Conversation::step(Instant now) {
  line_.advance(now);
  if (state_ == State::greeting) {
    if (const auto sound = line_.first_sound(line_.start())) {
      trace().reply_sound = since_start(*sound);
      trace().replied = true;
      state_ = State::hearing;
      state_since_ = now;
    } else if (now - state_since_ >= (plan_.expect_greeting ? plan_.turn_timeout : kGreetingPatience)) {
      trace().timed_out = true;
      turn_over(now);
    }
  }
  if (state_ == State::waiting) wait_for_reply(now);
  if (state_ == State::hearing) hear_reply(now);
  if ((state_ == State::pausing || state_ == State::hearing) && next_begins(now)) begin_turn(now);
  if (state_ == State::speaking) return speak(now);
  return {};
}

bool Conversation::next_begins(Instant now) const {
  const std::size_t next = result_.turns.size();
  if (next >= plan_.turns.size()) return false;
  const auto& barge_at = plan_.turns[next].script.barge_at;
  const TurnTrace& t = turn_ < 0 ? result_.greeting : result_.turns[static_cast<std::size_t>(turn_)];
  if (barge_at && t.reply_sound) return now >= at(*t.reply_sound) + *barge_at;
  return state_ == State::pausing && now - state_since_ >= plan_.pause;
}

void Conversation::begin_turn(Instant now) {
  TurnTrace next;
  const auto sound = line_.last_sound();
  next.interrupting = state_ == State::hearing && (line_.queued_samples() > 0 || (sound && now - *sound < kFrame * 5));
  if (state_ == State::hearing && sound) trace().reply_end = since_start(*sound);
  result_.turns.push_back(next);
  ++turn_;
  sent_ = 0;
  next_digit_ = now;
  gateway_says_over_ = false;
  state_ = State::speaking;
  state_since_ = now;
}

Conversation::Frame Conversation::speak(Instant now) {
  const PlannedTurn& turn = planned();
  if (turn.script.kind == TurnKind::dtmf) return press(now, turn.script.text);
  if (turn.clip) return say_clip(now, *turn.clip);
  trace().onset = since_start(now);
  finish_speaking(now, State::waiting);
  return {};
}

Conversation::Frame Conversation::say_clip(Instant now, const Clip& clip) {
  TurnTrace& t = trace();
  const std::size_t n = std::min(kFrameSamples, clip.ulaw.size() - sent_);
  const auto bytes = std::span(clip.ulaw).subspan(sent_, n);
  sent_ += n;
  if (!t.onset && sent_ > clip.speech_begin) t.onset = since_start(now);
  if (!t.speech_end && sent_ >= clip.speech_end) t.speech_end = since_start(now);
  if (sent_ >= clip.ulaw.size()) finish_speaking(now, State::waiting);
  return {bytes, 0};
}

Conversation::Frame Conversation::press(Instant now, const std::string& digits) {
  if (now < next_digit_) return {};
  TurnTrace& t = trace();
  if (!t.onset) t.onset = since_start(now);
  const char digit = digits[sent_++];
  next_digit_ = now + kKeyPeriod;
  if (sent_ >= digits.size()) finish_speaking(now, State::waiting);
  return {{}, digit};
}

void Conversation::finish_speaking(Instant now, State next) {
  TurnTrace& t = trace();
  if (!t.onset) t.onset = since_start(now);
  if (!t.speech_end) t.speech_end = since_start(now);
  state_ = next;
  state_since_ = now;
}

void Conversation::wait_for_reply(Instant now) {
  TurnTrace& t = trace();
  if (t.reply_media) {
    if (const auto sound = line_.first_sound(at(*t.reply_media))) {
      t.reply_sound = since_start(*sound);
      t.replied = true;
      state_ = State::hearing;
      state_since_ = now;
      return;
    }
  } else if (const auto sound = line_.first_sound(at(t.interrupting ? *t.speech_end : *t.onset))) {
    // Sound without a gap before it (an echo, or an agent that talked on): over when it falls silent.
    if (now - *line_.last_sound() < kReplySilence) return;
    t.reply_sound = since_start(*sound);
    t.reply_end = since_start(*line_.last_sound());
    t.replied = true;
    turn_over(now);
    return;
  }
  if (now - at(*t.speech_end) < plan_.turn_timeout) return;
  t.timed_out = true;
  turn_over(now);
}

bool Conversation::reply_over(Instant now) {
  const Instant last = *line_.last_sound();
  if (now - last >= kLongSilence || now - state_since_ >= kWaitingLonger) return true;
  if (!line_.drained(now)) return false;
  return gateway_says_over_ || now - last >= kReplySilence;
}

void Conversation::hear_reply(Instant now) {
  if (!reply_over(now)) return;
  trace().reply_end = since_start(*line_.last_sound());
  turn_over(now);
}

void Conversation::turn_over(Instant now) {
  const bool more = result_.turns.size() < plan_.turns.size();
  state_ = more ? State::pausing : State::done;
  state_since_ = now;
}

}  // namespace voxgate::sim
