#include "voxgate/dialog/script.hpp"

#include <nlohmann/json.hpp>
#include <set>

#include "dialog/script_parser.hpp"

namespace voxgate::dialog {

const ScriptSlot* ScriptForm::slot(std::string_view name) const {
  for (const ScriptSlot& s : slots)
    if (s.name == name) return &s;
  return nullptr;
}

const ScriptAction* ScriptState::action_for(std::string_view intent) const {
  for (const auto& [intent_name, action] : on)
    if (intent_name == intent) return &action;
  return nullptr;
}

Script::Parsed Script::parse(const std::string& agent, const nlohmann::ordered_json& json) {
  auto script = std::make_shared<Script>();
  script->agent_ = agent;
  auto errors = ScriptParser(*script, json).run();
  if (!errors.empty()) return errors;
  return std::shared_ptr<const Script>(std::move(script));
}

Script::Parsed Script::parse_agent_file(const std::string& agent, std::string_view text) {
  const auto json = nlohmann::ordered_json::parse(text, nullptr, false, true);
  if (json.is_discarded()) return std::vector<ScriptError>{{"", "the file is not JSON"}};
  const auto it = json.is_object() ? json.find("script") : json.end();
  if (it == json.end()) return std::vector<ScriptError>{{"/script", "the agent has no script"}};
  return parse(agent, *it);
}

const ScriptState* Script::state(std::string_view name) const {
  const auto it = states_.find(name);
  return it == states_.end() ? nullptr : &it->second;
}

const vendors::PhraseGrammar* Script::grammar(const std::string& name) const {
  const auto it = grammars_.find(name);
  return it == grammars_.end() ? nullptr : &it->second;
}

vendors::AgentSpeech Script::speech() const {
  vendors::AgentSpeech out;
  out.agent = agent_;
  out.rules = rules_;
  out.pronunciations = pronunciations_;
  for (const auto& [name, entries] : entries_) out.states.push_back({name, entries});
  return out;
}

std::vector<std::string> Script::fixed_prompts() const {
  std::set<std::string> out;
  const auto add = [&](const Wordings& wordings) {
    for (const std::string& text : wordings) {
      if (text.find('{') == std::string::npos) out.insert(text);
    }
  };
  const auto add_action = [&](const ScriptAction& action) {
    add(action.say);
    for (const ScriptCase& one : action.cases) add(one.then.say);
  };
  for (const auto& [name, state] : states_) {
    add(state.say);
    add(state.again);
    for (const auto& [intent, action] : state.on) add_action(action);
    if (state.form == nullptr) continue;
    for (const ScriptSlot& slot : state.form->slots) add(slot.ask);
    add(state.form->change);
    add_action(state.form->done);
  }
  for (const auto& [intent, action] : globals_) add_action(action);
  for (const ScriptAction& action : no_match_) add_action(action);
  for (const ScriptAction& action : no_input_) add_action(action);
  return {out.begin(), out.end()};
}

}  // namespace voxgate::dialog
