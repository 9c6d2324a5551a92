#include "voxgate/dialog/speech_splitter.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>

#include "voxgate/base/text.hpp"
#include "voxgate/dialog/speech_normaliser.hpp"

namespace voxgate::dialog {

namespace {

/// Never the end of a sentence.
constexpr std::array<std::string_view, 18> kTitles = {"dr", "mr",  "mrs",    "ms",  "prof", "st",   "vs",  "e.g", "i.e",
                                                      "no", "fig", "approx", "gen", "rev",  "capt", "sgt", "jr",  "sr"};
/// The end of a sentence only if a capital follows.
constexpr std::array<std::string_view, 22> kMaybe = {"a.m", "p.m",  "etc", "inc", "ltd", "co",  "corp", "u.s",
                                                     "u.k", "jan",  "feb", "mar", "apr", "jun", "jul",  "aug",
                                                     "sep", "sept", "oct", "nov", "dec", "dept"};

bool is_space(char c) {
  return c == ' ' || c == '\n';
}
bool is_closing(char c) {
  return c == '"' || c == '\'' || c == ')' || c == ']';
}

template <std::size_t N>
bool contains(const std::array<std::string_view, N>& list, std::string_view word) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

std::size_t count_words(std::string_view s) {
  std::size_t n = 0;
  bool inside = false;
  for (const char c : s) {
    if (is_space(c)) {
      inside = false;
    } else if (!std::exchange(inside, true)) {
      ++n;
    }
  }
  return n;
}

}  // namespace

std::vector<SpeechPiece> SpeechSplitter::push(std::string_view written, Instant now) {
  written_.append(written);
  last_push_ = now;
  cleaner_.push(written, now, clean_);
  return collect(now, false, false);
}

std::vector<SpeechPiece> SpeechSplitter::poll(Instant now) {
  cleaner_.poll(now, clean_);
  return collect(now, now - last_push_ >= config_.quiet, false);
}

std::vector<SpeechPiece> SpeechSplitter::finish() {
  cleaner_.finish(clean_);
  auto out = collect(last_push_, true, true);
  *this = SpeechSplitter(config_);
  return out;
}

std::vector<SpeechPiece> SpeechSplitter::collect(Instant now, bool quiet, bool last) {
  std::vector<SpeechPiece> out;
  if (!began_ && !clean_.empty()) {
    began_ = true;
    began_at_ = now;
  }
  while (!clean_.empty()) {
    const std::size_t bytes = next_cut(now, quiet);
    if (bytes == 0) break;
    cut(bytes, out, false);
  }
  if (last) cut(clean_.text.size(), out, true);
  return out;
}

std::size_t SpeechSplitter::next_cut(Instant now, bool quiet) const {
  return first_ ? first_cut(now, quiet) : sentence_cut(quiet);
}

/// A sentence of any length, else a clause that is long enough, else a number of characters or a time.
std::size_t SpeechSplitter::first_cut(Instant now, bool quiet) const {
  const std::string& s = clean_.text;
  std::size_t last_space = 0;
  for (std::size_t i = 0; i < s.size(); ++i) {
    std::size_t after = 0;
    if (ends_sentence(i, quiet, after)) return after;
    if (ends_clause(i, after) && after >= config_.first_min_chars &&
        count_words(std::string_view(s).substr(0, after)) >= config_.first_min_words) {
      return after;
    }
    if (is_space(s[i])) last_space = i;
    if (i + 1 >= config_.first_max_chars && last_space != 0) return last_space + 1;
  }
  const bool waited = now - began_at_ >= config_.first_max_wait;
  if (waited && last_space + 1 >= config_.first_min_chars &&
      count_words(std::string_view(s).substr(0, last_space)) >= config_.first_min_words) {
    return last_space + 1;
  }
  return 0;
}

std::size_t SpeechSplitter::sentence_cut(bool quiet) const {
  const std::string& s = clean_.text;
  std::size_t clause = 0, space = 0, short_sentence = 0;
  for (std::size_t i = 0; i < s.size(); ++i) {
    std::size_t after = 0;
    if (ends_sentence(i, quiet, after)) {
      if (after >= config_.min_chars) return after;
      short_sentence = after;
    } else if (ends_clause(i, after)) {
      clause = after;
    }
    if (is_space(s[i])) space = i + 1;
    const bool between = i + 1 == s.size() || (static_cast<unsigned char>(s[i + 1]) & 0xC0) != 0x80;  // characters
    if (i + 1 >= config_.max_chars && between) return clause > config_.min_chars ? clause : space != 0 ? space : i + 1;
  }
  // The model has gone quiet behind a short sentence: nothing to wait for.
  return quiet && short_sentence == s.size() ? short_sentence : 0;
}

/// `at` is a mark that ends a sentence; `after` is then where the next one begins. Behind the mark another token must
/// have come, or the model must have been quiet.
bool SpeechSplitter::ends_sentence(std::size_t at, bool quiet, std::size_t& after) const {
  const std::string& s = clean_.text;
  if (s[at] == '\n') {
    if (at == 0) return false;
    after = at + 1;
    return true;
  }
  if (s[at] != '.' && s[at] != '?' && s[at] != '!') return false;
  std::size_t next = at + 1;
  while (next < s.size() && (s[next] == '.' || s[next] == '?' || s[next] == '!')) ++next;
  while (next < s.size() && is_closing(s[next])) ++next;
  std::size_t token = next;
  while (token < s.size() && is_space(s[token])) ++token;
  if (token == s.size() ? !quiet : token == next) return false;
  after = token;
  if (s[at] != '.' || (at + 1 < s.size() && s[at + 1] == '.')) return true;

  std::size_t begin = at;
  while (begin > 0 && !is_space(s[begin - 1]) && !is_closing(s[begin - 1]) && s[begin - 1] != '(') --begin;
  const std::string word = text::to_lower(std::string_view(s).substr(begin, at - begin));
  if (token == s.size()) return !contains(kTitles, word);
  const bool capital = std::isupper(static_cast<unsigned char>(s[token])) != 0;
  if (contains(kTitles, word)) return word == "no" && capital;  // "No." and "No. 5"
  if (contains(kMaybe, word)) return capital;
  if (word.size() == 1 && std::isupper(static_cast<unsigned char>(s[begin])) != 0 && word != "i")
    return false;  // J. Smith
  const bool number = !word.empty() && std::all_of(word.begin(), word.end(), [](char c) {
    return std::isdigit(static_cast<unsigned char>(c)) != 0;
  });
  const bool starts_line = begin == 0 || s[begin - 1] == '\n';
  return !(number && starts_line);  // "1. First" is an item, not a sentence
}

bool SpeechSplitter::ends_clause(std::size_t at, std::size_t& after) const {
  const std::string& s = clean_.text;
  if (s.compare(at, 3, "\xE2\x80\x94") == 0) {  // em dash
    after = at + 3;
    while (after < s.size() && is_space(s[after])) ++after;
    return after < s.size();
  }
  const bool dash = s[at] == '-' && at > 0 && s[at - 1] == ' ';
  if (s[at] != ',' && s[at] != ';' && s[at] != ':' && !dash) return false;
  if (at + 1 >= s.size() || !is_space(s[at + 1])) return false;
  after = at + 1;
  while (after < s.size() && is_space(s[after])) ++after;
  return after < s.size();
}

void SpeechSplitter::cut(std::size_t bytes, std::vector<SpeechPiece>& out, bool last) {
  std::string plain = clean_.text.substr(0, bytes);
  // Lines inside a piece are heard as a pause.
  while (!plain.empty() && is_space(plain.back())) plain.pop_back();
  std::string joined;
  for (const char c : plain) {
    if (c != '\n') {
      joined += c;
    } else {
      const bool open = !joined.empty() && std::isalnum(static_cast<unsigned char>(joined.back())) != 0;
      joined += open ? ", " : " ";
    }
  }
  const std::size_t end = last                           ? written_begin_ + written_.size()
                          : bytes < clean_.origin.size() ? clean_.origin[bytes]
                                                         : clean_.origin[bytes - 1] + 1;
  clean_.text.erase(0, bytes);
  clean_.origin.erase(clean_.origin.begin(), clean_.origin.begin() + static_cast<std::ptrdiff_t>(bytes));
  if (joined.empty()) return;
  SpeechPiece piece;
  piece.spoken = config_.normalise ? normalise_for_speech(joined) : joined;
  piece.begin = written_begin_;
  piece.end = std::max(end, written_begin_);
  piece.written = written_.substr(0, piece.end - piece.begin);
  written_.erase(0, piece.end - piece.begin);
  written_begin_ = piece.end;
  first_ = false;
  out.push_back(std::move(piece));
}

}  // namespace voxgate::dialog
