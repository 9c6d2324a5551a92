// Compiling and matching phrase grammars: a Thompson machine run word by word (Pike's method), so that matching is
// linear in the words whatever the patterns look like.

#include "voxgate/vendors/phrase_grammar.hpp"

#include <algorithm>

#include "vendors/phrase_detail.hpp"
#include "voxgate/base/text.hpp"

namespace voxgate::vendors {

using namespace phrase_detail;

namespace {

constexpr std::size_t kMaxInstructions = 400'000;  // a runaway nest of rules ends with an error, not with memory

class Compiler {
 public:
  explicit Compiler(const RuleMap& rules) : rules_(rules), program_(std::make_shared<Program>()) {}

  bool too_large() const { return program_->code.size() > kMaxInstructions; }

  std::shared_ptr<const Program> run(const std::vector<NodePtr>& entries) {
    std::vector<std::uint32_t> starts;
    for (std::size_t i = 0; i < entries.size() && !too_large(); ++i) {
      starts.push_back(here());
      node(*entries[i]);
      emit(Op::accept, static_cast<std::uint32_t>(i));
    }
    if (starts.empty()) return program_;
    program_->start = choose(starts, 0);
    return program_;
  }

 private:
  std::uint32_t here() const { return static_cast<std::uint32_t>(program_->code.size()); }
  std::uint32_t emit(Op op, std::uint32_t a = 0, std::uint32_t b = 0) {
    program_->code.push_back({op, a, b});
    return here() - 1;
  }
  /// A chain of splits over branches that exist already.
  std::uint32_t choose(const std::vector<std::uint32_t>& starts, std::size_t from) {
    std::uint32_t next = starts.back();
    for (std::size_t i = starts.size() - 1; i-- > from;) next = emit(Op::split, starts[i], next);
    return next;
  }
  std::uint32_t word_id(const std::string& word) {
    return program_->words.emplace(word, static_cast<std::uint32_t>(program_->words.size())).first->second;
  }

  void node(const Node& n) {
    if (too_large()) return;
    switch (n.kind) {
      case NodeKind::word:
        emit(Op::word, word_id(n.text));
        return;
      case NodeKind::sequence:
        for (const NodePtr& child : n.children) node(*child);
        return;
      case NodeKind::choice:
        alternatives(n.children, {});
        return;
      case NodeKind::optional: {
        const std::uint32_t split = emit(Op::split);
        program_->code[split].a = here();
        node(*n.children.front());
        program_->code[split].b = here();
        return;
      }
      case NodeKind::repeat: {
        const std::uint32_t from = here();
        node(*n.children.front());
        const std::uint32_t split = emit(Op::split, from);
        program_->code[split].b = here();
        return;
      }
      case NodeKind::reference:
        reference(n);
        return;
    }
  }

  void reference(const Node& n) {
    const Rule& rule = *rules_.find(n.text)->second;
    const auto use = static_cast<std::uint32_t>(program_->uses.size());
    program_->uses.push_back({rule.name, n.slot, rule.compose});
    emit(Op::open, use);
    alternatives(rule.alternatives, rule.tags);
    emit(Op::close, use);
  }

  void alternatives(const std::vector<NodePtr>& nodes, const std::vector<std::string>& tags) {
    std::vector<std::uint32_t> exits;
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      const bool last = i + 1 == nodes.size();
      const std::uint32_t split = last ? 0 : emit(Op::split);
      if (!last) program_->code[split].a = here();
      if (!tags.empty()) {
        emit(Op::tag, static_cast<std::uint32_t>(program_->tags.size()));
        program_->tags.push_back(tags[i]);
      }
      node(*nodes[i]);
      if (!last) {
        exits.push_back(emit(Op::jump));
        program_->code[split].b = here();
      }
    }
    for (const std::uint32_t exit : exits) program_->code[exit].a = here();
  }

  const RuleMap& rules_;
  std::shared_ptr<Program> program_;
};

/// What happened on the way of one thread of the machine: a linked list, newest first.
struct Step {
  std::int32_t previous;
  std::uint32_t pc;
  std::uint32_t position;
};

struct Thread {
  std::uint32_t pc;
  std::int32_t trace;
};

class Machine {
 public:
  explicit Machine(const Program& program) : program_(program), seen_(program.code.size(), 0) {}

  struct Outcome {
    std::int32_t trace = -1;
    std::uint32_t entry = 0;
    std::size_t length = 0;
    bool accepted = false;
    bool alive = false;  // after the last word
  };

  /// Runs over the words; with `longest` the longest prefix that is accepted counts, otherwise only all of them.
  Outcome run(std::span<const std::uint32_t> words, std::size_t offset, bool longest) {
    Outcome out;
    steps_.clear();
    std::vector<Thread> now, next;
    begin();
    add(now, program_.start, -1, offset);
    for (std::size_t i = 0;; ++i) {
      const bool at_end = i == words.size();
      if (at_end || longest) {
        for (const Thread& t : now) {
          if (program_.code[t.pc].op != Op::accept || i == 0) continue;
          out.accepted = true;
          out.trace = t.trace;
          out.entry = program_.code[t.pc].a;
          out.length = i;
          break;
        }
      }
      if (at_end) {
        out.alive = !now.empty();
        return out;
      }
      next.clear();
      begin();
      for (const Thread& t : now) {
        const Instruction& in = program_.code[t.pc];
        if (in.op == Op::word && in.a == words[i]) add(next, t.pc + 1, t.trace, offset + i + 1);
      }
      now.swap(next);
      if (now.empty()) return out;
    }
  }

  const std::vector<Step>& steps() const { return steps_; }

 private:
  void begin() { ++mark_; }

  void add(std::vector<Thread>& list, std::uint32_t pc, std::int32_t trace, std::size_t position) {
    stack_.push_back({pc, trace});
    while (!stack_.empty()) {
      Thread t = stack_.back();
      stack_.pop_back();
      for (;;) {
        if (seen_[t.pc] == mark_) break;
        seen_[t.pc] = mark_;
        const Instruction& in = program_.code[t.pc];
        if (in.op == Op::word || in.op == Op::accept) {
          list.push_back(t);
          break;
        }
        if (in.op == Op::split) {
          stack_.push_back({in.b, t.trace});
          t.pc = in.a;
        } else if (in.op == Op::jump) {
          t.pc = in.a;
        } else {
          steps_.push_back({t.trace, t.pc, static_cast<std::uint32_t>(position)});
          t.trace = static_cast<std::int32_t>(steps_.size()) - 1;
          ++t.pc;
        }
      }
    }
  }

  const Program& program_;
  std::vector<std::uint32_t> seen_;
  std::uint32_t mark_ = 0;
  std::vector<Step> steps_;
  std::vector<Thread> stack_;
};

std::string join(std::span<const std::string> words) {
  std::string out;
  for (const std::string& word : words) {
    if (!out.empty()) out += ' ';
    out += word;
  }
  return out;
}

void settle(Capture& c, Composer compose, std::span<const std::string> words) {
  if (compose != nullptr) {
    compose(c);
  } else if (!c.tag.empty()) {
    c.value = c.tag;
    c.display = c.tag;
  } else if (c.children.size() == 1) {
    c.value = c.children.front().value;
    c.display = c.children.front().display;
  } else {
    c.value = c.display = join(words.subspan(c.first, c.last - c.first));
  }
}

Capture replay(const Program& program, const std::vector<Step>& steps, std::int32_t trace,
               std::span<const std::string> words) {
  std::vector<Step> path;
  for (; trace >= 0; trace = steps[static_cast<std::size_t>(trace)].previous) {
    path.push_back(steps[static_cast<std::size_t>(trace)]);
  }
  std::vector<Capture> open(1);
  for (auto it = path.rbegin(); it != path.rend(); ++it) {
    const Instruction& in = program.code[it->pc];
    if (in.op == Op::tag) {
      open.back().tag = program.tags[in.a];
    } else if (in.op == Op::open) {
      Capture c;
      c.rule = program.uses[in.a].rule;
      c.slot = program.uses[in.a].slot;
      c.first = it->position;
      open.push_back(std::move(c));
    } else {
      Capture c = std::move(open.back());
      open.pop_back();
      c.last = it->position;
      settle(c, program.uses[in.a].compose, words);
      open.back().children.push_back(std::move(c));
    }
  }
  return std::move(open.front());
}

void collect_slots(const Capture& c, std::span<const std::string> words, std::vector<PhraseSlot>& out) {
  for (const Capture& child : c.children) {
    if (child.slot.empty()) {
      collect_slots(child, words, out);
    } else {
      out.push_back({child.slot, child.value, child.display, join(words.subspan(child.first, child.last - child.first)),
                     child.first, child.last});
    }
  }
}

std::vector<std::uint32_t> ids_of(const Program& program, std::span<const std::string> words) {
  std::vector<std::uint32_t> out;
  out.reserve(words.size());
  for (const std::string& word : words) {
    const auto it = program.words.find(word);
    out.push_back(it == program.words.end() ? UINT32_MAX : it->second);
  }
  return out;
}

/// Uniform draws from a fixed seed (xorshift64*), so that a language model is the same on every start.
class Draw {
 public:
  explicit Draw(std::uint64_t seed) : state_(seed * 2685821657736338717ULL + 88172645463325252ULL) {}
  std::size_t below(std::size_t n) {
    state_ ^= state_ >> 12;
    state_ ^= state_ << 25;
    state_ ^= state_ >> 27;
    return static_cast<std::size_t>((state_ * 2685821657736338717ULL) >> 33) % n;
  }

 private:
  std::uint64_t state_;
};

void draw_node(const Node& n, const RuleMap& rules, Draw& draw, std::vector<std::string>& out) {
  switch (n.kind) {
    case NodeKind::word:
      out.push_back(n.text);
      return;
    case NodeKind::sequence:
      for (const NodePtr& child : n.children) draw_node(*child, rules, draw, out);
      return;
    case NodeKind::choice:
      draw_node(*n.children[draw.below(n.children.size())], rules, draw, out);
      return;
    case NodeKind::optional:
      if (draw.below(2) == 0) draw_node(*n.children.front(), rules, draw, out);
      return;
    case NodeKind::repeat:
      for (std::size_t i = 0, times = 1 + draw.below(6); i < times; ++i)
        draw_node(*n.children.front(), rules, draw, out);
      return;
    case NodeKind::reference: {
      const Rule& rule = *rules.find(n.text)->second;
      draw_node(*rule.alternatives[draw.below(rule.alternatives.size())], rules, draw, out);
      return;
    }
  }
}

void gather_words(const Node& n, const RuleMap& rules, std::set<std::string>& words, std::set<std::string>& visited) {
  if (n.kind == NodeKind::word) words.insert(n.text);
  if (n.kind == NodeKind::reference && visited.insert(n.text).second) {
    for (const NodePtr& alternative : rules.find(n.text)->second->alternatives) {
      gather_words(*alternative, rules, words, visited);
    }
  }
  for (const NodePtr& child : n.children) gather_words(*child, rules, words, visited);
}

void gather_rules(const Node& n, const RuleMap& rules, std::set<std::string>& used) {
  if (n.kind == NodeKind::reference && used.insert(n.text).second) {
    for (const NodePtr& alternative : rules.find(n.text)->second->alternatives) gather_rules(*alternative, rules, used);
  }
  for (const NodePtr& child : n.children) gather_rules(*child, rules, used);
}

void write_jsgf(const Node& n, std::string& out) {
  const auto list = [&](const char* separator) {
    for (std::size_t i = 0; i < n.children.size(); ++i) {
      if (i != 0) out += separator;
      write_jsgf(*n.children[i], out);
    }
  };
  switch (n.kind) {
    case NodeKind::word:
      out += n.text;
      return;
    case NodeKind::sequence:
      list(" ");
      return;
    case NodeKind::choice:
      out += "( ";
      list(" | ");
      out += " )";
      return;
    case NodeKind::optional:
      out += "[ ";
      list(" ");
      out += " ]";
      return;
    case NodeKind::repeat:
      out += "( ";
      list(" ");
      out += " )+";
      return;
    case NodeKind::reference:
      out += "<r_" + n.text + ">";
      return;
  }
}

}  // namespace

const PhraseSlot* PhraseMatch::slot(std::string_view name) const {
  for (const PhraseSlot& s : slots)
    if (s.name == name) return &s;
  return nullptr;
}

PhraseGrammar::PhraseGrammar() : program_(std::make_shared<Program>()) {}

std::variant<PhraseGrammar, PhraseError> PhraseGrammar::compile(const PhraseRules& rules, std::vector<Entry> entries) {
  if (auto error = rules.check()) return *error;
  PhraseGrammar out;
  out.rules_ = rules.rules_;
  for (Entry& entry : entries) {
    if (entry.place.empty()) entry.place = entry.label;
    auto parsed = parse_pattern(entry.pattern, entry.place);
    if (auto* error = std::get_if<PhraseError>(&parsed)) return *error;
    if (auto error = check_references(*std::get<NodePtr>(parsed), entry.place, out.rules_)) return *error;
    out.nodes_.push_back(std::get<NodePtr>(std::move(parsed)));
  }
  out.entries_ = std::move(entries);
  Compiler compiler(out.rules_);
  out.program_ = compiler.run(out.nodes_);
  if (compiler.too_large()) return PhraseError{out.entries_.front().place, 0, "the grammar is too large"};
  return out;
}

std::optional<PhraseMatch> PhraseGrammar::match(std::span<const std::string> words) const {
  if (empty() || words.empty()) return std::nullopt;
  Machine machine(*program_);
  const auto ids = ids_of(*program_, words);
  const auto result = machine.run(ids, 0, false);
  if (!result.accepted) return std::nullopt;
  PhraseMatch match{result.entry, entries_[result.entry].label, {}, 0, words.size()};
  collect_slots(replay(*program_, machine.steps(), result.trace, words), words, match.slots);
  return match;
}

std::optional<PhraseMatch> PhraseGrammar::find(std::span<const std::string> words) const {
  if (empty()) return std::nullopt;
  const auto ids = ids_of(*program_, words);
  Machine machine(*program_);
  std::optional<PhraseMatch> best;
  for (std::size_t first = 0; first < words.size(); ++first) {
    if (best && best->last - best->first >= words.size() - first) break;
    const auto result = machine.run(std::span(ids).subspan(first), first, true);
    if (!result.accepted || (best && result.length <= best->last - best->first)) continue;
    best = PhraseMatch{result.entry, entries_[result.entry].label, {}, first, first + result.length};
    collect_slots(replay(*program_, machine.steps(), result.trace, words), words, best->slots);
  }
  return best;
}

bool PhraseGrammar::is_prefix(std::span<const std::string> words) const {
  if (empty()) return false;
  Machine machine(*program_);
  return machine.run(ids_of(*program_, words), 0, false).alive;
}

std::string PhraseGrammar::to_jsgf(std::string_view grammar_name) const {
  std::string out = "#JSGF V1.0;\ngrammar " + std::string(grammar_name) + ";\npublic <sentence> = ";
  std::set<std::string> used;
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    if (i != 0) out += " | ";
    out += "( ";
    write_jsgf(*nodes_[i], out);
    out += " )";
    gather_rules(*nodes_[i], rules_, used);
  }
  out += ";\n";
  for (const std::string& name : used) {
    out += "<r_" + name + "> = ";
    const Rule& rule = *rules_.find(name)->second;
    for (std::size_t i = 0; i < rule.alternatives.size(); ++i) {
      if (i != 0) out += " | ";
      write_jsgf(*rule.alternatives[i], out);
    }
    out += ";\n";
  }
  return out;
}

std::set<std::string> PhraseGrammar::vocabulary() const {
  std::set<std::string> words, visited;
  for (const NodePtr& node : nodes_) gather_words(*node, rules_, words, visited);
  return words;
}

const PhraseGrammar::Entry* PhraseGrammar::entry_using(std::string_view word) const {
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    std::set<std::string> words, visited;
    gather_words(*nodes_[i], rules_, words, visited);
    if (words.contains(std::string(word))) return &entries_[i];
  }
  return nullptr;
}

std::vector<std::vector<std::string>> PhraseGrammar::sample(std::size_t count, std::uint64_t seed) const {
  std::vector<std::vector<std::string>> out;
  if (empty()) return out;
  Draw draw(seed);
  out.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    out.emplace_back();
    draw_node(*nodes_[i % nodes_.size()], rules_, draw, out.back());
  }
  return out;
}

}  // namespace voxgate::vendors
