#include "gateway/settings_reader.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "gateway/json_lines.hpp"
#include "voxgate/base/text.hpp"

namespace voxgate::gateway {

using nlohmann::json;
using settings::Meta;
using settings::Problem;

namespace {

std::string short_number(double v) {
  std::ostringstream out;
  out << v;
  return out.str();
}

std::string range_text(const Meta& meta) {
  const bool low = std::isfinite(meta.min), high = std::isfinite(meta.max);
  if (low && high) return "from " + short_number(meta.min) + " to " + short_number(meta.max);
  return low ? "at least " + short_number(meta.min) : "at most " + short_number(meta.max);
}

const char* type_name(const json& value) {
  switch (value.type()) {
    case json::value_t::string:
      return "a string";
    case json::value_t::boolean:
      return "a boolean";
    case json::value_t::number_float:
      return "a number with a fraction";
    case json::value_t::number_integer:
    case json::value_t::number_unsigned:
      return "a number";
    case json::value_t::array:
      return "a list";
    case json::value_t::object:
      return "an object";
    default:
      return "null";
  }
}

}  // namespace

bool parse_settings(const std::string& text, json& out, std::vector<Problem>& problems) {
  try {
    out = json::parse(text, nullptr, true, true);
  } catch (const json::parse_error& error) {
    std::string what = error.what();
    const std::size_t colon = what.find(": ", what.find("column"));
    if (colon != std::string::npos) what = what.substr(colon + 2);
    problems.push_back({"", line_of(text, error.byte == 0 ? 0 : error.byte - 1), "not JSON: " + what});
    return false;
  }
  if (!out.is_object()) {
    problems.push_back({"", 1, "must be an object"});
    return false;
  }
  return true;
}

SettingsReader::SettingsReader(const json& root, std::map<std::string, int> lines, std::vector<Problem>& problems)
    : lines_(std::move(lines)), problems_(problems) {
  levels_.push_back({&root, "", {}});
}

void SettingsReader::finish() {
  check_unknown(levels_.front());
}

std::string SettingsReader::path_of(std::string_view key) const {
  const std::string& parent = levels_.back().path;
  return parent.empty() ? std::string(key) : parent + '.' + std::string(key);
}

void SettingsReader::problem(const std::string& path, std::string message) {
  const auto line = lines_.find(path);
  problems_.push_back({path, line == lines_.end() ? 0 : line->second, std::move(message)});
}

void SettingsReader::check_unknown(const Level& level) {
  if (level.object == nullptr) return;
  for (const auto& [key, value] : level.object->items()) {
    if (std::find(level.known.begin(), level.known.end(), key) != level.known.end()) continue;
    std::string message = "unknown key";
    if (const auto meant = text::nearest(key, level.known)) message += "; did you mean '" + *meant + "'?";
    problem(level.path.empty() ? key : level.path + '.' + key, message);
  }
}

const json* SettingsReader::find(std::string_view key) {
  Level& level = levels_.back();
  level.known.emplace_back(key);
  if (level.object == nullptr) return nullptr;
  const auto it = level.object->find(std::string(key));
  return it == level.object->end() ? nullptr : &*it;
}

bool SettingsReader::enter(std::string_view key, std::string_view) {
  const json* value = find(key);
  const std::string path = path_of(key);
  if (value != nullptr && !value->is_object()) {
    problem(path, std::string("must be an object, is ") + type_name(*value));
    value = nullptr;
  }
  levels_.push_back({value, path, {}});
  return true;
}

void SettingsReader::leave() {
  check_unknown(levels_.back());
  levels_.pop_back();
}

void SettingsReader::field(std::string_view key, bool& value, const Meta&) {
  const json* found = find(key);
  if (found == nullptr) return;
  if (!found->is_boolean()) return problem(path_of(key), std::string("must be true or false, is ") + type_name(*found));
  value = found->get<bool>();
}

template <class Number>
void SettingsReader::number(std::string_view key, Number& value, const Meta& meta, bool whole) {
  const json* found = find(key);
  if (found == nullptr) return;
  const bool fits = whole ? found->is_number_integer() : found->is_number();
  if (!fits) {
    return problem(path_of(key),
                   std::string(whole ? "must be a whole number, is " : "must be a number, is ") + type_name(*found));
  }
  const double v = found->get<double>();
  if (v < meta.min || v > meta.max) {
    return problem(path_of(key), "must be " + range_text(meta) + ", is " + found->dump());
  }
  value = found->get<Number>();
}

void SettingsReader::field(std::string_view key, std::int64_t& value, const Meta& meta) {
  number(key, value, meta, true);
}
void SettingsReader::field(std::string_view key, double& value, const Meta& meta) {
  number(key, value, meta, false);
}

// Replaces ${NAME} by the environment and "file:/path" by the file's first line.
std::string SettingsReader::substitute(const std::string& path, const std::string& text) {
  if (text.starts_with("file:")) {
    std::ifstream file(text.substr(5));
    std::string line;
    if (!file || !std::getline(file, line)) {
      problem(path, "cannot read the file it names: " + text.substr(5));
      return {};
    }
    return std::string(text::trim(line));
  }
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t open = text.find("${", at);
    out += text.substr(at, open - at);
    if (open == std::string::npos) break;
    const std::size_t close = text.find('}', open);
    if (close == std::string::npos) {
      problem(path, "'${' without '}'");
      return {};
    }
    const std::string name = text.substr(open + 2, close - open - 2);
    const char* value = std::getenv(name.c_str());
    if (value == nullptr) {
      problem(path, "environment variable " + name + " is not set");
      return {};
    }
    out += value;
    at = close + 1;
  }
  return out;
}

void SettingsReader::field(std::string_view key, std::string& value, const Meta& meta) {
  const json* found = find(key);
  if (found == nullptr) return;
  const std::string path = path_of(key);
  if (!found->is_string()) return problem(path, std::string("must be a string, is ") + type_name(*found));
  value = substitute(path, found->get<std::string>());
  if (meta.choices.empty() || std::find(meta.choices.begin(), meta.choices.end(), value) != meta.choices.end()) return;
  std::string choices;
  for (const std::string& choice : meta.choices) choices += (choices.empty() ? "" : ", ") + choice;
  std::string message = "must be one of " + choices;
  if (const auto meant = text::nearest(value, meta.choices)) message += "; did you mean '" + *meant + "'?";
  problem(path, message);
}

void SettingsReader::field(std::string_view key, std::vector<std::string>& value, const Meta&) {
  const json* found = find(key);
  if (found == nullptr) return;
  const std::string path = path_of(key);
  if (!found->is_array()) return problem(path, std::string("must be a list of strings, is ") + type_name(*found));
  value.clear();
  for (std::size_t i = 0; i < found->size(); ++i) {
    const std::string element = path + '[' + std::to_string(i) + ']';
    if (!(*found)[i].is_string()) {
      problem(element, std::string("must be a string, is ") + type_name((*found)[i]));
    } else {
      value.push_back(substitute(element, (*found)[i].get<std::string>()));
    }
  }
}

void SettingsReader::field(std::string_view key, std::vector<std::pair<std::string, std::string>>& value, const Meta&) {
  const json* found = find(key);
  if (found == nullptr) return;
  const std::string path = path_of(key);
  if (!found->is_object()) return problem(path, std::string("must be an object, is ") + type_name(*found));
  value.clear();
  for (const auto& [name, text] : found->items()) {
    if (!text.is_string()) {
      problem(path + '.' + name, std::string("must be a string, is ") + type_name(text));
    } else {
      value.emplace_back(name, substitute(path + '.' + name, text.get<std::string>()));
    }
  }
}

void SettingsReader::raw(std::string_view key, std::string& json_text, const Meta&) {
  const json* found = find(key);
  if (found == nullptr) return;
  if (!found->is_object()) return problem(path_of(key), std::string("must be an object, is ") + type_name(*found));
  json_text = found->dump();
}

namespace {

class SettingsWriter final : public settings::Visitor {
 public:
  explicit SettingsWriter(bool with_comments) : comments_(with_comments) {}
  std::string take() { return "{" + out_ + "\n}\n"; }

  using settings::Visitor::field;
  bool enter(std::string_view key, std::string_view doc) override {
    begin(key, Meta{std::string(doc)});
    out_ += '{';
    ++depth_;
    first_ = true;
    return true;
  }
  void leave() override {
    --depth_;
    out_ += '\n' + indent() + '}';
    first_ = false;
  }
  void field(std::string_view key, bool& v, const Meta& m) override { put(key, v ? "true" : "false", m); }
  void field(std::string_view key, std::int64_t& v, const Meta& m) override { put(key, std::to_string(v), m); }
  void field(std::string_view key, double& v, const Meta& m) override { put(key, json(v).dump(), m); }
  void field(std::string_view key, std::string& v, const Meta& m) override {
    put(key, quoted(m.secret && !v.empty() ? "********" : v), m);
  }
  void field(std::string_view key, std::vector<std::string>& v, const Meta& m) override {
    std::string list;
    for (const std::string& s : v) list += (list.empty() ? "" : ", ") + quoted(m.secret ? "********" : s);
    put(key, '[' + list + ']', m);
  }
  void field(std::string_view key, std::vector<std::pair<std::string, std::string>>& v, const Meta& m) override {
    std::string list;
    for (const auto& [name, value] : v) list += (list.empty() ? "" : ", ") + quoted(name) + ": " + quoted(value);
    put(key, '{' + list + '}', m);
  }
  void raw(std::string_view key, std::string& text, const Meta& m) override { put(key, text.empty() ? "{}" : text, m); }

 private:
  static std::string quoted(std::string_view s) { return '"' + text::json_escape(s) + '"'; }
  std::string indent() const { return std::string(2 * depth_, ' '); }
  void begin(std::string_view key, const Meta& meta) {
    if (!first_) out_ += ',';
    first_ = false;
    if (comments_ && !meta.doc.empty()) {
      std::string range;
      if (std::isfinite(meta.min) || std::isfinite(meta.max)) range = " (" + range_text(meta) + ")";
      out_ += "\n" + indent() + "// " + meta.doc + range;
    }
    out_ += '\n' + indent() + quoted(key) + ": ";
  }
  void put(std::string_view key, const std::string& value, const Meta& meta) {
    begin(key, meta);
    out_ += value;
  }
  bool comments_;
  bool first_ = true;
  std::size_t depth_ = 1;
  std::string out_;
};

}  // namespace

std::string write_settings(const std::function<void(settings::Visitor&)>& describe, bool with_comments) {
  SettingsWriter writer(with_comments);
  describe(writer);
  return writer.take();
}

}  // namespace voxgate::gateway
