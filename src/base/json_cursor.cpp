#include "voxgate/base/json_cursor.hpp"

#include <charconv>
#include <cstring>

namespace voxgate {
namespace {

void append_utf8(std::string& out, std::uint32_t c) {
  if (c < 0x80) {
    out += static_cast<char>(c);
  } else if (c < 0x800) {
    out += static_cast<char>(0xC0 | c >> 6);
    out += static_cast<char>(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    out += static_cast<char>(0xE0 | c >> 12);
    out += static_cast<char>(0x80 | (c >> 6 & 0x3F));
    out += static_cast<char>(0x80 | (c & 0x3F));
  } else {
    out += static_cast<char>(0xF0 | c >> 18);
    out += static_cast<char>(0x80 | (c >> 12 & 0x3F));
    out += static_cast<char>(0x80 | (c >> 6 & 0x3F));
    out += static_cast<char>(0x80 | (c & 0x3F));
  }
}

// Reads four hex digits at s[i]; -1 if they are not there.
std::int32_t hex4(std::string_view s, std::size_t i) {
  if (i + 4 > s.size()) return -1;
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(s.data() + i, s.data() + i + 4, value, 16);
  if (error != std::errc() || end != s.data() + i + 4) return -1;
  return static_cast<std::int32_t>(value);
}

bool is_space(char c) {
  return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

}  // namespace

bool JsonCursor::fail() {
  ok_ = false;
  p_ = end_;
  return false;
}

void JsonCursor::space() {
  while (p_ != end_ && is_space(*p_)) ++p_;
}

JsonCursor::Kind JsonCursor::peek() {
  space();
  if (p_ == end_) return Kind::none;
  switch (*p_) {
    case '{':
      return Kind::object;
    case '[':
      return Kind::array;
    case '"':
      return Kind::string;
    case 't':
    case 'f':
      return Kind::boolean;
    case 'n':
      return Kind::null;
    default:
      return (*p_ == '-' || (*p_ >= '0' && *p_ <= '9')) ? Kind::number : Kind::none;
  }
}

bool JsonCursor::open(char c) {
  space();
  if (p_ == end_ || *p_ != c || depth_ >= kMaxDepth) return fail();
  ++p_;
  ++depth_;
  first_ = true;
  return true;
}

bool JsonCursor::enter_object() {
  return open('{');
}
bool JsonCursor::enter_array() {
  return open('[');
}

// Steps to the next member: false at the closing bracket, which is consumed.
bool JsonCursor::next(char close) {
  space();
  if (p_ == end_) return fail();
  if (*p_ == close) {
    ++p_;
    --depth_;
    first_ = false;
    return false;
  }
  if (!first_) {
    if (*p_ != ',') return fail();
    ++p_;
    space();
    if (p_ == end_ || *p_ == close) return fail();
  }
  first_ = false;
  return true;
}

bool JsonCursor::next_key(std::string_view& key) {
  if (!ok_ || !next('}')) return false;
  bool escaped;
  if (!raw_string(key, escaped)) return false;
  space();
  if (p_ == end_ || *p_ != ':') return fail();
  ++p_;
  return true;
}

bool JsonCursor::next_element() {
  return ok_ && next(']');
}

bool JsonCursor::raw_string(std::string_view& raw, bool& escaped) {
  space();
  if (p_ == end_ || *p_ != '"') return fail();
  const char* from = ++p_;
  for (;;) {
    const auto* quote = static_cast<const char*>(std::memchr(p_, '"', static_cast<std::size_t>(end_ - p_)));
    if (quote == nullptr) return fail();
    const char* slash = quote;
    while (slash != from && slash[-1] == '\\') --slash;
    p_ = quote + 1;
    if ((quote - slash) % 2 != 0) continue;  // an escaped quote
    raw = {from, static_cast<std::size_t>(quote - from)};
    escaped = std::memchr(from, '\\', raw.size()) != nullptr;
    return true;
  }
}

bool JsonCursor::raw_scalar(std::string_view& raw) {
  space();
  const char* from = p_;
  while (p_ != end_ && *p_ != ',' && *p_ != '}' && *p_ != ']' && !is_space(*p_)) {
    const char c = *p_;
    const bool allowed =
        (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || c == '-' || c == '+' || c == '.' || c == 'E';
    if (!allowed) return fail();
    ++p_;
  }
  raw = {from, static_cast<std::size_t>(p_ - from)};
  if (raw.empty()) return fail();
  const char c = raw[0];
  if (c == '-' || (c >= '0' && c <= '9')) return true;
  return raw == "true" || raw == "false" || raw == "null" ? true : fail();
}

bool JsonCursor::string(std::string_view& raw, bool& escaped) {
  if (!ok_) return false;
  if (peek() != Kind::string) return fail();
  return raw_string(raw, escaped);
}

bool JsonCursor::scalar(std::string& out) {
  if (!ok_) return false;
  std::string_view raw;
  bool escaped = false;
  if (peek() == Kind::string) {
    if (!raw_string(raw, escaped)) return false;
  } else if (!raw_scalar(raw)) {
    return false;
  }
  out = escaped ? unescape(raw) : std::string(raw);
  return true;
}

std::optional<std::int64_t> JsonCursor::integer() {
  if (!ok_) return std::nullopt;
  std::string_view raw;
  bool escaped = false;
  switch (peek()) {
    case Kind::string:
      if (!raw_string(raw, escaped)) return std::nullopt;
      break;
    case Kind::number:
      if (!raw_scalar(raw)) return std::nullopt;
      break;
    default:
      skip();
      return std::nullopt;
  }
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(raw.data(), raw.data() + raw.size(), value);
  if (error != std::errc() || end == raw.data()) return std::nullopt;
  if (end != raw.data() + raw.size() && *end != '.') return std::nullopt;
  return value;
}

bool JsonCursor::skip() {
  if (!ok_) return false;
  std::string_view ignored;
  bool escaped;
  switch (peek()) {
    case Kind::string:
      return raw_string(ignored, escaped);
    case Kind::object:
      if (!enter_object()) return false;
      while (next_key(ignored)) {
        if (!skip()) return false;
      }
      return ok_;
    case Kind::array:
      if (!enter_array()) return false;
      while (next_element()) {
        if (!skip()) return false;
      }
      return ok_;
    case Kind::none:
      return fail();
    default:
      return raw_scalar(ignored);
  }
}

bool JsonCursor::at_end() {
  space();
  return ok_ && p_ == end_ && depth_ == 0;
}

std::string JsonCursor::unescape(std::string_view raw) {
  constexpr std::string_view kReplacement = "\xEF\xBF\xBD";
  std::string out;
  out.reserve(raw.size());
  for (std::size_t i = 0; i < raw.size(); ++i) {
    if (raw[i] != '\\') {
      out += raw[i];
      continue;
    }
    if (++i == raw.size()) break;
    switch (raw[i]) {
      case 'n':
        out += '\n';
        break;
      case 't':
        out += '\t';
        break;
      case 'r':
        out += '\r';
        break;
      case 'b':
        out += '\b';
        break;
      case 'f':
        out += '\f';
        break;
      case 'u': {
        const std::int32_t high = hex4(raw, i + 1);
        if (high < 0) {
          out += kReplacement;
          break;
        }
        i += 4;
        if (high < 0xD800 || high > 0xDFFF) {
          append_utf8(out, static_cast<std::uint32_t>(high));
          break;
        }
        const bool pair = high < 0xDC00 && i + 6 < raw.size() && raw[i + 1] == '\\' && raw[i + 2] == 'u';
        const std::int32_t low = pair ? hex4(raw, i + 3) : -1;
        if (low < 0xDC00 || low > 0xDFFF) {
          out += kReplacement;
          break;
        }
        append_utf8(out, 0x10000 + (static_cast<std::uint32_t>(high - 0xD800) << 10) +
                             static_cast<std::uint32_t>(low - 0xDC00));
        i += 6;
        break;
      }
      default:
        out += raw[i];  // quote, backslash, slash
    }
  }
  return out;
}

}  // namespace voxgate
