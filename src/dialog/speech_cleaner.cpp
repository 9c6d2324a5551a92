#include "voxgate/dialog/speech_cleaner.hpp"

#include <algorithm>
#include <cctype>

namespace voxgate::dialog {

namespace {

bool is_alnum(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || (static_cast<unsigned char>(c) & 0x80) != 0;
}
bool is_digit(char c) {
  return std::isdigit(static_cast<unsigned char>(c)) != 0;
}
bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

bool is_emoji(std::uint32_t c) {
  return (c >= 0x1F000 && c <= 0x1FBFF) || (c >= 0x2600 && c <= 0x27BF) || (c >= 0x2B00 && c <= 0x2BFF) ||
         (c >= 0xFE00 && c <= 0xFE0F) || c == 0x200D || c == 0x20E3;
}

std::size_t utf8_length(char first) {
  const auto c = static_cast<unsigned char>(first);
  return c < 0x80 ? 1 : c < 0xC0 ? 1 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : c < 0xF8 ? 4 : 1;
}

/// How much of `s` begins like `prefix`; npos if it does not.
bool begins_like(std::string_view s, std::string_view prefix) {
  const std::size_t n = std::min(s.size(), prefix.size());
  return s.substr(0, n) == prefix.substr(0, n);
}

}  // namespace

void SpokenText::add(std::string_view piece, std::size_t from, bool advancing) {
  for (std::size_t i = 0; i < piece.size(); ++i) {
    text += piece[i];
    origin.push_back(static_cast<std::uint32_t>(advancing ? from + i : from));
  }
}

void SpeechCleaner::push(std::string_view written, Instant now, SpokenText& out) {
  if (held_.empty()) held_since_ = now;
  held_.append(written);
  taken_ += written.size();
  const std::size_t before = held_.size();
  run(out, false);
  if (held_.size() != before) held_since_ = now;
}

void SpeechCleaner::poll(Instant now, SpokenText& out) {
  if (!held_.empty() && now - held_since_ >= kMaxHold) {
    run(out, true);
    held_since_ = now;
  }
}

void SpeechCleaner::finish(SpokenText& out) {
  run(out, true);
}

void SpeechCleaner::run(SpokenText& out, bool force) {
  while (!held_.empty()) {
    if (step(out, force) == Step::done) continue;
    if (held_.size() <= kMaxHeldChars) return;
    if (step(out, true) == Step::need_more) return;  // half a UTF-8 character at most
  }
}

void SpeechCleaner::take(std::size_t bytes) {
  before_ = held_[bytes - 1];
  held_.erase(0, bytes);
}

void SpeechCleaner::emit(SpokenText& out, std::size_t bytes) {
  const std::string_view piece(held_.data(), bytes);
  out.add(piece, position(), true);
  said_ = piece.back();
  at_line_start_ = false;
  take(bytes);
}

SpeechCleaner::Step SpeechCleaner::step(SpokenText& out, bool force) {
  const char c = held_[0];
  if (in_fence_) return fence(out, force);
  if (skip_url_ || skip_path_) {
    const bool over = skip_url_ ? c == ')' || c == '\n' : is_space(c);
    if (!over) {
      take(1);
      return Step::done;
    }
    if (skip_url_ && c == ')') take(1);
    skip_url_ = skip_path_ = false;
    return Step::done;
  }
  if (c == '\n') {
    newline(out);
    return Step::done;
  }
  if (at_line_start_) {
    bool handled = false;
    const Step result = line_start(out, force, handled);
    if (handled || result == Step::need_more) return result;
  }
  switch (c) {
    case '\r':
      take(1);
      return Step::done;
    case '\\':
      if (held_.size() < 2 && !force) return Step::need_more;
      take(1);
      if (!held_.empty() && std::ispunct(static_cast<unsigned char>(held_[0])) != 0) emit(out, 1);
      return Step::done;
    case '`':
      return fence(out, force);
    case '|':
      return pipe(out);
    case '[':
      return bracket(out, force, 0);
    case '!':
      if (held_.size() < 2 && !force) return Step::need_more;
      if (held_.size() >= 2 && held_[1] == '[') return bracket(out, force, 1);
      break;
    case '*':
    case '_':
      return emphasis(out, force);
    case '~':
      return struck(out, force);
    case '<':
      return tag(out, force);
    case '#':
    case '>':
      take(1);
      return Step::done;
    default:
      break;
  }
  bool handled = false;
  const Step result = address(out, force, handled);
  if (handled || result == Step::need_more) return result;
  return code_point(out, force);
}

void SpeechCleaner::newline(SpokenText& out) {
  if (said_ != '\n') {
    out.add("\n", position(), true);
    said_ = '\n';
  }
  take(1);
  at_line_start_ = true;
  in_table_ = in_cell_ = false;
}

/// Bullets, headings, quotes, table rows. Spaces at the start of a line are not spoken.
SpeechCleaner::Step SpeechCleaner::line_start(SpokenText&, bool force, bool& handled) {
  const char c = held_[0];
  handled = true;
  if (c == ' ' || c == '\t' || c == '#' || c == '>') {
    take(1);
    return Step::done;
  }
  if (c == '-' || c == '+' || c == '*') {
    if (held_.size() < 2 && !force) return Step::need_more;
    if (held_.size() >= 2 && (held_[1] == ' ' || held_[1] == c)) {  // a bullet, or a rule like ---
      take(1);
      return Step::done;
    }
  }
  if (c == '|') {
    // A row of dashes only separates head and body.
    const std::size_t end = held_.find('\n');
    const std::size_t first_text = held_.find_first_not_of("|-: \t\r\n");
    if (first_text == std::string::npos && end == std::string::npos && !force) return Step::need_more;
    if (first_text == std::string::npos || (end != std::string::npos && first_text > end)) {
      take(end == std::string::npos ? held_.size() : end + 1);
      return Step::done;
    }
    in_table_ = true;
    at_line_start_ = false;
    take(1);
    return Step::done;
  }
  handled = false;
  return Step::done;
}

SpeechCleaner::Step SpeechCleaner::pipe(SpokenText& out) {
  if (in_table_ && in_cell_) {
    // Only between cells: the last one is followed by the end of the line.
    const std::size_t next = held_.find_first_not_of(" \t\r|", 1);
    if (next == std::string::npos && held_.size() < kMaxHeldChars && held_.find('\n') == std::string::npos) {
      return Step::need_more;
    }
    if (next != std::string::npos && held_[next] != '\n') {
      out.add(",", position(), true);
      said_ = ',';
    }
  }
  take(1);
  return Step::done;
}

/// ``` opens or closes a block of code; a single ` is a mark.
SpeechCleaner::Step SpeechCleaner::fence(SpokenText& out, bool force) {
  if (in_fence_) {
    const std::size_t end = held_.find("```");
    if (end == std::string::npos) {
      if (force) {
        take(held_.size());
      } else {
        while (held_.size() > 2) take(1);
      }
      return held_.empty() ? Step::done : Step::need_more;
    }
    take(end + 3);
    in_fence_ = false;
    return Step::done;
  }
  if (begins_like(held_, "```") && held_.size() < 3 && !force) return Step::need_more;
  if (held_.starts_with("```")) {
    out.add(said_ == ' ' || said_ == '\n' ? "code omitted" : " code omitted", position(), false);
    said_ = 'd';
    at_line_start_ = false;
    take(3);
    in_fence_ = true;
    return Step::done;
  }
  take(1);
  return Step::done;
}

/// [text](url), ![alt](url) (`at` is where the bracket is) and [1].
SpeechCleaner::Step SpeechCleaner::bracket(SpokenText& out, bool force, std::size_t at) {
  const std::size_t close = held_.find(']', at);
  const std::size_t line = held_.find('\n', at);
  if (close == std::string::npos || line < close) {
    if (!force && line == std::string::npos) return Step::need_more;
    take(at + 1);  // never closed: the mark alone goes
    return Step::done;
  }
  if (close + 1 == held_.size() && !force) return Step::need_more;
  const bool link = close + 1 < held_.size() && held_[close + 1] == '(';
  const std::size_t first = at + 1;
  const std::string_view inside(held_.data() + first, close - first);
  const bool reference = !link && !inside.empty() && std::all_of(inside.begin(), inside.end(), is_digit);
  if (!inside.empty() && !reference) {
    std::string shown;
    for (const char c : inside)
      if (c != '*' && c != '`') shown += c;
    out.add(shown, position() + first, true);
    if (!shown.empty()) said_ = shown.back();
    at_line_start_ = false;
  }
  take(close + 1);
  if (link) {
    take(1);
    skip_url_ = true;
  }
  return Step::done;
}

SpeechCleaner::Step SpeechCleaner::emphasis(SpokenText& out, bool force) {
  if (held_.size() < 2 && !force) return Step::need_more;
  const char c = held_[0];
  const char next = held_.size() >= 2 ? held_[1] : ' ';
  const bool inside = c == '*' ? is_digit(before_) && is_digit(next) : is_alnum(before_) && is_alnum(next);
  const bool alone = is_space(before_) && is_space(next) && c == '*' && !at_line_start_;  // 2 * 3
  if (inside || alone) {
    emit(out, 1);
  } else {
    take(1);
  }
  return Step::done;
}

SpeechCleaner::Step SpeechCleaner::struck(SpokenText&, bool force) {
  if (held_.size() < 2 && !force) return Step::need_more;
  if (!held_.starts_with("~~")) {
    take(1);
    return Step::done;
  }
  const std::size_t close = held_.find("~~", 2);
  if (close == std::string::npos && !force) return Step::need_more;
  take(close == std::string::npos ? 2 : close + 2);
  return Step::done;
}

SpeechCleaner::Step SpeechCleaner::tag(SpokenText& out, bool force) {
  if (held_.size() < 2 && !force) return Step::need_more;
  const char next = held_.size() >= 2 ? held_[1] : ' ';
  if (std::isalpha(static_cast<unsigned char>(next)) == 0 && next != '/') {
    emit(out, 1);  // less than
    return Step::done;
  }
  const std::size_t close = held_.find('>');
  if (close == std::string::npos && !force) return Step::need_more;
  take(close == std::string::npos ? 1 : close + 1);
  return Step::done;
}

/// https://host/path and www.host/path become the host.
SpeechCleaner::Step SpeechCleaner::address(SpokenText& out, bool force, bool& handled) {
  handled = false;
  if (is_alnum(before_) || (held_[0] != 'h' && held_[0] != 'w')) return Step::done;
  std::size_t scheme = 0;
  for (const std::string_view prefix : {"https://", "http://", "www."}) {
    if (!begins_like(held_, prefix)) continue;
    if (held_.size() < prefix.size()) {
      if (!force) return Step::need_more;
      continue;
    }
    scheme = std::max(scheme, prefix == "www." ? 0 : prefix.size());
    handled = true;
  }
  if (!handled) return Step::done;
  if (begins_like(std::string_view(held_).substr(scheme), "www.")) {
    if (held_.size() < scheme + 4 && !force) return Step::need_more;
    if (held_.size() >= scheme + 4) scheme += 4;
  }
  const std::size_t end = held_.find_first_of("/?#: \t\n\r)", scheme);
  if (end == std::string::npos && !force && held_.size() <= kMaxHeldChars) return Step::need_more;
  std::size_t host_end = end == std::string::npos ? held_.size() : end;
  while (host_end > scheme && std::ispunct(static_cast<unsigned char>(held_[host_end - 1])) != 0)
    --host_end;  // "... a.b."
  const bool path = end != std::string::npos && !is_space(held_[end]) && held_[end] != ')';
  if (host_end > scheme) {
    out.add(std::string_view(held_).substr(scheme, host_end - scheme), position() + scheme, true);
    said_ = held_[host_end - 1];
    at_line_start_ = false;
  }
  take(std::max<std::size_t>(path ? end : host_end, 1));
  skip_path_ = path;
  return Step::done;
}

SpeechCleaner::Step SpeechCleaner::code_point(SpokenText& out, bool force) {
  const std::size_t length = utf8_length(held_[0]);
  if (held_.size() < length) {
    if (!force) return Step::need_more;
    take(held_.size());  // the answer ended inside a character
    return Step::done;
  }
  if (length > 1) {
    std::uint32_t c = static_cast<unsigned char>(held_[0]) & (0x7Fu >> length);
    for (std::size_t i = 1; i < length; ++i) c = c << 6 | (static_cast<unsigned char>(held_[i]) & 0x3Fu);
    if (is_emoji(c)) {
      take(length);
      return Step::done;
    }
  } else if (held_[0] == '\t') {
    held_[0] = ' ';
  }
  if (held_[0] == ' ' && (said_ == ' ' || said_ == '\n')) {
    take(1);
    return Step::done;
  }
  if (in_table_ && held_[0] == ' ') {  // no space before a mark or the end of a row
    if (held_.size() < 2 && !force) return Step::need_more;
    if (held_.size() < 2 || held_[1] == '|' || is_space(held_[1])) {
      take(1);
      return Step::done;
    }
  }
  if (in_table_ && held_[0] != ' ') in_cell_ = true;
  emit(out, length);
  return Step::done;
}

}  // namespace voxgate::dialog
