#pragma once
// One request answered by a script: reads the memory that came back, decides, writes the memory that goes out.

#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "voxgate/dialog/scripted_dialog.hpp"

namespace voxgate::dialog {

/// A slot as it is kept between turns.
struct FilledSlot {
  std::string value, display;
};

/// Everything a script remembers. Small: it is copied into the history of the call.
struct ScriptMemory {
  std::string state;
  std::string step;  // forms: "confirm" once everything is filled
  std::map<std::string, FilledSlot> slots;
  std::set<std::string> visited;
  std::string last;     // what was said last, for "repeat"
  std::string pending;  // the caller's words that wait for "is that right?"
  int turn = 0;
  int misses = 0;  // not understood, in a row

  static ScriptMemory parse(const std::string& json, const Script& script);
  std::string to_json() const;
};

class ScriptRun {
 public:
  ScriptRun(const Script& script, const vendors::LlmRequest& request);
  ScriptedAnswer answer();

 private:
  void user_turn();
  void understand(const std::string& words, double confidence);
  bool confirm_pending(const std::string& words, double confidence);
  void matched(const vendors::PhraseMatch& match);
  void not_understood();
  void no_input();
  void dtmf();

  void act(const ScriptAction& action);
  void enter(const std::string& state);
  void ask();  // the question of where we are
  void fill(const vendors::PhraseMatch& match);
  void go_on_with_form();
  bool refuse_closed(const ScriptSlot& slot);

  void say(const Wordings& wordings);
  std::string value_of(std::string_view name) const;
  const FilledSlot* slot(std::string_view name) const;
  bool holds(const ScriptCondition& condition) const;
  const ScriptState& here() const { return *script_.state(memory_.state); }
  std::string grammar_name() const;
  vendors::Expectation expectation() const;

  const Script& script_;
  const vendors::LlmRequest& request_;
  const LocalTime now_;
  ScriptMemory memory_;
  std::map<std::string, FilledSlot> turn_slots_;  // of the caller's sentence
  std::string heard_;
  ScriptedAnswer out_;
  bool said_again_ = false;
  int hops_ = 0;
};

}  // namespace voxgate::dialog
