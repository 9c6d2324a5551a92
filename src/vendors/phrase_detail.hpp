#pragma once
// Inside of the phrase language: the parsed pattern, the rules and the matching program.

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

#include "voxgate/vendors/phrase_grammar.hpp"

namespace voxgate::vendors::phrase_detail {

enum class NodeKind : std::uint8_t { word, sequence, choice, optional, repeat, reference };

struct Node {
  NodeKind kind = NodeKind::sequence;
  std::string text;  // the word, or the name of the rule
  std::string slot;  // reference: the slot's name; empty: words only
  std::size_t column = 0;
  std::vector<std::shared_ptr<const Node>> children;
};
using NodePtr = std::shared_ptr<const Node>;

/// A filled rule, while values are worked out from the inside to the outside.
struct Capture {
  std::string rule, slot, tag;
  std::size_t first = 0, last = 0;
  std::string value, display;
  std::vector<Capture> children;

  const Capture* child(std::string_view rule_name) const {
    for (const Capture& c : children)
      if (c.rule == rule_name) return &c;
    return nullptr;
  }
};

/// Works out value and display of a built-in rule from its tag and children.
using Composer = void (*)(Capture& capture);

struct Rule {
  std::string name;
  std::vector<NodePtr> alternatives;
  std::vector<std::string> tags;  // one per alternative for lists; empty otherwise
  Composer compose = nullptr;
  bool builtin = false;
};
using RuleMap = std::map<std::string, std::shared_ptr<const Rule>, std::less<>>;

std::variant<NodePtr, PhraseError> parse_pattern(std::string_view pattern, const std::string& place);

/// Unknown references and rules that contain themselves, as far as they can be reached from `node`.
std::optional<PhraseError> check_references(const Node& node, const std::string& place, const RuleMap& rules);

/// The built-in rules, made once.
const RuleMap& builtin_rules();

enum class Op : std::uint8_t { word, split, jump, open, close, tag, accept };

struct Instruction {
  Op op = Op::accept;
  std::uint32_t a = 0;  // word id, first branch, jump target, index of rule use, tag or entry
  std::uint32_t b = 0;  // second branch
};

struct RuleUse {
  std::string rule, slot;
  Composer compose = nullptr;
};

struct Program {
  std::vector<Instruction> code;
  std::unordered_map<std::string, std::uint32_t> words;
  std::vector<RuleUse> uses;
  std::vector<std::string> tags;
  std::uint32_t start = 0;
};

}  // namespace voxgate::vendors::phrase_detail
