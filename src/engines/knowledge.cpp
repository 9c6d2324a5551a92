#include "engines/knowledge.hpp"

#include <fstream>
#include <functional>
#include <stdexcept>

#include "engines/trigram_model.hpp"
#include "voxgate/base/text.hpp"

namespace voxgate::engines {

using vendors::AgentSpeech;
using vendors::AnswerKind;
using vendors::Expectation;
using vendors::PhraseError;
using vendors::PhraseGrammar;
using vendors::PhraseRules;

namespace {

/// Abbreviations that the model's dictionary would read as words.
const std::map<std::string, std::string>& own_pronunciations() {
  static const std::map<std::string, std::string> words = {{"am", "EY EH M"}, {"pm", "P IY EH M"}};
  return words;
}

/// What every dialog may expect without having a grammar of its own for it.
std::string pattern_of(AnswerKind kind, int digits) {
  switch (kind) {
    case AnswerKind::yes_no:
      return "{yes_no}";
    case AnswerKind::digits: {
      if (digits <= 0 || digits > 20) return "{digits}";
      std::string out;
      for (int i = 0; i < digits; ++i) out += "<digit> ";
      return out;
    }
    case AnswerKind::date_time:
      return "[on] {day} [at {time}] | [at] {time} [on {day}]";
    case AnswerKind::name:
      return "[my name is | it's | this is] {name} [{last:name}]";
    case AnswerKind::spelled:
      return "{letters}";
    case AnswerKind::free:
    case AnswerKind::choice:
      break;
  }
  return "";
}

PhraseGrammar compile_or_throw(const std::string& agent, const PhraseRules& rules,
                               std::vector<PhraseGrammar::Entry> entries) {
  auto made = PhraseGrammar::compile(rules, std::move(entries));
  if (const auto* error = std::get_if<PhraseError>(&made)) {
    throw std::runtime_error("agent '" + agent + "': " + error->to_string());
  }
  return std::get<PhraseGrammar>(std::move(made));
}

std::shared_ptr<SpeechGrammar> make_grammar(std::string key, PhraseGrammar phrases) {
  auto out = std::make_shared<SpeechGrammar>();
  out->key = std::move(key);
  out->jsgf = phrases.to_jsgf("g");
  out->phrases = std::move(phrases);
  return out;
}

}  // namespace

Knowledge::Knowledge(const RecogniserConfig& config, std::vector<AgentSpeech> agents) {
  std::map<std::string, std::string> pronunciations = own_pronunciations();
  // The built-in kinds of answers work for every agent, even without a state that names them.
  const PhraseRules builtin;
  for (const AnswerKind kind :
       {AnswerKind::yes_no, AnswerKind::digits, AnswerKind::date_time, AnswerKind::name, AnswerKind::spelled}) {
    const auto grammar = compile_or_throw("built-in", builtin, {{"kind", pattern_of(kind, 0), ""}});
    for (const std::string& word : grammar.vocabulary()) wanted_.insert(word);
  }
  for (const AgentSpeech& speech : agents) {
    for (const auto& [word, phones] : speech.pronunciations) pronunciations[text::to_lower(word)] = phones;
  }
  const std::vector<AgentSpeech> copy = agents;
  for (AgentSpeech& speech : agents) add_agent(config, std::move(speech));
  cut_dictionary(config.model_dir + "/cmudict-en-us.dict", pronunciations);
  require_words(copy);
}

void Knowledge::add_agent(const RecogniserConfig& config, AgentSpeech speech) {
  auto agent = std::make_unique<AgentKnowledge>();
  agent->name = speech.agent;
  agent->rules = speech.rules;
  std::vector<PhraseGrammar::Entry> all;
  std::set<std::string> seen;
  for (const AgentSpeech::State& state : speech.states) {
    if (state.entries.empty()) continue;
    agent->grammars[state.name] =
        make_grammar(speech.agent + "/" + state.name, compile_or_throw(speech.agent, speech.rules, state.entries));
    for (const PhraseGrammar::Entry& entry : state.entries) {
      if (seen.insert(entry.pattern).second) all.push_back(entry);
    }
  }
  if (all.empty()) throw std::runtime_error("agent '" + speech.agent + "': no phrases, so nothing could be understood");
  PhraseGrammar everything = compile_or_throw(speech.agent, speech.rules, all);
  agent->vocabulary = everything.vocabulary();
  wanted_.insert(agent->vocabulary.begin(), agent->vocabulary.end());
  const std::vector<std::string> vocabulary(agent->vocabulary.begin(), agent->vocabulary.end());
  agent->model = MemoryFile("voxgate-trigram", trigram_arpa(everything.sample(config.model_sentences, 1), vocabulary));
  agent->everything = make_grammar(speech.agent + "/*", std::move(everything));
  const std::string name = agent->name;
  if (!agents_.emplace(name, std::move(agent)).second) {
    throw std::runtime_error("agent '" + name + "' is there twice");
  }
}

void Knowledge::cut_dictionary(const std::string& path, const std::map<std::string, std::string>& pronunciations) {
  std::ifstream in(path);
  if (!in) throw std::runtime_error("the recogniser's dictionary is not there: " + path);
  std::string out, line;
  const auto add = [&](const std::string& word, std::string_view entry, std::string_view phones) {
    words_.insert(word);
    out.append(entry).append(" ").append(phones).append("\n");
  };
  while (std::getline(in, line)) {
    const std::size_t space = line.find(' ');
    if (space == std::string::npos) continue;
    const std::string_view entry(line.data(), space);
    const std::string word(entry.substr(0, entry.find('(')));
    if (!wanted_.contains(word) || pronunciations.contains(word)) continue;
    add(word, entry, std::string_view(line).substr(space + 1));
  }
  for (const auto& [word, phones] : pronunciations) {
    if (wanted_.contains(word)) add(word, word, phones);
  }
  dictionary_ = MemoryFile("voxgate-dictionary", out);
}

void Knowledge::require_words(const std::vector<AgentSpeech>& agents) const {
  for (const AgentSpeech& speech : agents) {
    const PhraseGrammar& phrases = agents_.at(speech.agent)->everything->phrases;
    for (const std::string& word : agents_.at(speech.agent)->vocabulary) {
      if (words_.contains(word)) continue;
      const auto* entry = phrases.entry_using(word);
      throw std::runtime_error("agent '" + speech.agent + "': the word '" + word + "' in " +
                               (entry == nullptr ? "a phrase" : entry->place + " (\"" + entry->pattern + "\")") +
                               " is not in the dictionary; spell it as words or give it an entry in 'pronunciations'");
    }
  }
}

const AgentKnowledge* Knowledge::agent(const std::string& name) const {
  const auto it = agents_.find(name);
  return it == agents_.end() ? nullptr : it->second.get();
}

std::shared_ptr<const SpeechGrammar> Knowledge::grammar_for(const AgentKnowledge& agent, const Expectation& expectation,
                                                            std::string& warning) const {
  if (!expectation.grammar.empty()) {
    const std::size_t slash = expectation.grammar.find('/');
    const std::string state = slash == std::string::npos ? expectation.grammar : expectation.grammar.substr(slash + 1);
    const auto it = agent.grammars.find(state);
    if (it != agent.grammars.end()) return it->second;
    if (state != "digits" && state != "yes_no") warning = "no grammar is named '" + expectation.grammar + "'";
  }
  std::vector<PhraseGrammar::Entry> entries;
  for (const std::string& phrase : expectation.phrases) entries.push_back({phrase, phrase, "expected phrase"});
  AnswerKind kind = expectation.kind;
  if (expectation.grammar == "digits") kind = AnswerKind::digits;
  if (expectation.grammar == "yes_no") kind = AnswerKind::yes_no;
  const std::string builtin = pattern_of(kind, expectation.digits);
  if (!builtin.empty()) entries.push_back({to_string(kind), builtin, ""});
  if (entries.empty()) return agent.everything;

  auto made = PhraseGrammar::compile(agent.rules, entries);
  if (const auto* error = std::get_if<PhraseError>(&made)) {
    warning = error->to_string();
    return agent.everything;
  }
  auto& phrases = std::get<PhraseGrammar>(made);
  bool in_domain = true;
  for (const std::string& word : phrases.vocabulary()) {
    if (!has_word(word)) {
      warning = "the word '" + word + "' is not in the dictionary";
      return agent.everything;
    }
    in_domain = in_domain && agent.vocabulary.contains(word);
  }
  std::string all;
  for (const auto& entry : entries) all += entry.pattern + "|";
  auto grammar = make_grammar(agent.name + "/#" + std::to_string(std::hash<std::string>{}(all)), std::move(phrases));
  grammar->in_domain = in_domain;
  return grammar;
}

}  // namespace voxgate::engines
