#pragma once
// Everything the recogniser knows about its agents: compiled grammars, language models and the dictionary cut to size.
// Immutable once made, shared by the decoders that were made from it.

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "engines/memory_file.hpp"
#include "voxgate/engines/recogniser.hpp"
#include "voxgate/vendors/agent_speech.hpp"
#include "voxgate/vendors/phrase_grammar.hpp"

namespace voxgate::engines {

/// One grammar, ready for a decoder.
struct SpeechGrammar {
  std::string key;  // unique in the process: names the search in a decoder
  std::string jsgf;
  vendors::PhraseGrammar phrases;
  bool in_domain = true;  // the agent's trigram model has all of its words, so the gate applies
};

struct AgentKnowledge {
  std::string name;
  vendors::PhraseRules rules;
  std::map<std::string, std::shared_ptr<const SpeechGrammar>> grammars;  // by state
  std::shared_ptr<const SpeechGrammar> everything;                       // all states together
  std::set<std::string> vocabulary;
  MemoryFile model;  // ARPA
};

class Knowledge {
 public:
  /// Throws std::runtime_error with one line.
  Knowledge(const RecogniserConfig& config, std::vector<vendors::AgentSpeech> agents);

  const AgentKnowledge* agent(const std::string& name) const;
  const std::map<std::string, std::unique_ptr<AgentKnowledge>>& agents() const { return agents_; }
  const MemoryFile& dictionary() const { return dictionary_; }
  bool has_word(const std::string& word) const { return words_.contains(word); }

  /// The grammar for what the dialog expects: by name, else from its phrases, else by its kind, else everything. A
  /// problem with phrases (unknown words, broken patterns) is told in `warning` and the next best is taken.
  std::shared_ptr<const SpeechGrammar> grammar_for(const AgentKnowledge& agent, const vendors::Expectation& expectation,
                                                   std::string& warning) const;

 private:
  void add_agent(const RecogniserConfig& config, vendors::AgentSpeech speech);
  void cut_dictionary(const std::string& path, const std::map<std::string, std::string>& pronunciations);
  void require_words(const std::vector<vendors::AgentSpeech>& agents) const;

  std::map<std::string, std::unique_ptr<AgentKnowledge>> agents_;
  std::set<std::string> wanted_;
  std::unordered_set<std::string> words_;
  MemoryFile dictionary_;
};

}  // namespace voxgate::engines
