#pragma once
// A dialog written as data: the `script` object of an agent file.
//
// A script is a machine of states. A state speaks (`say`), then listens for intents (`on`), which are sets of phrases;
// an intent leads to an action: say something, go somewhere, hang up, hand over to a human. A state may be a form
// instead: slots that are asked for one after the other, in any order the caller likes, and confirmed. Global intents
// (hours, repeat, goodbye ...) are understood in every state. Nothing that is said is in C++.
//
//   {
//     "values":  {"business": "Maple Street Dental"},                         constants for {templates}
//     "hours":   {"monday": ["08:00-12:00", "13:00-17:00"], "sunday": []},
//     "rules":   {"want": "i want to | i would like to"},                     phrases for other phrases
//     "lists":   {"service": {"cleaning": ["cleaning", "[the] hygienist"]}},  slot types with values
//     "pronunciations": {"invisalign": "IH N V IH S AH L AY N"},
//     "intents": {"book": ["[<want>] book an appointment [on {day}]"]},
//     "globals": {"book": ACTION, ...},        understood in every state
//     "no_match": [ACTION, ...], "no_input": [ACTION, ...],                   ladders: first, second, ... time in a row
//     "unsure": ["I understood: {heard}. Is that right?"], "confirm_below": 0.55,
//     "dtmf": {"0": ACTION},
//     "start": "menu",
//     "states": {"menu": {"say": [...], "again": [...], "protect": true, "expect": "free", "on": {"yes": ACTION}},
//                "book": {"form": {"slots": [{"name": "day", "phrases": [...], "ask": [...], "closed": [...]}],
//                                  "phrases": [...], "confirm": [...], "change": [...], "done": ACTION}}}
//   }
//   ACTION = "text" or {"say": [...], "goto": STATE, "hang_up": true, "transfer": "+15550100", "repeat": true,
//                       "protect": true, "ask": false, "set": {...}, "clear": [...], "keep": [...],
//                       "cases": [{"if": CONDITION or [..], ...ACTION}, ...]}
//   CONDITION = ["not "] open_now | open(SLOT) | has(SLOT) | SLOT=VALUE
//
// Lists of wordings are used in turn, by the number of the answer. Templates: {slot}, {slot.value}, {slot.hours},
// {slot.date}, {today.hours}, {next_open}, {heard}, and the constants.

#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "voxgate/dialog/business_hours.hpp"
#include "voxgate/vendors/agent_speech.hpp"
#include "voxgate/vendors/common.hpp"
#include "voxgate/vendors/phrase_grammar.hpp"

namespace voxgate::dialog {

/// What is wrong with a script, and where in the agent file ("/script/states/menu/on/book/goto").
struct ScriptError {
  std::string path;
  std::string message;
};

using Wordings = std::vector<std::string>;

struct ScriptCondition {
  enum class Kind : std::uint8_t { open_now, open_slot, has_slot, equals };
  Kind kind = Kind::open_now;
  bool negated = false;
  std::string slot, value;
};

struct ScriptCase;

struct ScriptAction {
  Wordings say;
  std::string go;  // a state; empty: stay
  std::string transfer;
  bool hang_up = false;
  bool repeat = false;  // say again what was said last
  bool protect = false;
  bool ask = true;  // after an answer that stays, ask the state's question again
  std::map<std::string, std::string> set;
  std::vector<std::string> clear;
  std::vector<std::string> keep;  // slots of the caller's sentence that outlive the turn
  std::vector<ScriptCase> cases;  // the first that holds adds to the rest
};

struct ScriptCase {
  std::vector<ScriptCondition> when;  // all of them; none: always
  ScriptAction then;
};

struct ScriptSlot {
  std::string name;
  std::vector<std::string> phrases;
  Wordings ask;
  Wordings closed;  // day and time slots: said when the business is closed then; the slot is asked for again
  vendors::AnswerKind kind = vendors::AnswerKind::choice;
  int digits = 0;
};

struct ScriptForm {
  std::vector<ScriptSlot> slots;
  std::vector<std::string> phrases;  // sentences that fill several slots at once
  Wordings confirm, change;
  ScriptAction done;

  const ScriptSlot* slot(std::string_view name) const;
};

struct ScriptState {
  std::string name;
  Wordings say, again;
  bool protect = false;
  bool globals = true;
  vendors::AnswerKind kind = vendors::AnswerKind::free;
  int digits = 0;
  std::vector<std::pair<std::string, ScriptAction>> on;  // by intent
  std::vector<ScriptAction> no_match, no_input;          // empty: the script's
  std::map<std::string, ScriptAction> dtmf;
  std::unique_ptr<ScriptForm> form;

  const ScriptAction* action_for(std::string_view intent) const;
};

/// Immutable once parsed; shared by all calls of the agent.
class Script {
 public:
  using Parsed = std::variant<std::shared_ptr<const Script>, std::vector<ScriptError>>;
  /// `script`: the value of the agent file's key `script`; ordered, because the first of several phrases that match
  /// counts. All mistakes at once.
  static Parsed parse(const std::string& agent, const nlohmann::ordered_json& script);

  /// The same from the text of a whole agent file (JSON with comments).
  static Parsed parse_agent_file(const std::string& agent, std::string_view text);

  const std::string& agent() const { return agent_; }
  const ScriptState* state(std::string_view name) const;
  const std::string& start() const { return start_; }
  const std::vector<std::pair<std::string, ScriptAction>>& globals() const { return globals_; }
  const std::vector<ScriptAction>& no_match() const { return no_match_; }
  const std::vector<ScriptAction>& no_input() const { return no_input_; }
  const std::map<std::string, ScriptAction>& dtmf() const { return dtmf_; }
  const Wordings& unsure() const { return unsure_; }
  double confirm_below() const { return confirm_below_; }
  const BusinessHours& hours() const { return hours_; }
  const std::map<std::string, std::string>& values() const { return values_; }

  /// The phrases of a grammar: a state's name, a form's name + ".confirm", or "sure" (is that right?). Labels are
  /// "intent:NAME", "fill", "yes" and "no".
  const vendors::PhraseGrammar* grammar(const std::string& name) const;
  /// For an offline recogniser.
  vendors::AgentSpeech speech() const;
  /// Texts without slots that every call will hear: worth synthesising in advance.
  std::vector<std::string> fixed_prompts() const;

 private:
  friend class ScriptParser;
  std::string agent_, start_;
  std::map<std::string, ScriptState, std::less<>> states_;
  std::vector<std::pair<std::string, ScriptAction>> globals_;
  std::vector<ScriptAction> no_match_, no_input_;
  std::map<std::string, ScriptAction> dtmf_;
  Wordings unsure_;
  double confirm_below_ = 0.55;
  BusinessHours hours_;
  std::map<std::string, std::string> values_, pronunciations_;
  std::map<std::string, std::vector<std::string>> intents_;
  vendors::PhraseRules rules_;
  std::map<std::string, std::vector<vendors::PhraseGrammar::Entry>> entries_;
  std::map<std::string, vendors::PhraseGrammar> grammars_;
};

}  // namespace voxgate::dialog
