#pragma once
// The phrase language of agent files: what a caller may say, written as short patterns.
//
//   book [an] appointment        words; square brackets are optional
//   (i want | i'd like) to book  alternatives
//   <please>                     another rule, for its words only
//   {day}                        a slot: the words that the rule `day` matched, and their normalised value
//   {pickup:day}                 the same rule under another slot name
//   ({digit})+                   once or more
//
// Built-in rules: day, weekday, month, ordinal, time, hour, part, number, digit, digits, letter, letters, yes, no,
// yes_no, name (see builtin_rule_names()). One language serves four consumers: the recogniser (JSGF, vocabulary, sample
// sentences for its language model), the dialog (intents and slots), the turn taker ("the sentence is whole") and cloud
// recognisers (key terms).
// Threads: everything here is immutable after construction. No rule may contain itself.

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace voxgate::vendors {

/// What is wrong with a pattern, and where.
struct PhraseError {
  std::string place;       // the rule's or pattern's name as the file calls it
  std::size_t column = 0;  // 1-based position in the pattern; 0: the pattern as a whole
  std::string message;

  std::string to_string() const;
};

/// A slot that was filled.
struct PhraseSlot {
  std::string name;
  std::string value;                // normalised: "friday", "15:30", "4", a list entry's value
  std::string display;              // as an agent would say or write it: "Friday", "3:30 PM"
  std::string words;                // as heard
  std::size_t first = 0, last = 0;  // word positions, last exclusive

  friend bool operator==(const PhraseSlot&, const PhraseSlot&) = default;
};

struct PhraseMatch {
  std::size_t entry = 0;  // index of the pattern that matched
  std::string label;
  std::vector<PhraseSlot> slots;
  std::size_t first = 0, last = 0;  // the words it covers, last exclusive

  const PhraseSlot* slot(std::string_view name) const;
};

/// One of several wordings that mean the same value.
struct PhraseListEntry {
  std::string value;
  std::string pattern;
};

namespace phrase_detail {
struct Node;
struct Rule;
struct Program;
}  // namespace phrase_detail

/// Named rules that patterns may refer to; starts with the built-in ones.
class PhraseRules {
 public:
  PhraseRules();

  /// A rule that is a pattern. Its slots become slots of the pattern that uses it as <name>.
  std::optional<PhraseError> add(const std::string& name, std::string_view pattern);
  /// A rule whose value is the entry that matched. Several entries may share a value.
  std::optional<PhraseError> add_list(const std::string& name, const std::vector<PhraseListEntry>& entries);
  /// Unknown references and rules that contain themselves, in every rule.
  std::optional<PhraseError> check() const;
  bool has(std::string_view name) const;

 private:
  friend class PhraseGrammar;
  std::map<std::string, std::shared_ptr<const phrase_detail::Rule>, std::less<>> rules_;
};

std::vector<std::string> builtin_rule_names();

/// Lower-case words as a recogniser would write them: digits, times and "a.m." become words ("3:30 pm" is "three thirty
/// pm"), so that text from any recogniser or keyboard meets the same patterns.
std::vector<std::string> spoken_words(std::string_view text);

/// Several patterns, compiled together.
class PhraseGrammar {
 public:
  struct Entry {
    std::string label;
    std::string pattern;
    std::string place;  // for error messages; empty: the label
  };

  PhraseGrammar();
  static std::variant<PhraseGrammar, PhraseError> compile(const PhraseRules& rules, std::vector<Entry> entries);

  bool empty() const { return entries_.empty(); }
  std::size_t size() const { return entries_.size(); }

  /// The first entry (in order) that matches all of the words.
  std::optional<PhraseMatch> match(std::span<const std::string> words) const;
  /// The longest stretch of the words that some entry matches; among equals the earliest, then the first entry.
  std::optional<PhraseMatch> find(std::span<const std::string> words) const;
  /// Some sentence of the grammar begins with these words (or is them).
  bool is_prefix(std::span<const std::string> words) const;

  /// JSGF text with one public rule.
  std::string to_jsgf(std::string_view grammar_name) const;
  /// Every word that any sentence can contain.
  std::set<std::string> vocabulary() const;
  /// The entry whose sentences use the word, for messages; nullptr if none does.
  const Entry* entry_using(std::string_view word) const;
  /// Deterministic sample: `count` sentences, entries in turn, alternatives drawn with equal chances.
  std::vector<std::vector<std::string>> sample(std::size_t count, std::uint64_t seed) const;

 private:
  std::vector<Entry> entries_;
  std::vector<std::shared_ptr<const phrase_detail::Node>> nodes_;
  std::map<std::string, std::shared_ptr<const phrase_detail::Rule>, std::less<>> rules_;
  std::shared_ptr<const phrase_detail::Program> program_;
};

}  // namespace voxgate::vendors
