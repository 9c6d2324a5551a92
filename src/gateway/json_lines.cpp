#include "gateway/json_lines.hpp"

#include <algorithm>
#include <vector>

#include "voxgate/base/json_cursor.hpp"

namespace voxgate::gateway {
namespace {

struct Scanner {
  std::string_view text;
  std::map<std::string, int>& lines;
  std::size_t at = 0;
  int line = 1;

  void advance() {
    if (text[at++] == '\n') ++line;
  }
  void space() {
    while (at < text.size()) {
      if (text.substr(at, 2) == "//") {
        while (at < text.size() && text[at] != '\n') advance();
      } else if (text.substr(at, 2) == "/*") {
        while (at < text.size() && text.substr(at, 2) != "*/") advance();
        for (int i = 0; i < 2 && at < text.size(); ++i) advance();
      } else if (text[at] == ' ' || text[at] == '\t' || text[at] == '\r' || text[at] == '\n') {
        advance();
      } else {
        return;
      }
    }
  }
  std::string string() {
    const std::size_t from = ++at;
    while (at < text.size() && text[at] != '"') {
      if (text[at] == '\\') advance();
      if (at < text.size()) advance();
    }
    std::string out = JsonCursor::unescape(text.substr(from, at - from));
    if (at < text.size()) ++at;
    return out;
  }
  void value(const std::string& path, int depth) {
    space();
    if (at >= text.size() || depth > 64) return;
    if (text[at] == '"') {
      string();
    } else if (text[at] == '{' || text[at] == '[') {
      members(path, text[at] == '{', depth);
    } else {
      while (at < text.size() && text[at] != ',' && text[at] != '}' && text[at] != ']') advance();
    }
  }
  void members(const std::string& path, bool object, int depth) {
    const char close = object ? '}' : ']';
    ++at;
    for (int index = 0; at < text.size(); ++index) {
      space();
      if (at >= text.size()) return;
      if (text[at] == close) {
        ++at;
        return;
      }
      const int here = line;
      std::string child = path + '[' + std::to_string(index) + ']';
      if (object) {
        if (text[at] != '"') return;
        const std::string key = string();
        child = path.empty() ? key : path + '.' + key;
        space();
        if (at < text.size() && text[at] == ':') ++at;
      }
      lines.emplace(child, here);
      const std::size_t before = at;
      value(child, depth + 1);
      space();
      if (at < text.size() && text[at] == ',') {
        ++at;
      } else if (at == before) {
        return;
      }
    }
  }
};

}  // namespace

std::map<std::string, int> json_lines(std::string_view text) {
  std::map<std::string, int> lines;
  Scanner scanner{text, lines};
  scanner.value("", 0);
  return lines;
}

int line_of(std::string_view text, std::size_t offset) {
  offset = std::min(offset, text.size());
  return 1 + static_cast<int>(std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(offset), '\n'));
}

}  // namespace voxgate::gateway
