// The call's hearing: caller audio, barge-in, end of turn, the recogniser's words, keys.
#include "call/echo_ears.hpp"
#include "call/reply.hpp"
#include "voxgate/call/call.hpp"

namespace voxgate::call {

using dialog::BargeInAction;
using dialog::EndpointAction;
using dialog::TurnEvent;
using dialog::TurnState;

void Call::on_caller_audio(std::span<const std::uint8_t> wire) {
  if (settings_.agent->kind == AgentSpec::Kind::echo) return playout_.send_through(wire);
  if (feeding_) ports_.asr->audio(wire);
}

void Call::on_vad_frame(const audio::VadFrame& frame) {
  if (ports_.asr == nullptr || over_) return;
  if (frame.digit != 0) on_digit(frame.digit);
  track_far_end();
  const float echo_db = echo_ears_->gate.step(echo_ears_->far, frame.db, frame.floor_db);
  barge_in_frame(frame, echo_db);
  if (!over_) endpoint_frame(frame, echo_db);
}

// Shows the far-end tracker what the caller heard in the last 20 ms.
void Call::track_far_end() {
  const std::size_t frame_bytes = settings_.start.out.bytes_for_ms(20);
  const Playout::Position heard = playout_.heard(now_);
  if (heard <= far_position_) {
    far_position_ = heard;
    echo_ears_->far.skip(settings_.start.out.samples_in(frame_bytes));
    return;
  }
  std::uint8_t bytes[1280];
  far_position_ = std::max(far_position_, heard - static_cast<Playout::Position>(sizeof bytes));
  const std::size_t n = playout_.copy_recent(far_position_, {bytes, static_cast<std::size_t>(heard - far_position_)});
  echo_ears_->far.push({bytes, n});
  far_position_ = heard;
}

void Call::barge_in_frame(const audio::VadFrame& frame, float echo_db) {
  switch (gate_.on_frame(frame, echo_db)) {
    case BargeInAction::none:
      break;
    case BargeInAction::hold:
      step(TurnEvent::barge_hold);
      break;
    case BargeInAction::confirm:
      step(TurnEvent::barge_confirm);
      break;
    case BargeInAction::resume:
      step(TurnEvent::barge_resume);
      break;
  }
}

// Only what is louder than a possible echo of the agent counts as the caller's voice.
void Call::endpoint_frame(audio::VadFrame frame, float echo_db) {
  if (frame.db <= echo_db) frame.act = false;
  if (!frame.speech) segment_is_caller_ = false;
  if (frame.speech && frame.act) segment_is_caller_ = true;
  const bool voice = frame.speech && segment_is_caller_;
  frame.speech = voice;
  frame.edge = voice == voice_before_ ? audio::VadFrame::Edge::none
               : voice                ? audio::VadFrame::Edge::start
                                      : audio::VadFrame::Edge::stop;
  voice_before_ = voice;
  if (frame.edge == audio::VadFrame::Edge::start) {
    speech_started_ = ears_.vad().speech_start();
    silent_since_ = {};
    note(EventKind::speech_start);
    start_feeding();
    if (!collecting_) step(TurnEvent::speech_start);
  } else if (frame.edge == audio::VadFrame::Edge::stop) {
    note(EventKind::speech_stop);
  }
  if (!over_) on_endpoint(endpointer_.on_frame(frame));
}

void Call::on_endpoint(const dialog::EndpointActions& actions) {
  for (const EndpointAction& action : actions) {
    if (over_) return;
    switch (action.kind) {
      case EndpointAction::Kind::eager:
        step(TurnEvent::eager_end);
        break;
      case EndpointAction::Kind::resumed:
        if (turns_.state() == TurnState::hearing) drop_speculation();
        break;
      case EndpointAction::Kind::eot:
        speech_end_ = ears_.instant_of(action.at - action.silence);
        end_of_turn_ = now_;
        note(EventKind::end_of_turn);
        if (turns_.state() == TurnState::hearing) {
          step(TurnEvent::end_of_turn);
        } else {
          force_final();  // words over the agent's voice: the final decides what they were
        }
        break;
      case EndpointAction::Kind::discard:
        note(EventKind::turn_discarded);
        if (turns_.state() == TurnState::hearing && merge_next_) {
          discard_hearing();
          on_final({}, 1.0, Micros{0});
        } else if (turns_.state() == TurnState::hearing || turns_.state() == TurnState::held) {
          step(TurnEvent::turn_discarded);
        } else {
          discard_hearing();
        }
        break;
    }
  }
}

void Call::start_feeding() {
  if (feeding_) return;
  feeding_ = true;
  partial_text_.clear();
  ears_.replay_pre_roll([this](std::span<const std::uint8_t> wire) { ports_.asr->audio(wire); });
}

void Call::stop_feeding() {
  feeding_ = false;
}

void Call::force_final() {
  const Micros spoken = ears_.vad().last_act() - speech_started_;
  if (!feeding_) return on_final({}, 1.0, spoken);
  stop_feeding();
  forced_.push_back({std::exchange(partial_text_, {}), spoken, now_ + settings_.agent->turns.final_patience});
  ports_.asr->force_end_of_turn();
}

// The recogniser's last word did not come in time: its words so far have to do.
void Call::give_up_forced() {
  ForcedTurn turn = std::move(forced_.front());
  forced_.erase(forced_.begin());
  ++late_finals_;
  const double confidence = turn.partial.empty() ? 0.0 : 0.6;
  on_final(std::move(turn.partial), confidence, turn.spoken);
}

void Call::discard_hearing() {
  endpointer_.drop_turn();
  partial_text_.clear();
  late_finals_ += static_cast<int>(forced_.size());
  forced_.clear();
  if (!feeding_) return;
  stop_feeding();
  ports_.asr->discard_turn();
}

bool Call::caller_is_talking() const {
  return voice_before_ || endpointer_.in_turn() || feeding_ || !forced_.empty();
}

// The agent is silent again. What the caller said over its last words is part of the conversation, not lost.
void Call::hear_the_rest() {
  if (caller_is_talking()) return step(TurnEvent::speech_start);
  if (kept_text_.empty()) return;
  step(TurnEvent::speech_start);
  stop_feeding();
  on_final({}, 0.9, Micros{0});
}

// Media that stops coming must not leave a turn or a pause open for ever: pongs keep the line alive.
void Call::watch_stalls() {
  const Duration stalled = now_ - ears_.last_arrival();
  if (ears_.last_arrival() != Instant{} && stalled >= Millis{1000}) {
    if (endpointer_.in_turn()) on_endpoint(endpointer_.on_stall(std::chrono::duration_cast<Micros>(stalled)));
    if (!over_ && gate_.held()) step(TurnEvent::barge_resume);
  }
  if (over_) return;
  // Nothing is left that could end this state.
  if (turns_.state() == TurnState::hearing && !caller_is_talking()) step(TurnEvent::turn_discarded);
  const bool agent_has_floor = turns_.state() == TurnState::thinking || turns_.state() == TurnState::speaking;
  if (agent_has_floor && !reply_ && !collecting_) step(TurnEvent::reply_heard);
}

void Call::handle(vendors::AsrEvent& event) {
  if (auto* partial = std::get_if<vendors::AsrPartial>(&event)) {
    on_partial(*partial);
  } else if (auto* final = std::get_if<vendors::AsrTurnEnd>(&event)) {
    if (late_finals_ > 0) {
      --late_finals_;  // of a turn that was given up
    } else if (!forced_.empty()) {
      const Micros spoken = forced_.front().spoken;
      forced_.erase(forced_.begin());
      on_final(std::move(final->text), final->confidence, spoken);
    } else if (feeding_ && ports_.asr->caps().end_of_turn) {
      // The recogniser ended the turn itself.
      stop_feeding();
      endpointer_.drop_turn();
      end_of_turn_ = now_;
      speech_end_ = ears_.instant_of(ears_.vad().last_act());
      on_final(std::move(final->text), final->confidence, ears_.vad().last_act() - speech_started_);
    }
  } else if (auto* warning = std::get_if<vendors::AsrWarning>(&event)) {
    note(EventKind::asr_warning, warning->code);
  } else if (auto* closed = std::get_if<vendors::AsrClosed>(&event)) {
    if (closed->error) {
      // Deaf for good: better a farewell than a caller who talks to nobody.
      note(EventKind::service_failed, "asr: " + closed->error->message);
      closing_reason_ = EndReason::failed;
      step(TurnEvent::length_due);
    }
  } else if (std::holds_alternative<vendors::AsrEagerEnd>(event)) {
    on_endpoint(endpointer_.on_eager_end(ears_.media_now()));
  } else if (std::holds_alternative<vendors::AsrResumed>(event)) {
    on_endpoint(endpointer_.on_resumed(ears_.media_now()));
  }
}

void Call::on_partial(const vendors::AsrPartial& partial) {
  if (!feeding_) return;  // of a turn that is over
  if (gate_.agent_speaking() && gate_.is_echo(partial.text)) return;
  partial_text_ = partial.text;
  // Words that may be invented count only on top of enough voice to hold the agent.
  const bool enough_voice = gate_.held() || ears_.media_now() - speech_started_ >= gate_.settings().hold_speech;
  const bool proven = !ports_.asr->caps().doubtful_partials || enough_voice;
  const BargeInAction verdict = proven ? gate_.on_text(ears_.media_now(), partial.text) : BargeInAction::none;
  if (verdict == BargeInAction::confirm) step(TurnEvent::barge_confirm);
  if (verdict == BargeInAction::hold) step(TurnEvent::barge_hold);
  // Held before a word of ours was heard: the caller simply goes on.
  if (!over_ && proven && turns_.state() == TurnState::held && !audible_ &&
      dialog::meaningful_words(partial.text) > 0) {
    step(TurnEvent::barge_confirm);
  }
  if (!over_) on_endpoint(endpointer_.on_text(ears_.media_now(), partial.text, partial.complete));
}

void Call::on_final(std::string text, double confidence, Micros spoken) {
  const TurnState state = turns_.state();
  if (state == TurnState::speaking || state == TurnState::held) {
    const bool words = confidence >= 0.5 && !text.empty() && !gate_.is_echo(text) && !dialog::is_backchannel(text);
    const bool may_interrupt = gate_.settings().enabled && !(reply_ && reply_->is_protected);
    if (words && !may_interrupt) kept_text_ += (kept_text_.empty() ? "" : " ") + text;
    if (!words || !may_interrupt) return step(TurnEvent::final_empty);
    if (state == TurnState::speaking) step(TurnEvent::barge_confirm);
  } else if (state != TurnState::hearing && state != TurnState::finalizing) {
    return;
  }
  if (over_) return;
  if (!kept_text_.empty()) {
    text = text.empty() ? kept_text_ : kept_text_ + ' ' + text;
    confidence = std::max(confidence, 0.5);
    kept_text_.clear();
  }
  // Nothing was added to a question that is still unanswered because of this noise: it is asked again.
  if (text.empty() && merge_next_) confidence = kept_confidence_;
  if (text.empty() && !merge_next_ && spoken < Millis{1000}) return step(TurnEvent::final_empty);
  partial_text_ = std::move(text);
  turn_confidence_ = partial_text_.empty() && !merge_next_ ? 0.0 : confidence;
  kept_confidence_ = turn_confidence_;
  step(TurnEvent::final_text);
}

void Call::on_digit(char digit) {
  if (ports_.asr == nullptr || turns_.state() == TurnState::closing) return;
  note(EventKind::dtmf, std::string_view(&digit, 1));
  if (reply_ && reply_->is_protected && !collecting_) return;
  silent_since_ = {};
  last_digit_at_ = now_;
  if (!collecting_) {
    digits_.clear();
    step(TurnEvent::keypad);
    if (!collecting_) return;
  }
  if (digits_.size() < 64) digits_ += digit;
  const bool enough = expected_.digits > 0 && static_cast<int>(digits_.size()) >= expected_.digits;
  if (digit == '#' || enough || (expected_.digits == 0 && expected_.kind == vendors::AnswerKind::choice)) {
    finish_keypad();
  }
}

void Call::finish_keypad() {
  collecting_ = false;
  if (turns_.state() != TurnState::thinking) return;  // the caller has gone on in words
  no_input_count_ = no_match_count_ = 0;
  history_.add_user(digits_);
  open_turn(vendors::TurnCause::dtmf, digits_, 1.0);
  ports_.timeline->on_caller(*turn_);
  ask(vendors::TurnCause::dtmf, {}, 1.0, 1, false);
  reply_due_ = now_ + settings_.agent->turns.reply_patience;
}

}  // namespace voxgate::call
