#include "dialog/prompt_template.hpp"

namespace voxgate::dialog {

std::optional<std::vector<std::string>> template_names(std::string_view text) {
  std::vector<std::string> out;
  for (std::size_t open = text.find('{'); open != std::string_view::npos; open = text.find('{')) {
    const std::size_t close = text.find('}', open);
    if (close == std::string_view::npos || close == open + 1) return std::nullopt;
    out.emplace_back(text.substr(open + 1, close - open - 1));
    text = text.substr(close + 1);
  }
  return out;
}

std::string fill_template(std::string_view text, const std::function<std::string(std::string_view)>& value) {
  std::string out;
  for (;;) {
    const std::size_t open = text.find('{');
    const std::size_t close = open == std::string_view::npos ? open : text.find('}', open);
    if (close == std::string_view::npos) break;
    out += text.substr(0, open);
    out += value(text.substr(open + 1, close - open - 1));
    text = text.substr(close + 1);
  }
  return out.append(text);
}

}  // namespace voxgate::dialog
