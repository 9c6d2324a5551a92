#include "voxgate/dialog/turn_taker.hpp"

namespace voxgate::dialog {
namespace {

using S = TurnState;
using E = TurnEvent;
using A = TurnAction;

struct Row {
  S from;
  E on;
  S to;
  TurnActions actions;
};

// The table of the header, row by row.
constexpr Row kTable[] = {
    {S::listening, E::greeting, S::thinking, {}},
    {S::listening, E::speech_start, S::hearing, {A::stop_no_input_clock}},
    {S::listening, E::reply_audible, S::speaking, {A::stop_no_input_clock}},
    {S::listening, E::no_input_due, S::thinking, {A::ask_no_input}},
    {S::listening, E::keypad, S::thinking, {A::stop_no_input_clock, A::ask_keypad}},
    {S::listening, E::length_due, S::closing, {A::stop_no_input_clock, A::say_farewell}},
    {S::listening, E::say_wanted, S::thinking, {A::stop_no_input_clock}},

    {S::hearing, E::speech_start, S::hearing, {A::drop_speculation}},
    {S::hearing, E::eager_end, S::hearing, {A::speculate}},
    {S::hearing, E::end_of_turn, S::finalizing, {A::force_final}},
    {S::hearing, E::final_text, S::thinking, {A::commit_turn}},
    {S::hearing, E::final_empty, S::listening, {A::drop_speculation, A::start_no_input_clock}},
    {S::hearing, E::turn_discarded, S::listening, {A::discard_hearing, A::drop_speculation, A::start_no_input_clock}},
    {S::hearing, E::keypad, S::thinking, {A::discard_hearing, A::drop_speculation, A::ask_keypad}},
    {S::hearing, E::length_due, S::closing, {A::discard_hearing, A::drop_speculation, A::say_farewell}},
    {S::hearing, E::say_wanted, S::thinking, {A::discard_hearing, A::drop_speculation}},

    {S::finalizing, E::final_text, S::thinking, {A::commit_turn}},
    {S::finalizing, E::final_empty, S::listening, {A::drop_speculation, A::start_no_input_clock}},
    {S::finalizing, E::keypad, S::thinking, {A::discard_hearing, A::drop_speculation, A::ask_keypad}},
    {S::finalizing, E::length_due, S::closing, {A::discard_hearing, A::drop_speculation, A::say_farewell}},
    {S::finalizing, E::say_wanted, S::thinking, {A::discard_hearing, A::drop_speculation}},

    {S::thinking, E::speech_start, S::held, {A::hold_output}},
    {S::thinking, E::reply_audible, S::speaking, {}},
    {S::thinking, E::reply_heard, S::listening, {A::start_no_input_clock}},
    {S::thinking, E::keypad, S::thinking, {A::cut_output, A::ask_keypad}},
    {S::thinking, E::length_due, S::closing, {A::cut_output, A::say_farewell}},
    {S::thinking, E::hang_up_wanted, S::closing, {}},
    {S::thinking, E::say_wanted, S::thinking, {A::cut_output}},

    {S::speaking, E::barge_hold, S::held, {A::hold_output}},
    {S::speaking, E::barge_confirm, S::hearing, {A::cut_output}},
    {S::speaking, E::reply_heard, S::listening, {A::start_no_input_clock}},
    {S::speaking, E::keypad, S::thinking, {A::cut_output, A::ask_keypad}},
    {S::speaking, E::length_due, S::closing, {A::cut_output, A::say_farewell}},
    {S::speaking, E::hang_up_wanted, S::closing, {}},
    {S::speaking, E::say_wanted, S::thinking, {A::cut_output}},

    {S::held, E::barge_confirm, S::hearing, {A::cut_output}},
    {S::held, E::barge_resume, S::speaking, {A::resume_output, A::discard_hearing}},
    {S::held, E::turn_discarded, S::speaking, {A::resume_output, A::discard_hearing}},
    {S::held, E::final_text, S::thinking, {A::cut_output, A::commit_turn}},
    {S::held, E::final_empty, S::speaking, {A::resume_output}},
    {S::held, E::keypad, S::thinking, {A::discard_hearing, A::cut_output, A::ask_keypad}},
    {S::held, E::length_due, S::closing, {A::discard_hearing, A::cut_output, A::say_farewell}},
    {S::held, E::hang_up_wanted, S::closing, {A::resume_output, A::discard_hearing}},
    {S::held, E::say_wanted, S::thinking, {A::discard_hearing, A::cut_output}},

    {S::closing, E::reply_heard, S::ended, {A::end_call}},
};

}  // namespace

TurnActions TurnTaker::step(TurnEvent event) {
  if (event == E::call_over) {
    state_ = S::ended;
    return {};
  }
  for (const Row& row : kTable) {
    if (row.from == state_ && row.on == event) {
      state_ = row.to;
      return row.actions;
    }
  }
  return {};
}

const char* to_string(TurnState state) {
  constexpr const char* kNames[] = {"listening", "hearing", "finalizing", "thinking",
                                    "speaking",  "held",    "closing",    "ended"};
  return kNames[static_cast<std::size_t>(state)];
}

const char* to_string(TurnEvent event) {
  constexpr const char* kNames[] = {"greeting",       "speech_start", "eager_end",     "end_of_turn", "turn_discarded",
                                    "final_text",     "final_empty",  "reply_audible", "reply_heard", "barge_hold",
                                    "barge_confirm",  "barge_resume", "no_input_due",  "keypad",      "length_due",
                                    "hang_up_wanted", "say_wanted",   "call_over"};
  return kNames[static_cast<std::size_t>(event)];
}

const char* to_string(TurnAction action) {
  constexpr const char* kNames[] = {"speculate",           "drop_speculation", "force_final",   "discard_hearing",
                                    "commit_turn",         "hold_output",      "resume_output", "cut_output",
                                    "ask_no_input",        "ask_keypad",       "say_farewell",  "start_no_input_clock",
                                    "stop_no_input_clock", "end_call"};
  return kNames[static_cast<std::size_t>(action)];
}

}  // namespace voxgate::dialog
