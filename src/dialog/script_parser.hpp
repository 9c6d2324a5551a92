#pragma once
// Reads a script from JSON. Every mistake is kept with its path; the script is only used when there is none.

#include <initializer_list>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "voxgate/dialog/script.hpp"

namespace voxgate::dialog {

class ScriptParser {
 public:
  using Json = nlohmann::ordered_json;

  ScriptParser(Script& script, const Json& root) : script_(script), root_(root) {}
  std::vector<ScriptError> run();

 private:
  void error(const std::string& path, std::string message);
  bool object(const Json& j, const std::string& path, std::initializer_list<const char*> keys);
  const Json& members(const Json& j, const std::string& path);  // an object, or nothing
  std::string text(const Json& j, const std::string& path);
  bool flag(const Json& parent, const char* key, const std::string& path, bool fallback);
  std::vector<std::string> texts(const Json& j, const std::string& path);  // a string or a list of strings
  Wordings wordings(const Json& parent, const char* key, const std::string& path);
  std::map<std::string, std::string> text_map(const Json& parent, const char* key, const std::string& path);

  void hours();
  void phrases();  // rules, lists, intents
  void states();
  void state(const std::string& name, const Json& j, const std::string& path);
  void form(ScriptState& state, const Json& j, const std::string& path);
  void slot(ScriptForm& form, const Json& j, const std::string& path);
  ScriptAction action(const Json& j, const std::string& path, bool is_case = false);
  ScriptCondition condition(const std::string& text, const std::string& path);
  std::vector<ScriptAction> ladder(const Json& parent, const char* key, const std::string& path);
  std::map<std::string, ScriptAction> dtmf(const Json& parent, const std::string& path);
  std::vector<std::pair<std::string, ScriptAction>> intent_actions(const Json& j, const std::string& path);
  vendors::AnswerKind answer_kind(const Json& j, const std::string& path);

  void grammars();
  void add_intent(std::vector<vendors::PhraseGrammar::Entry>& to, const std::string& intent) const;
  void compile(const std::string& name, std::vector<vendors::PhraseGrammar::Entry> entries);
  void references();

  struct Reference {
    std::string path, name;
  };
  Script& script_;
  const Json& root_;
  std::vector<ScriptError> errors_;
  std::vector<Reference> states_used_, intents_used_, templates_used_, slots_used_;
  std::set<std::string> slots_;  // every slot name that a phrase can fill or an action can set
};

}  // namespace voxgate::dialog
