#include "voxgate/dialog/endpointing.hpp"

#include <algorithm>

namespace voxgate::dialog {

using Kind = EndpointAction::Kind;
using Reason = EndpointAction::Reason;

namespace {

constexpr double kPauseForget = 0.9;        // weight of the old average
constexpr double kPauseUsualMs = 300.0;     // what a caller starts with, and comes back to ...
constexpr double kPauseRecovery = 0.1;      // ... by this share with every turn that was not cut short
constexpr double kPauseLongestMs = 1000.0;  // a longer one was no pause for breath
constexpr double kPauseFactor = 1.2;
constexpr double kPauseFreeMs = 400.0;    // of a pause that the plain rules already wait for
constexpr double kPauseMaxMs = 600.0;     // most that is added
constexpr Micros kShortestPause = 200ms;  // shorter ones lie within words

}  // namespace

EndpointActions Endpointer::on_frame(const audio::VadFrame& frame) {
  EndpointActions out;
  now_ = frame.end;
  const bool was_voice = voice_;
  voice_ = frame.speech;
  if (voice_ && frame.act) {
    const Micros pause = frame.end - last_speech_;
    // Within a turn, or so soon after our cut that it belonged to it.
    const bool cut_short = !in_turn_ && cut_at_ && frame.end - *cut_at_ < settings_.learn_within;
    if (!was_voice && pause >= kShortestPause && ((in_turn_ && voice_heard_) || cut_short)) learn_pause(pause);
    if (!in_turn_ && !cut_short) pause_ema_ms_ += kPauseRecovery * (kPauseUsualMs - pause_ema_ms_);
    cut_at_.reset();
    if (!in_turn_) start_turn(frame.end);
    voice_heard_ = true;
    last_speech_ = frame.end;
    turn_end_signalled_ = false;
    take_back(out, Reason::speech, frame.end);
  }
  evaluate(out, frame.end);
  return out;
}

EndpointActions Endpointer::on_text(Micros now, std::string_view text, bool grammar_complete) {
  EndpointActions out;
  now_ = std::max(now_, now);
  grammar_complete_ = grammar_complete;
  if (!same_words(text, text_)) {
    text_since_ = now_;
    take_back(out, Reason::text, now_);
  }
  text_ = text;
  completeness_ = judge_text();
  if (text_.empty()) return out;
  if (!in_turn_) start_turn(now_);  // words without a voice: the VAD missed a quiet caller
  evaluate(out, now_);
  return out;
}

EndpointActions Endpointer::on_turn_end(Micros now) {
  EndpointActions out;
  now_ = std::max(now_, now);
  turn_end_signalled_ = in_turn_;
  evaluate(out, now_);
  return out;
}

EndpointActions Endpointer::on_eager_end(Micros now) {
  EndpointActions out;
  now_ = std::max(now_, now);
  if (in_turn_ && !eager_pending_ && !text_.empty() && eager_count_ < settings_.max_eager) start_eagerly(out, now_);
  return out;
}

EndpointActions Endpointer::on_resumed(Micros now) {
  EndpointActions out;
  now_ = std::max(now_, now);
  turn_end_signalled_ = false;
  take_back(out, Reason::recogniser, now_);
  return out;
}

EndpointActions Endpointer::on_stall(Micros stalled) {
  EndpointActions out;
  const bool voice = voice_;
  voice_ = false;
  evaluate(out, now_ + stalled);
  if (in_turn_) voice_ = voice;
  return out;
}

void Endpointer::start_turn(Micros at) {
  in_turn_ = true;
  voice_heard_ = false;
  turn_start_ = last_speech_ = text_since_ = at;
  eager_count_ = 0;
}

void Endpointer::drop_turn() {
  in_turn_ = voice_heard_ = grammar_complete_ = turn_end_signalled_ = eager_pending_ = false;
  text_.clear();
  completeness_ = Completeness::neutral;
}

void Endpointer::end_turn(EndpointActions& out, Kind kind, Reason reason, Micros now) {
  out.add({kind, reason, now, now - last_speech_});
  cut_at_.reset();
  if (kind == Kind::eot) cut_at_ = now;
  drop_turn();
}

void Endpointer::take_back(EndpointActions& out, Reason reason, Micros now) {
  if (!eager_pending_) return;
  eager_pending_ = false;
  out.add({Kind::resumed, reason, now, now - last_speech_});
}

void Endpointer::learn_pause(Micros pause) {
  const auto ms = std::min(static_cast<double>(pause.count()) / 1000.0, kPauseLongestMs);
  pause_ema_ms_ = kPauseForget * pause_ema_ms_ + (1.0 - kPauseForget) * ms;
}

Completeness Endpointer::judge_text() const {
  return grammar_complete_ ? Completeness::complete : completeness(text_, expected_);
}

Reason Endpointer::reason_of(Completeness c) const {
  if (!settings_.needs_text) return Reason::silence;
  return c == Completeness::complete     ? Reason::complete
         : c == Completeness::incomplete ? Reason::incomplete
                                         : Reason::silence;
}

Micros Endpointer::needed_silence() const {
  if (turn_end_signalled_) return Micros{0};
  Micros need = settings_.silence;
  if (settings_.needs_text && completeness_ == Completeness::complete) need = settings_.silence_complete;
  if (settings_.needs_text && completeness_ == Completeness::incomplete) need = settings_.silence_incomplete;
  if (settings_.needs_text) {
    const double extra = std::clamp(pause_ema_ms_ * kPauseFactor - kPauseFreeMs, 0.0, kPauseMaxMs);
    need += Micros(static_cast<std::int64_t>(extra * 1000.0));
  }
  return std::clamp<Micros>(need, settings_.min_silence, settings_.max_silence);
}

void Endpointer::evaluate(EndpointActions& out, Micros now) {
  if (!in_turn_) return;
  const bool has_text = !text_.empty() || !settings_.needs_text;
  if (now - turn_start_ >= settings_.max_turn) {
    return end_turn(out, has_text ? Kind::eot : Kind::discard, Reason::too_long, now);
  }
  if (voice_) return;
  const Micros silence = now - last_speech_;
  if (!has_text) {
    // A recogniser that ends a turn without a word has heard noise, too.
    if (turn_end_signalled_ || silence >= settings_.no_text) end_turn(out, Kind::discard, Reason::no_text, now);
    return;
  }
  if (silence >= needed_silence()) {
    return end_turn(out, Kind::eot, turn_end_signalled_ ? Reason::recogniser : reason_of(completeness_), now);
  }
  if (may_start_eagerly(now)) start_eagerly(out, now);
}

bool Endpointer::may_start_eagerly(Micros now) const {
  return settings_.needs_text && !eager_pending_ && eager_count_ < settings_.max_eager &&
         now - last_speech_ >= settings_.eager_silence && now - text_since_ >= settings_.eager_stable &&
         now - turn_start_ <= settings_.eager_max_turn;
}

void Endpointer::start_eagerly(EndpointActions& out, Micros now) {
  eager_pending_ = true;
  ++eager_count_;
  out.add({Kind::eager, reason_of(completeness_), now, now - last_speech_});
}

}  // namespace voxgate::dialog
