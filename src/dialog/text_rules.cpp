#include "voxgate/dialog/text_rules.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <string>
#include <vector>

#include "voxgate/base/text.hpp"

namespace voxgate::dialog {
namespace {

using Words = std::vector<std::string>;

constexpr std::array kUnfinished = std::to_array<std::string_view>(
    {"and",  "but",  "or",   "so",    "because", "cause", "if",    "when",   "while", "that's", "which", "although",
     "then", "than", "um",   "uh",    "er",      "erm",   "hmm",   "well",   "like",  "the",    "a",     "an",
     "to",   "for",  "with", "of",    "at",      "in",    "on",    "from",   "by",    "about",  "into",  "between",
     "my",   "your", "our",  "their", "his",     "her",   "its",   "is",     "are",   "was",    "i",     "i'm",
     "i'd",  "i'll", "we",   "we'd",  "it's",    "as",    "until", "before", "after", "around", "maybe", "let's"});

constexpr std::array kYesNo = std::to_array<std::string_view>(
    {"yes",        "yeah",      "yep",   "yup",   "sure", "okay",   "ok",     "correct", "right",  "exactly",
     "absolutely", "certainly", "no",    "nope",  "nah",  "not",    "never",  "please",  "thanks", "thank",
     "you",        "that's",    "is",    "it",    "of",   "course", "fine",   "good",    "wrong",  "definitely",
     "i",          "do",        "don't", "think", "so",   "great",  "perfect"});

constexpr std::array kPlainAnswer =
    std::to_array<std::string_view>({"yes", "yeah", "yep", "yup", "sure", "okay", "ok", "correct", "right", "exactly",
                                     "absolutely", "certainly", "no", "nope", "nah", "definitely", "wrong", "fine"});

// Longest first, so that "right" does not eat the start of "right now".
constexpr std::array kBackchannels = std::to_array<std::string_view>(
    {"got it", "i see", "all right", "of course", "mm hmm", "mm hm", "uh huh", "mhm", "mm",   "hmm",
     "hm",     "mmm",   "mmhmm",     "uhhuh",     "yeah",   "yep",   "yup",    "yes", "okay", "ok",
     "right",  "sure",  "alright",   "oh",        "ah",     "aha",   "um",     "uh"});

constexpr std::array kInterrupts = std::to_array<std::string_view>(
    {"stop", "wait", "no", "hold on", "actually", "operator", "human", "hang on", "excuse me"});

constexpr std::array kDigitWords = std::to_array<std::string_view>(
    {"zero", "oh", "o", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"});

template <std::size_t N>
bool contains(const std::array<std::string_view, N>& list, std::string_view word) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

bool is_number(std::string_view word) {
  return !word.empty() && std::all_of(word.begin(), word.end(), [](unsigned char c) { return std::isdigit(c) != 0; });
}

/// True if the words of `phrase` stand at `at`.
bool phrase_at(const Words& words, std::size_t at, std::string_view phrase, std::size_t& length) {
  length = 0;
  for (const std::string_view part : text::split(phrase, ' ')) {
    if (at + length >= words.size() || words[at + length] != part) return false;
    ++length;
  }
  return true;
}

template <std::size_t N>
std::size_t longest_phrase_at(const Words& words, std::size_t at, const std::array<std::string_view, N>& phrases) {
  std::size_t longest = 0;
  for (const std::string_view phrase : phrases) {
    std::size_t length = 0;
    if (phrase_at(words, at, phrase, length)) longest = std::max(longest, length);
  }
  return longest;
}

int count_meaningful(const Words& words) {
  int count = 0;
  for (std::size_t i = 0; i < words.size();) {
    const std::size_t skip = longest_phrase_at(words, i, kBackchannels);
    if (skip == 0) ++count;
    i += std::max<std::size_t>(skip, 1);
  }
  return count;
}

int count_trailing_digits(const Words& words) {
  int count = 0;
  for (std::size_t i = words.size(); i-- > 0;) {
    int here = 0;
    if (is_number(words[i])) {
      here = static_cast<int>(words[i].size());
    } else if (contains(kDigitWords, words[i])) {
      here = 1;
      const std::string_view before = i > 0 ? std::string_view(words[i - 1]) : std::string_view();
      if (before == "double" || before == "triple") {
        here = before == "double" ? 2 : 3;
        --i;
      }
    } else {
      break;
    }
    count += here;
  }
  return count;
}

bool last_tokens_are_digits(const Words& words, std::size_t n) {
  return words.size() >= n && std::all_of(words.end() - static_cast<std::ptrdiff_t>(n), words.end(),
                                          [](const auto& w) { return is_number(w) || contains(kDigitWords, w); });
}

Completeness judge_digits(const Words& words, const vendors::Expectation& expected) {
  const int digits = count_trailing_digits(words);
  if (expected.digits > 0) return digits >= expected.digits ? Completeness::complete : Completeness::incomplete;
  return digits > 0 ? Completeness::incomplete : Completeness::neutral;
}

bool is_short_answer(const Words& words) {
  return words.size() <= 5 && contains(kPlainAnswer, words.front()) &&
         std::all_of(words.begin(), words.end(),
                     [](const auto& w) { return contains(kYesNo, w) || contains(kPlainAnswer, w); });
}

}  // namespace

Completeness completeness(std::string_view text, const vendors::Expectation& expected) {
  using vendors::AnswerKind;
  const Words words = text::words(text);
  if (words.empty()) return Completeness::neutral;
  const std::string_view trimmed = text::trim(text);
  const char end = trimmed.back();
  if (end == '?' || end == '!') return Completeness::complete;
  if (expected.kind == AnswerKind::digits || expected.kind == AnswerKind::spelled) {
    const Completeness digits = judge_digits(words, expected);
    if (digits != Completeness::neutral) return digits;
  }
  if (expected.kind == AnswerKind::yes_no && is_short_answer(words)) return Completeness::complete;
  const bool trails_off = trimmed.ends_with("...") || trimmed.ends_with("\u2026") || end == ',';
  if (trails_off || contains(kUnfinished, words.back())) return Completeness::incomplete;
  if (last_tokens_are_digits(words, 3)) return Completeness::incomplete;
  if (end == '.') return Completeness::complete;
  return Completeness::neutral;
}

bool is_backchannel(std::string_view text) {
  const Words words = text::words(text);
  return !words.empty() && count_meaningful(words) == 0;
}

int meaningful_words(std::string_view text) {
  return count_meaningful(text::words(text));
}

bool always_interrupts(std::string_view text) {
  const Words words = text::words(text);
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (longest_phrase_at(words, i, kInterrupts) != 0) return true;
  }
  return false;
}

bool is_echo_of(std::string_view heard, std::string_view being_said, double share) {
  const Words a = text::words(heard), b = text::words(being_said);
  if (a.empty() || b.empty()) return false;
  // Longest common subsequence: in order, gaps allowed (a recogniser drops and mishears words of an echo).
  std::vector<std::size_t> row(b.size() + 1, 0);
  for (const std::string& word : a) {
    std::size_t diagonal = 0;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t above = row[j];
      row[j] = word == b[j - 1] ? diagonal + 1 : std::max(above, row[j - 1]);
      diagonal = above;
    }
  }
  return static_cast<double>(row.back()) >= share * static_cast<double>(a.size());
}

bool same_words(std::string_view a, std::string_view b) {
  return text::words(a) == text::words(b);
}

int trailing_digits(std::string_view text) {
  return count_trailing_digits(text::words(text));
}

}  // namespace voxgate::dialog
