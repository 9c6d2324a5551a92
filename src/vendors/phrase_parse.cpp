// The parser of the phrase language, and the named rules.

#include <cctype>
#include <functional>

#include "vendors/phrase_detail.hpp"
#include "voxgate/base/text.hpp"

namespace voxgate::vendors {

using namespace phrase_detail;

namespace {

bool is_word_char(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '\'' || c == '-';
}

bool is_name_char(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
}

/// Recursive descent; the first error wins and empties the rest.
class Parser {
 public:
  Parser(std::string_view text, const std::string& place) : text_(text), place_(place) {}

  std::variant<NodePtr, PhraseError> run() {
    NodePtr node = choice(0);
    if (!error_ && at_ < text_.size()) fail("unexpected '" + std::string(1, text_[at_]) + "'");
    if (error_) return *error_;
    return node;
  }

 private:
  static constexpr int kMaxDepth = 40;

  void fail(std::string message) {
    if (!error_) error_ = PhraseError{place_, at_ + 1, std::move(message)};
  }
  void skip_space() {
    while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_])) != 0) ++at_;
  }
  bool peek(char c) {
    skip_space();
    return at_ < text_.size() && text_[at_] == c;
  }

  NodePtr choice(int depth) {
    if (depth > kMaxDepth) {
      fail("brackets nested too deep");
      return nullptr;
    }
    auto node = std::make_shared<Node>();
    node->kind = NodeKind::choice;
    node->column = at_ + 1;
    do {
      if (peek('|')) ++at_;
      NodePtr part = sequence(depth);
      if (error_) return nullptr;
      node->children.push_back(std::move(part));
    } while (peek('|'));
    if (node->children.size() == 1) return node->children.front();
    return node;
  }

  NodePtr sequence(int depth) {
    auto node = std::make_shared<Node>();
    node->column = at_ + 1;
    for (skip_space(); at_ < text_.size() && text_[at_] != '|' && text_[at_] != ')' && text_[at_] != ']';
         skip_space()) {
      NodePtr part = item(depth);
      if (error_) return nullptr;
      node->children.push_back(std::move(part));
    }
    if (node->children.empty()) {
      fail("words expected here");
      return nullptr;
    }
    if (node->children.size() == 1) return node->children.front();
    return node;
  }

  NodePtr item(int depth) {
    NodePtr base = primary(depth);
    if (error_ || !peek('+')) return base;
    ++at_;
    auto node = std::make_shared<Node>();
    node->kind = NodeKind::repeat;
    node->column = base->column;
    node->children.push_back(std::move(base));
    return node;
  }

  NodePtr primary(int depth) {
    const char c = text_[at_];
    if (c == '(') return bracket(depth, ')', NodeKind::sequence);
    if (c == '[') return bracket(depth, ']', NodeKind::optional);
    if (c == '<') return reference('>');
    if (c == '{') return reference('}');
    if (is_word_char(c)) return word();
    fail("'" + std::string(1, c) + "' has no meaning in a phrase");
    return nullptr;
  }

  NodePtr bracket(int depth, char close, NodeKind kind) {
    const std::size_t column = at_ + 1;
    ++at_;
    NodePtr inside = choice(depth + 1);
    if (error_) return nullptr;
    if (!peek(close)) {
      at_ = column - 1;
      fail(close == ')' ? "this bracket is not closed with ')'" : "this bracket is not closed with ']'");
      return nullptr;
    }
    ++at_;
    if (kind == NodeKind::sequence) return inside;
    auto node = std::make_shared<Node>();
    node->kind = kind;
    node->column = column;
    node->children.push_back(std::move(inside));
    return node;
  }

  std::string name() {
    const std::size_t from = at_;
    while (at_ < text_.size() && is_name_char(text_[at_])) ++at_;
    return std::string(text_.substr(from, at_ - from));
  }

  NodePtr reference(char close) {
    auto node = std::make_shared<Node>();
    node->kind = NodeKind::reference;
    node->column = at_ + 1;
    ++at_;
    node->text = name();
    if (close == '}') {
      node->slot = node->text;
      if (at_ < text_.size() && text_[at_] == ':') {
        ++at_;
        node->text = name();
      }
    }
    if (node->text.empty() || at_ >= text_.size() || text_[at_] != close) {
      fail(close == '}' ? "a slot is written {rule} or {name:rule}" : "a reference is written <rule>");
      return nullptr;
    }
    ++at_;
    return node;
  }

  NodePtr word() {
    auto node = std::make_shared<Node>();
    node->kind = NodeKind::word;
    node->column = at_ + 1;
    const std::size_t from = at_;
    while (at_ < text_.size() && is_word_char(text_[at_])) ++at_;
    node->text = text::to_lower(text_.substr(from, at_ - from));
    for (const char c : node->text) {
      if (std::isdigit(static_cast<unsigned char>(c)) == 0) continue;
      at_ = from;
      fail("numbers are written as words: '" + node->text + "'");
      return nullptr;
    }
    return node;
  }

  std::string_view text_;
  const std::string& place_;
  std::size_t at_ = 0;
  std::optional<PhraseError> error_;
};

using Visiting = std::vector<std::string>;

std::optional<PhraseError> check_node(const Node& node, const std::string& place, const RuleMap& rules,
                                      Visiting& visiting, std::set<std::string>& done);

std::optional<PhraseError> check_rule(const Rule& rule, const RuleMap& rules, Visiting& visiting,
                                      std::set<std::string>& done) {
  if (done.contains(rule.name)) return std::nullopt;
  visiting.push_back(rule.name);
  for (const NodePtr& alternative : rule.alternatives) {
    if (auto error = check_node(*alternative, rule.name, rules, visiting, done)) return error;
  }
  visiting.pop_back();
  done.insert(rule.name);
  return std::nullopt;
}

std::optional<PhraseError> check_node(const Node& node, const std::string& place, const RuleMap& rules,
                                      Visiting& visiting, std::set<std::string>& done) {
  if (node.kind == NodeKind::reference) {
    const auto it = rules.find(node.text);
    if (it == rules.end()) {
      std::vector<std::string> names;
      for (const auto& [name, rule] : rules) names.push_back(name);
      std::string message = "no rule or slot type is named '";
      message.append(node.text).append("'");
      if (auto near = text::nearest(node.text, names)) message.append("; did you mean '").append(*near).append("'?");
      return PhraseError{place, node.column, std::move(message)};
    }
    for (const std::string& name : visiting) {
      if (name == node.text) return PhraseError{place, node.column, "the rule '" + name + "' contains itself"};
    }
    return check_rule(*it->second, rules, visiting, done);
  }
  for (const NodePtr& child : node.children) {
    if (auto error = check_node(*child, place, rules, visiting, done)) return error;
  }
  return std::nullopt;
}

}  // namespace

std::string PhraseError::to_string() const {
  std::string out = place;
  if (column != 0) out += " (column " + std::to_string(column) + ")";
  return out + ": " + message;
}

std::variant<NodePtr, PhraseError> phrase_detail::parse_pattern(std::string_view pattern, const std::string& place) {
  return Parser(pattern, place).run();
}

std::optional<PhraseError> phrase_detail::check_references(const Node& node, const std::string& place,
                                                           const RuleMap& rules) {
  Visiting visiting;
  std::set<std::string> done;
  return check_node(node, place, rules, visiting, done);
}

PhraseRules::PhraseRules() : rules_(builtin_rules()) {}

std::optional<PhraseError> PhraseRules::add(const std::string& name, std::string_view pattern) {
  if (has(name)) return PhraseError{name, 0, "there is already a rule of this name"};
  auto parsed = parse_pattern(pattern, name);
  if (auto* error = std::get_if<PhraseError>(&parsed)) return *error;
  auto rule = std::make_shared<Rule>();
  rule->name = name;
  rule->alternatives.push_back(std::get<NodePtr>(parsed));
  rules_[name] = std::move(rule);
  return std::nullopt;
}

std::optional<PhraseError> PhraseRules::add_list(const std::string& name, const std::vector<PhraseListEntry>& entries) {
  if (has(name)) return PhraseError{name, 0, "there is already a rule of this name"};
  if (entries.empty()) return PhraseError{name, 0, "the list is empty"};
  auto rule = std::make_shared<Rule>();
  rule->name = name;
  for (const PhraseListEntry& entry : entries) {
    auto parsed = parse_pattern(entry.pattern, name + "." + entry.value);
    if (auto* error = std::get_if<PhraseError>(&parsed)) return *error;
    rule->alternatives.push_back(std::get<NodePtr>(parsed));
    rule->tags.push_back(entry.value);
  }
  rules_[name] = std::move(rule);
  return std::nullopt;
}

std::optional<PhraseError> PhraseRules::check() const {
  std::set<std::string> done;
  for (const auto& [name, rule] : rules_) {
    Visiting visiting;
    if (auto error = check_rule(*rule, rules_, visiting, done)) return error;
  }
  return std::nullopt;
}

bool PhraseRules::has(std::string_view name) const {
  return rules_.find(name) != rules_.end();
}

}  // namespace voxgate::vendors
