#pragma once
// Who has the floor: a small explicit state machine. It decides nothing about sound or text (the endpointer and the
// barge-in gate do); it turns their verdicts into what happens next.
//
// state       event            next        actions
// ----------  ---------------  ----------  -------------------------------------------------------------
// listening   greeting         thinking    -
//             speech_start     hearing     stop_no_input_clock
//             reply_audible    speaking    stop_no_input_clock
//             no_input_due     thinking    ask_no_input
//             keypad           thinking    stop_no_input_clock, ask_keypad
//             length_due       closing     stop_no_input_clock, say_farewell
//             say_wanted       thinking    stop_no_input_clock
// hearing     speech_start     hearing     drop_speculation            (the caller went on)
//             eager_end        hearing     speculate
//             end_of_turn      finalizing  force_final
//             final_text       thinking    commit_turn                 (the recogniser ended the turn itself)
//             final_empty      listening   drop_speculation, start_no_input_clock
//             turn_discarded   listening   discard_hearing, drop_speculation, start_no_input_clock
//             keypad           thinking    discard_hearing, drop_speculation, ask_keypad
//             length_due       closing     discard_hearing, drop_speculation, say_farewell
//             say_wanted       thinking    discard_hearing, drop_speculation
// finalizing  final_text       thinking    commit_turn
//             final_empty      listening   drop_speculation, start_no_input_clock
//             keypad           thinking    discard_hearing, drop_speculation, ask_keypad
//             length_due       closing     discard_hearing, drop_speculation, say_farewell
//             say_wanted       thinking    discard_hearing, drop_speculation
// thinking    speech_start     held        hold_output                 (the caller goes on before we spoke)
//             reply_audible    speaking    -
//             reply_heard      listening   start_no_input_clock        (a reply without words)
//             keypad           thinking    cut_output, ask_keypad
//             length_due       closing     cut_output, say_farewell
//             hang_up_wanted   closing     -
//             say_wanted       thinking    cut_output
// speaking    barge_hold       held        hold_output
//             barge_confirm    hearing     cut_output
//             reply_heard      listening   start_no_input_clock
//             keypad           thinking    cut_output, ask_keypad
//             length_due       closing     cut_output, say_farewell
//             hang_up_wanted   closing     -
//             say_wanted       thinking    cut_output
// held        barge_confirm    hearing     cut_output
//             barge_resume     speaking    resume_output, discard_hearing
//             turn_discarded   speaking    resume_output, discard_hearing
//             final_text       thinking    cut_output, commit_turn     (a short answer, over before it was confirmed)
//             final_empty      speaking    resume_output
//             keypad           thinking    discard_hearing, cut_output, ask_keypad
//             length_due       closing     discard_hearing, cut_output, say_farewell
//             hang_up_wanted   closing     resume_output, discard_hearing
//             say_wanted       thinking    discard_hearing, cut_output
// closing     reply_heard      ended       end_call
// any         call_over        ended       -
//
// Every pair that is not listed changes nothing.

#include <cstddef>
#include <cstdint>
#include <initializer_list>

namespace voxgate::dialog {

enum class TurnState : std::uint8_t { listening, hearing, finalizing, thinking, speaking, held, closing, ended };
inline constexpr std::size_t kTurnStates = 8;

enum class TurnEvent : std::uint8_t {
  greeting,        // the call has begun: the agent speaks first
  speech_start,    // the caller began to speak (or went on)
  eager_end,       // the turn is probably over
  end_of_turn,     // the turn is over
  turn_discarded,  // there were no words in it
  final_text,      // the recogniser's last word on the turn
  final_empty,     // it heard no words
  reply_audible,   // the first frame of the reply was sent
  reply_heard,     // all of the reply was heard
  barge_hold,      // the caller seems to interrupt
  barge_confirm,   // the caller does interrupt
  barge_resume,    // the caller did not
  no_input_due,    // the caller has said nothing for too long
  keypad,          // keys were pressed: a turn of its own
  length_due,      // the call has lasted as long as it may
  hang_up_wanted,  // the reply ends the call
  say_wanted,      // an operator wants something said now
  call_over,       // the carrier or the operator ended it
};
inline constexpr std::size_t kTurnEvents = 18;

enum class TurnAction : std::uint8_t {
  speculate,
  drop_speculation,
  force_final,
  discard_hearing,
  commit_turn,
  hold_output,
  resume_output,
  cut_output,
  ask_no_input,
  ask_keypad,
  say_farewell,
  start_no_input_clock,
  stop_no_input_clock,
  end_call,
};

/// Up to four actions, to be carried out in order.
struct TurnActions {
  TurnAction at[4] = {};
  std::uint8_t count = 0;

  constexpr TurnActions() = default;
  constexpr TurnActions(std::initializer_list<TurnAction> list) {
    for (const TurnAction action : list) at[count++] = action;
  }
  constexpr const TurnAction* begin() const { return at; }
  constexpr const TurnAction* end() const { return at + count; }
  friend constexpr bool operator==(const TurnActions& a, const TurnActions& b) {
    if (a.count != b.count) return false;
    for (std::uint8_t i = 0; i < a.count; ++i) {
      if (a.at[i] != b.at[i]) return false;
    }
    return true;
  }
};

/// Owner: one Call; thread: its loop. Copyable: two bytes of state.
class TurnTaker {
 public:
  /// Moves on and returns what is to be done. An event that means nothing in this state changes nothing.
  TurnActions step(TurnEvent event);
  TurnState state() const { return state_; }

 private:
  TurnState state_ = TurnState::listening;
};

const char* to_string(TurnState state);
const char* to_string(TurnEvent event);
const char* to_string(TurnAction action);

}  // namespace voxgate::dialog
