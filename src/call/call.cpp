// The conversation: entries, turns, the model and the voice. Hearing is in call_hearing.cpp.
#include "voxgate/call/call.hpp"

#include <algorithm>

#include "call/echo_ears.hpp"
#include "call/reply.hpp"
#include "voxgate/base/json_cursor.hpp"

namespace voxgate::call {

using dialog::TurnAction;
using dialog::TurnEvent;
using dialog::TurnState;
using vendors::TurnCause;

namespace {

constexpr int kMaxMuteReplies = 2;         // replies in a row of which nothing could be spoken
constexpr std::size_t kMaxDeferred = 256;  // answers from within one command; beyond it something runs wild
constexpr double kCertain = 0.7;           // confidence above which a reply begun on suspicion stands
constexpr Millis kClosingPatience{20000};  // a farewell that is not heard by then is given up

EarsConfig ears_config(const CallSettings& s, bool listens) {
  EarsConfig config;
  config.format = s.start.in;
  config.may_reorder = s.capabilities->reorders;
  config.inband_dtmf = s.inband_dtmf || !s.capabilities->dtmf_in;
  if (listens) config.pre_roll = Millis{300};
  return config;
}

std::string transfer_target(const std::string& arguments) {
  JsonCursor in(arguments);
  std::string to;
  if (!in.enter_object()) return to;
  std::string_view key;
  while (in.next_key(key)) {
    if (key == "to") {
      in.scalar(to);
    } else {
      in.skip();
    }
  }
  return to;
}

}  // namespace

Call::Call(CallSettings settings, CallPorts ports, CallSlot& slot, Instant now)
    : settings_(std::move(settings)),
      ports_(ports),
      ears_(slot, ears_config(settings_, ports.asr != nullptr), *this),
      playout_(settings_.start.out, *settings_.capabilities, settings_.playout, *ports.media),
      endpointer_(settings_.agent->turns.endpointing),
      gate_(settings_.agent->turns.barge_in),
      echo_ears_(ports.asr == nullptr ? nullptr : std::make_unique<EchoEars>(settings_.start.out)),
      now_(now),
      started_at_(now) {}

Call::~Call() = default;

// ---- entries
// ----------------------------------------------------------------------------------------------------------

template <class F>
void Call::enter(Instant now, F&& f) {
  if (over_) return;
  now_ = std::max(now_, now);
  ++depth_;
  f();
  if (depth_ == 1) settle();
  --depth_;
}

// Handles what streams answered from within commands, and moves the reply on, until nothing more follows.
void Call::settle() {
  do {
    for (std::size_t i = 0; i < deferred_.size() && !over_; ++i) {
      Deferred event = std::move(deferred_[i]);
      std::visit([this](auto& e) { handle(e); }, event);
    }
    deferred_.clear();
    if (over_ || !reply_) return;
    feed_voice();
    check_audible();
    check_heard();
  } while (!deferred_.empty());
}

// An answer from within a command waits until that command is done.
template <class Event>
void Call::answer(Event& event, Instant now) {
  if (over_) return;
  if (depth_ == 0) return enter(now, [&] { handle(event); });
  if (deferred_.size() < kMaxDeferred) deferred_.push_back(std::move(event));
}

void Call::begin(Instant now) {
  if (settings_.agent->kind == AgentSpec::Kind::echo) return;
  enter(now, [this] {
    step(TurnEvent::greeting);
    open_turn(TurnCause::greeting, {}, 1.0);
    ask(TurnCause::greeting, {}, 1.0, 1, false);
    reply_due_ = now_ + settings_.agent->turns.reply_patience;
  });
}

void Call::on_media(const carriers::MediaEvent& event, Instant now) {
  enter(now, [&] {
    if (const auto* audio = std::get_if<carriers::MediaAudio>(&event)) {
      ears_.on_audio(*audio, now_);
    } else if (const auto* mark = std::get_if<carriers::MediaMark>(&event)) {
      playout_.on_mark(mark->name, now_);
      if (turn_) turn_->mark_delay_ms = playout_.stats().last_mark_delay.count();
    } else if (const auto* dtmf = std::get_if<carriers::MediaDtmf>(&event)) {
      on_digit(dtmf->digit);
    }
  });
}

void Call::on_asr(vendors::AsrEvent event, Instant now) {
  answer(event, now);
}

void Call::on_llm(vendors::LlmEvent event, Instant now) {
  answer(event, now);
}

void Call::on_tts(vendors::TtsEvent event, Instant now) {
  answer(event, now);
}

void Call::on_control(ControlEvent event, Instant now) {
  enter(now, [&] {
    if (const auto* say = std::get_if<SayText>(&event)) {
      if (ports_.tts == nullptr || turns_.state() == TurnState::closing) return;
      step(TurnEvent::say_wanted);
      merge_next_ = collecting_ = false;
      if (turn_) close_turn(true, playout_.heard(now_));
      open_turn(TurnCause::operator_says, {}, 1.0);
      say_own(say->text, false);
      reply_->is_protected = !say->interruptible;
      reply_due_ = now_ + settings_.agent->turns.reply_patience;
    } else {
      end_call(std::get<HangUp>(event).reason, "");
    }
  });
}

void Call::tick(Instant now) {
  enter(now, [this] {
    ears_.tick(now_);
    playout_.tick(now_);
    for (Reply* reply : {reply_.get(), next_reply_.get()}) {
      if (reply != nullptr) reply->poll(now_);
    }
    check_deadlines();
  });
}

void Call::on_end(EndReason reason, Instant now) {
  if (over_) return;
  now_ = std::max(now_, now);
  note(EventKind::carrier_ended, to_string(reason));
  turns_.step(TurnEvent::call_over);
  if (turn_) close_turn(reply_ && !reply_->heard_out(playout_, now_), playout_.heard(now_));
  if (!partial_text_.empty()) {  // cut off in mid-sentence: what was understood is kept
    history_.add_user(partial_text_);
    open_turn(TurnCause::user_turn, std::move(partial_text_), 0.5);
    close_turn(false, playout_.heard(now_));
  }
  release_services();
}

// Nothing of this call is asked for any more.
void Call::release_services() {
  over_ = true;
  for (const auto* reply : {&reply_, &next_reply_}) {
    if (!*reply) continue;
    if ((*reply)->request() != 0) ports_.llm->cancel((*reply)->request());
    (*reply)->cancel(*ports_.tts);
  }
  reply_.reset();
  next_reply_.reset();
}

void Call::note(EventKind kind, std::string_view detail) {
  ports_.timeline->on_event(kind, now_ - started_at_, detail);
}

// ---- turns
// ------------------------------------------------------------------------------------------------------------

void Call::step(TurnEvent event) {
  if (over_) return;
  const TurnState before = turns_.state();
  for (const TurnAction action : turns_.step(event)) act(action);
  if (over_ || turns_.state() == before) return;
  if (turns_.state() == TurnState::hearing && forced_.empty()) start_feeding();
  if (before == TurnState::finalizing && caller_is_talking()) step(TurnEvent::speech_start);
}

void Call::act(TurnAction action) {
  switch (action) {
    case TurnAction::speculate:
      return speculate();
    case TurnAction::drop_speculation:
      return drop_speculation();
    case TurnAction::force_final:
      return force_final();
    case TurnAction::discard_hearing:
      return discard_hearing();
    case TurnAction::commit_turn:
      return commit_turn();
    case TurnAction::hold_output:
      playout_.hold(now_);
      return note(EventKind::barge_hold);
    case TurnAction::resume_output:
      return resume_output();
    case TurnAction::cut_output:
      return cut_output();
    case TurnAction::ask_no_input:
      return ask_no_input();
    case TurnAction::ask_keypad:
      collecting_ = true;
      return;
    case TurnAction::say_farewell:
      note(EventKind::farewell);
      if (turn_) close_turn(true, playout_.heard(now_));
      open_turn(TurnCause::farewell, {}, 1.0);
      return say_own(settings_.agent->farewell, true);
    case TurnAction::start_no_input_clock:
      silent_since_ = now_;
      return;
    case TurnAction::stop_no_input_clock:
      silent_since_ = {};
      return;
    case TurnAction::end_call:
      return end_call(closing_reason_, transfer_to_);
  }
}

void Call::end_call(EndReason reason, std::string_view detail) {
  if (over_) return;
  const std::string why(detail);
  if (turn_) close_turn(reply_ && !reply_->heard_out(playout_, now_), playout_.heard(now_));
  turns_.step(TurnEvent::call_over);
  release_services();
  ports_.host->end_call(reason, why);
}

void Call::open_turn(TurnCause cause, std::string caller, double confidence) {
  if (turn_) close_turn(true, playout_.heard(now_));
  turn_.emplace();
  turn_->number = ++turn_count_;
  turn_->cause = cause;
  turn_->at = now_ - started_at_;
  turn_->caller = std::move(caller);
  turn_->confidence = confidence;
  turn_->stamps.speech_end = turn_->stamps.end_of_turn = turn_->stamps.asr_final = now_;
}

// Writes what was heard into the history and the record, and lets go of the reply.
void Call::close_turn(bool interrupted, Playout::Position heard) {
  if (reply_) {
    turn_->agent = reply_->heard_text(heard, settings_.start.out);
    turn_->agent_audio_ms = reply_->heard_audio(heard, settings_.start.out).count();
    turn_->interrupted = interrupted;
    const bool nothing_heard = turn_->agent.empty() && interrupted;
    history_.add_assistant(turn_->agent, nothing_heard ? std::string() : reply_->state, interrupted);
  }
  TurnRecord done = std::move(*turn_);
  turn_.reset();
  ports_.timeline->on_turn(done);
}

void Call::ask(TurnCause cause, std::string user_text, double confidence, int repeat, bool speculative) {
  vendors::LlmRequest request;
  request.id = ++last_request_;
  request.cause = cause;
  request.messages = history_.messages();
  if (speculative) {
    dialog::History with = history_;
    merge_next_ ? with.extend_user(user_text) : with.add_user(std::move(user_text));
    request.messages = with.messages();
  }
  request.repeat = repeat;
  request.confidence = confidence;
  request.wall_ms = settings_.wall_ms + to_ms(now_ - started_at_);
  request.utc_offset_min = settings_.utc_offset_min;
  auto reply = std::make_unique<Reply>(request.id, speculative);
  if (speculative) {
    next_reply_ = std::move(reply);
  } else {
    drop_reply();
    reply_ = std::move(reply);
  }
  ports_.llm->start(std::move(request));
}

void Call::say_own(const std::string& text, bool hang_up) {
  drop_reply();
  reply_ = std::make_unique<Reply>(0, false);
  reply_->hang_up = hang_up;
  reply_->is_protected = hang_up;
  reply_->add_text(text, now_);
  reply_->finish_text();
  closing_due_ = hang_up ? now_ + kClosingPatience : Instant{};
}

// Whatever is still being said or made gives way to what comes.
void Call::drop_reply() {
  audible_ = false;
  gate_.agent_stopped();
  if (!reply_) return;
  playout_.cancel(now_);
  if (reply_->request() != 0) ports_.llm->cancel(reply_->request());
  reply_->cancel(*ports_.tts);
  reply_.reset();
}

void Call::speculate() {
  const std::string& text = endpointer_.text();
  if (text.empty() || next_reply_ || merge_next_) return;
  note(EventKind::eager_end, text);
  speculated_text_ = text;
  ask(TurnCause::user_turn, text, 1.0, 1, true);
}

void Call::drop_speculation() {
  if (!next_reply_) return;
  ports_.llm->cancel(next_reply_->request());
  next_reply_.reset();
  note(EventKind::speculation_dropped, speculated_text_);
}

void Call::commit_turn() {
  const std::string text = std::exchange(partial_text_, {});
  const double confidence = turn_confidence_;
  const bool merged = std::exchange(merge_next_, false);
  collecting_ = false;
  no_input_count_ = 0;
  if (merged) {
    history_.extend_user(text);
  } else {
    history_.add_user(text);
  }
  const std::string whole = history_.messages().back().text;
  const bool understood = confidence >= 0.5 && !whole.empty();
  no_match_count_ = understood ? 0 : no_match_count_ + 1;
  open_turn(understood ? TurnCause::user_turn : TurnCause::no_match, whole, confidence);
  turn_->merged = merged ? 1 : 0;
  turn_->stamps.speech_end = speech_end_;
  turn_->stamps.end_of_turn = end_of_turn_;
  turn_->stamps.asr_final = now_;
  if (!understood) note(EventKind::no_match, text);
  ports_.timeline->on_caller(*turn_);

  // The speculation took its words for certain: where they are not, the model has to know.
  const bool adopt = next_reply_ && confidence >= kCertain && !merged && dialog::same_words(speculated_text_, text);
  if (adopt) {
    turn_->speculative = true;
    drop_reply();
    reply_ = std::move(next_reply_);
    reply_->release();
  } else {
    drop_speculation();
    ask(turn_->cause, {}, confidence, std::max(1, no_match_count_), false);
  }
  reply_due_ = now_ + settings_.agent->turns.reply_patience;
  apologised_ = false;
}

void Call::ask_no_input() {
  silent_since_ = {};
  note(EventKind::no_input, std::to_string(no_input_count_));
  open_turn(TurnCause::no_input, {}, 1.0);
  ask(TurnCause::no_input, {}, 1.0, no_input_count_, false);
  reply_due_ = now_ + settings_.agent->turns.reply_patience;
}

// The caller has the floor: what was not heard is taken back.
void Call::cut_output() {
  const Playout::Position heard = playout_.cancel(now_);
  if (reply_) {
    if (reply_->request() != 0) ports_.llm->cancel(reply_->request());
    reply_->cancel(*ports_.tts);
    const Millis heard_audio = reply_->heard_audio(heard, settings_.start.out);
    const bool user_turn = turn_ && (turn_->cause == TurnCause::user_turn || turn_->cause == TurnCause::no_match);
    if (user_turn && heard_audio < settings_.agent->turns.cut_in) {
      merge_next_ = true;  // it was us who cut in
      if (turn_->stamps.speech_end != Instant{}) {
        endpointer_.learn_pause(std::chrono::duration_cast<Micros>(now_ - turn_->stamps.speech_end));
      }
    }
    note(EventKind::barge_confirm);
    if (audible_) ports_.timeline->on_barge_in(now_ - ears_.instant_of(speech_started_));
    if (turn_) close_turn(true, merge_next_ ? Playout::Position{-1} : heard);
    reply_.reset();
  }
  gate_.agent_stopped();
  audible_ = false;
  reply_due_ = {};
}

void Call::resume_output() {
  playout_.resume(now_);
  if (reply_ && audible_) gate_.agent_started(reply_->spoken_text(), !reply_->is_protected);
  note(EventKind::barge_resume);
}

// ---- speaking
// ---------------------------------------------------------------------------------------------------------

void Call::handle(vendors::LlmEvent& event) {
  Reply* reply = nullptr;
  if (reply_ && reply_->request() == event.request) reply = reply_.get();
  if (next_reply_ && next_reply_->request() == event.request) reply = next_reply_.get();
  if (reply == nullptr || event.request == 0) return;  // of a request that was cancelled
  if (auto* text = std::get_if<vendors::LlmText>(&event.body)) {
    reply->add_text(text->text, now_);
  } else if (auto* call = std::get_if<vendors::LlmToolCall>(&event.body)) {
    if (call->name == vendors::kToolHangup) reply->hang_up = true;
    if (call->name == vendors::kToolTransfer) {
      reply->hang_up = true;
      reply->transfer_to = transfer_target(call->json_arguments);
    }
  } else if (auto* expect = std::get_if<vendors::LlmExpect>(&event.body)) {
    reply->expectation = std::move(expect->expectation);
  } else if (std::holds_alternative<vendors::LlmProtect>(event.body)) {
    reply->is_protected = true;
  } else if (auto* state = std::get_if<vendors::LlmState>(&event.body)) {
    reply->state = std::move(state->state);
  } else if (std::holds_alternative<vendors::LlmDone>(event.body)) {
    reply->finish_text();
  } else if (auto* failed = std::get_if<vendors::LlmFailed>(&event.body)) {
    note(EventKind::service_failed, "llm: " + failed->error.message);
    if (reply == next_reply_.get()) {
      next_reply_.reset();
    } else if (reply->has_text()) {
      reply->finish_text();  // what was said stands
    } else {
      say_own(settings_.agent->apology, false);
    }
  }
}

void Call::handle(vendors::TtsEvent& event) {
  if (!reply_) return;
  if (auto* audio = std::get_if<vendors::TtsAudio>(&event)) {
    reply_->on_audio(audio->utterance, audio->bytes, playout_, now_);
  } else if (auto* marks = std::get_if<vendors::TtsMarks>(&event)) {
    reply_->on_marks(*marks, settings_.start.out, playout_);
  } else if (auto* done = std::get_if<vendors::TtsDone>(&event)) {
    reply_->on_utterance_over(done->utterance, false, playout_, now_);
  } else if (auto* failed = std::get_if<vendors::TtsFailed>(&event)) {
    note(EventKind::service_failed, "tts: " + failed->error.message);
    reply_->on_utterance_over(failed->utterance, true, playout_, now_);
  }
}

void Call::feed_voice() {
  reply_->feed(*ports_.tts, playout_, settings_.agent->turns.ask_ahead, last_utterance_, now_);
}

// What the caller is expected to answer takes effect when the question begins to sound.
void Call::adopt_expectation() {
  if (!reply_->expectation) return;
  expected_ = *reply_->expectation;
  endpointer_.expect(expected_);
  ports_.asr->expect(expected_);
}

void Call::check_audible() {
  if (!reply_ || audible_ || reply_->start() < 0 || playout_.held() || playout_.sent() <= reply_->start()) return;
  audible_ = true;
  reply_due_ = {};
  if (turn_ && !turn_->stamps.complete()) {
    TurnStamps& s = turn_->stamps;
    s.llm_first = reply_->first_text_at();
    s.clause = reply_->first_clause_at();
    s.tts_first = reply_->first_audio_at();
    s.first_frame = now_;
  }
  gate_.agent_started(reply_->spoken_text(), !reply_->is_protected);
  endpointer_.agent_answered();
  adopt_expectation();
  step(TurnEvent::reply_audible);
}

void Call::check_heard() {
  if (!reply_) return;
  if (audible_) gate_.saying(reply_->spoken_text());
  if (reply_->hang_up && reply_->text_finished()) {
    if (!reply_->transfer_to.empty() && transfer_to_.empty()) {
      transfer_to_ = reply_->transfer_to;
      closing_reason_ = EndReason::transferred;
      note(EventKind::transfer, transfer_to_);
    }
    if (turns_.state() != TurnState::closing) {
      closing_due_ = now_ + kClosingPatience;
      gate_.set_interruptible(false);
      note(EventKind::hang_up);
      step(TurnEvent::hang_up_wanted);
      if (over_) return;
    }
  }
  if (!reply_ || !reply_->heard_out(playout_, now_)) return;
  mute_replies_ = reply_->mute() ? mute_replies_ + 1 : 0;
  if (mute_replies_ >= kMaxMuteReplies) return end_call(EndReason::failed, "the voice fails");
  if (!audible_) adopt_expectation();
  gate_.agent_stopped();
  if (turn_) close_turn(false, playout_.end());
  reply_.reset();
  audible_ = false;
  reply_due_ = {};
  step(TurnEvent::reply_heard);
  if (!over_ && turns_.state() == TurnState::listening) hear_the_rest();
}

void Call::check_deadlines() {
  const TurnSettings& t = settings_.agent->turns;
  if (settings_.agent->kind == AgentSpec::Kind::echo) {
    if (now_ - started_at_ > t.max_call) end_call(EndReason::too_long, "");
    return;
  }
  if (!forced_.empty() && now_ >= forced_.front().due) give_up_forced();
  if (collecting_ && now_ - last_digit_at_ >= t.keypad_gap) finish_keypad();
  watch_stalls();
  if (over_) return;
  if (now_ - started_at_ > t.max_call && turns_.state() != TurnState::closing) {
    note(EventKind::length_reached);
    closing_reason_ = EndReason::too_long;
    step(TurnEvent::length_due);
  }
  if (silent_since_ != Instant{} && now_ - silent_since_ >= t.no_input) {
    if (++no_input_count_ > t.max_no_input) {
      closing_reason_ = EndReason::no_input;
      step(TurnEvent::length_due);
    } else {
      step(TurnEvent::no_input_due);
    }
  }
  if (reply_due_ != Instant{} && now_ >= reply_due_ && reply_ && !audible_ && !playout_.held()) {
    reply_due_ = {};
    note(EventKind::apology);
    if (reply_->request() != 0) ports_.llm->cancel(reply_->request());
    reply_->cancel(*ports_.tts);
    if (apologised_) return end_call(EndReason::failed, "no reply");
    apologised_ = true;
    reply_due_ = now_ + t.reply_patience;
    say_own(settings_.agent->apology, false);
  }
  if (closing_due_ != Instant{} && now_ >= closing_due_ && turns_.state() == TurnState::closing) {
    end_call(closing_reason_, "the farewell could not be played");
  }
}

}  // namespace voxgate::call
