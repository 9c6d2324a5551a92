#pragma once
// What an agent's dialog tells an offline recogniser: which sentences may come in which state.

#include <map>
#include <string>
#include <vector>

#include "voxgate/vendors/phrase_grammar.hpp"

namespace voxgate::vendors {

struct AgentSpeech {
  struct State {
    std::string name;  // the grammar is called "AGENT/STATE"
    std::vector<PhraseGrammar::Entry> entries;
  };
  std::string agent;
  PhraseRules rules;
  std::vector<State> states;
  /// Words that no dictionary has, in ARPAbet: "invisalign" -> "IH N V IH S AH L AY N".
  std::map<std::string, std::string> pronunciations;
};

}  // namespace voxgate::vendors
