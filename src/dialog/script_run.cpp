#include "dialog/script_run.hpp"

#include <algorithm>

#include "dialog/prompt_template.hpp"
#include "voxgate/base/text.hpp"

namespace voxgate::dialog {

using vendors::AnswerKind;
using vendors::LlmRequest;
using vendors::PhraseMatch;
using vendors::Role;
using vendors::TurnCause;

namespace {

constexpr double kRejected = 0.5;      // below it the recogniser doubts its own words
constexpr int kMaxHops = 8;            // states entered in one turn: a script that runs in a circle stops
constexpr std::size_t kMaxKept = 600;  // bytes of text kept in the memory

std::string text_of(const nlohmann::json& j, const char* key) {
  const auto it = j.find(key);
  return it != j.end() && it->is_string() ? it->get<std::string>() : std::string();
}

int number_of(const nlohmann::json& j, const char* key) {
  const auto it = j.find(key);
  return it != j.end() && it->is_number_integer() ? it->get<int>() : 0;
}

/// The state that came with the last answer that had one.
std::string last_state(const LlmRequest& request) {
  for (auto it = request.messages.rbegin(); it != request.messages.rend(); ++it) {
    if (it->role == Role::assistant && !it->state.empty()) return it->state;
  }
  return {};
}

std::string last_user_text(const LlmRequest& request) {
  for (auto it = request.messages.rbegin(); it != request.messages.rend(); ++it) {
    if (it->role == Role::user) return it->text;
  }
  return {};
}

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : " ") + word;
  return out;
}

}  // namespace

ScriptMemory ScriptMemory::parse(const std::string& json, const Script& script) {
  ScriptMemory out;
  const auto j = nlohmann::json::parse(json, nullptr, false);
  if (!j.is_object()) return out;
  out.state = text_of(j, "s");
  if (script.state(out.state) == nullptr) return {};  // the agent's file has changed under the call: begin again
  out.step = text_of(j, "p");
  out.last = text_of(j, "l");
  out.pending = text_of(j, "w");
  out.turn = number_of(j, "n");
  out.misses = number_of(j, "m");
  if (const auto slots = j.find("v"); slots != j.end() && slots->is_object()) {
    for (const auto& [name, value] : slots->items()) {
      if (!value.is_array() || value.size() != 2 || !value[0].is_string() || !value[1].is_string()) continue;
      out.slots[name] = {value[0].get<std::string>(), value[1].get<std::string>()};
    }
  }
  if (const auto visited = j.find("b"); visited != j.end() && visited->is_array()) {
    for (const auto& name : *visited)
      if (name.is_string()) out.visited.insert(name.get<std::string>());
  }
  return out;
}

std::string ScriptMemory::to_json() const {
  nlohmann::json j = {{"s", state}, {"n", turn}};
  if (!step.empty()) j["p"] = step;
  if (!last.empty() && last.size() <= kMaxKept) j["l"] = last;
  if (!pending.empty() && pending.size() <= kMaxKept) j["w"] = pending;
  if (misses != 0) j["m"] = misses;
  if (!visited.empty()) j["b"] = visited;
  for (const auto& [name, filled] : slots) j["v"][name] = {filled.value, filled.display};
  return j.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

ScriptRun::ScriptRun(const Script& script, const LlmRequest& request)
    : script_(script),
      request_(request),
      now_(LocalTime::from_wall(request.wall_ms, request.utc_offset_min)),
      memory_(ScriptMemory::parse(last_state(request), script)) {}

ScriptedAnswer ScriptRun::answer() {
  const std::string before = memory_.last;
  ++memory_.turn;
  if (memory_.state.empty() || request_.cause == TurnCause::greeting) {
    memory_ = {};
    memory_.turn = 1;
    enter(script_.start());
    // A request that is not a greeting but has no state: the call is joined in the middle, what was said still counts.
    if (request_.cause == TurnCause::user_turn && request_.messages.size() == 1) {
      out_ = {};
      user_turn();
    }
  } else if (request_.cause == TurnCause::no_input) {
    no_input();
  } else if (request_.cause == TurnCause::no_match) {
    not_understood();
  } else if (request_.cause == TurnCause::dtmf) {
    dtmf();
  } else {
    user_turn();
  }
  memory_.last = out_.text.empty() || said_again_ ? before : out_.text;
  out_.expectation = expectation();
  out_.state = memory_.to_json();
  return std::move(out_);
}

// ---- what the caller did

void ScriptRun::user_turn() {
  const std::string words = joined(vendors::spoken_words(last_user_text(request_)));
  if (!memory_.pending.empty() && confirm_pending(words, request_.confidence)) return;
  memory_.pending.clear();
  understand(words, request_.confidence);
}

/// The answer to "I understood ... Is that right?". False: the caller said something else.
bool ScriptRun::confirm_pending(const std::string& words, double confidence) {
  const auto* grammar = script_.grammar("sure");
  const auto match = grammar == nullptr ? std::nullopt : grammar->match(text::words(words));
  if (!match || confidence < kRejected) return false;
  if (match->label == "yes") {
    const std::string meant = std::exchange(memory_.pending, {});
    understand(meant, 1.0);
    return true;
  }
  if (match->label == "no") {
    memory_.pending.clear();
    not_understood();
    return true;
  }
  return false;
}

void ScriptRun::understand(const std::string& sentence, double confidence) {
  heard_ = sentence;
  const std::vector<std::string> words = text::words(sentence);
  const auto* grammar = script_.grammar(grammar_name());
  if (grammar == nullptr || words.empty() || confidence < kRejected) return not_understood();
  auto match = grammar->match(words);
  if (!match) {
    // Recognisers without our grammar bring fillers and courtesies along: half of the words must be ours.
    match = grammar->find(words);
    if (!match || (match->last - match->first) * 2 < words.size()) return not_understood();
  }
  const bool short_answer = match->label == "yes" || match->label == "no";
  if (confidence < script_.confirm_below() && !script_.unsure().empty() && !short_answer) {
    memory_.pending = sentence;
    say(script_.unsure());
    return;
  }
  matched(*match);
}

void ScriptRun::matched(const PhraseMatch& match) {
  memory_.misses = 0;
  for (const vendors::PhraseSlot& s : match.slots) turn_slots_[s.name] = {s.value, s.display};
  const ScriptState& state = here();
  if (match.label.starts_with("intent:")) {
    const std::string intent = match.label.substr(7);
    const ScriptAction* action = state.action_for(intent);
    if (action == nullptr) {
      for (const auto& [name, global] : script_.globals())
        if (name == intent) action = &global;
    }
    if (action != nullptr) act(*action);
    return;
  }
  if (state.form == nullptr) return;
  if (match.label == "yes") {
    memory_.step.clear();
    const ScriptAction done = state.form->done;
    act(done);
  } else if (match.label == "no") {
    say(state.form->change);
  } else {
    fill(match);
  }
}

void ScriptRun::not_understood() {
  memory_.misses = std::max(memory_.misses + 1, request_.cause == TurnCause::no_match ? request_.repeat : 0);
  const auto& ladder = here().no_match.empty() ? script_.no_match() : here().no_match;
  if (ladder.empty()) return ask();
  act(ladder[std::min(ladder.size(), static_cast<std::size_t>(memory_.misses)) - 1]);
}

void ScriptRun::no_input() {
  const auto& ladder = here().no_input.empty() ? script_.no_input() : here().no_input;
  const auto nth = static_cast<std::size_t>(std::max(1, request_.repeat));
  if (ladder.empty()) return ask();
  act(ladder[std::min(ladder.size(), nth) - 1]);
}

void ScriptRun::dtmf() {
  const std::string digits = last_user_text(request_);
  const auto own = here().dtmf.find(digits);
  if (own != here().dtmf.end()) return act(own->second);
  const auto common = script_.dtmf().find(digits);
  if (common != script_.dtmf().end()) return act(common->second);
  understand(joined(vendors::spoken_words(digits)), 1.0);
}

// ---- what the agent does

void ScriptRun::act(const ScriptAction& action) {
  ScriptAction whole = action;
  Wordings then_say;
  for (const ScriptCase& one : action.cases) {
    if (!std::all_of(one.when.begin(), one.when.end(), [&](const auto& c) { return holds(c); })) continue;
    const ScriptAction& then = one.then;
    then_say = then.say;
    if (!then.go.empty()) whole.go = then.go;
    if (!then.transfer.empty()) whole.transfer = then.transfer;
    whole.hang_up = whole.hang_up || then.hang_up;
    whole.repeat = whole.repeat || then.repeat;
    whole.protect = whole.protect || then.protect;
    whole.ask = whole.ask && then.ask;
    whole.set.insert(then.set.begin(), then.set.end());
    whole.clear.insert(whole.clear.end(), then.clear.begin(), then.clear.end());
    whole.keep.insert(whole.keep.end(), then.keep.begin(), then.keep.end());
    break;
  }
  for (const auto& [name, value] : whole.set) memory_.slots[name] = {value, value};
  say(whole.say);
  say(then_say);
  if (whole.repeat && !memory_.last.empty()) {
    out_.text += (out_.text.empty() ? "" : " ") + memory_.last;
    said_again_ = true;
    return;
  }
  for (const std::string& name : whole.keep) {
    const auto it = turn_slots_.find(name);
    if (it != turn_slots_.end()) memory_.slots[name] = it->second;
  }
  for (const std::string& name : whole.clear) {
    memory_.slots.erase(name);
    turn_slots_.erase(name);
  }
  out_.protect = out_.protect || whole.protect;
  if (!whole.transfer.empty()) {
    out_.transfer = fill_template(whole.transfer, [&](std::string_view name) { return value_of(name); });
  } else if (whole.hang_up) {
    out_.hang_up = true;
  } else if (!whole.go.empty()) {
    enter(whole.go);
  } else if (whole.ask) {
    ask();
  }
}

void ScriptRun::enter(const std::string& name) {
  const ScriptState* state = script_.state(name);
  if (state == nullptr || ++hops_ > kMaxHops) return;
  const bool again = !memory_.visited.insert(name).second;
  memory_.state = name;
  memory_.step.clear();
  out_.protect = out_.protect || state->protect;
  say(again && !state->again.empty() ? state->again : state->say);
  if (state->form == nullptr) return;
  for (const ScriptSlot& s : state->form->slots) {
    const auto it = turn_slots_.find(s.name);
    if (it != turn_slots_.end()) memory_.slots[s.name] = it->second;
  }
  go_on_with_form();
}

void ScriptRun::ask() {
  const ScriptState& state = here();
  if (state.form != nullptr) return go_on_with_form();
  say(state.again.empty() ? state.say : state.again);
}

void ScriptRun::fill(const PhraseMatch& match) {
  const ScriptForm& form = *here().form;
  for (const vendors::PhraseSlot& s : match.slots) {
    if (form.slot(s.name) != nullptr) memory_.slots[s.name] = {s.value, s.display};
  }
  go_on_with_form();
}

/// Asks for the first slot that is empty or does not fit the opening hours; when all are filled, confirms.
void ScriptRun::go_on_with_form() {
  const ScriptForm& form = *here().form;
  memory_.step.clear();
  for (const ScriptSlot& s : form.slots) {
    if (memory_.slots.contains(s.name) && refuse_closed(s)) return;
  }
  for (const ScriptSlot& s : form.slots) {
    if (!memory_.slots.contains(s.name)) return say(s.ask);
  }
  if (form.confirm.empty()) {
    const ScriptAction done = form.done;
    return act(done);
  }
  memory_.step = "confirm";
  say(form.confirm);
}

/// Says why and empties the slot, when it is a day or a time at which the business is closed.
bool ScriptRun::refuse_closed(const ScriptSlot& wanted) {
  if (wanted.closed.empty()) return false;
  const std::string value = memory_.slots[wanted.name].value;
  bool open = true;
  if (const auto day = resolve_day(value, now_.day)) {
    open = script_.hours().open_on(*day);
  } else if (const auto minute = parse_clock(value)) {
    // The day of the same form, if it has one.
    const auto it = memory_.slots.find("day");
    const auto day_of_form = it == memory_.slots.end() ? std::nullopt : resolve_day(it->second.value, now_.day);
    open = !day_of_form || script_.hours().open_at(*day_of_form, *minute);
  }
  if (open) return false;
  say(wanted.closed);
  memory_.slots.erase(wanted.name);
  return true;
}

// ---- words

void ScriptRun::say(const Wordings& wordings) {
  if (wordings.empty()) return;
  const std::string& wording = wordings[static_cast<std::size_t>(memory_.turn - 1) % wordings.size()];
  std::string text = fill_template(wording, [&](std::string_view name) { return value_of(name); });
  if (text.empty()) return;
  if (text[0] >= 'a' && text[0] <= 'z') text[0] = static_cast<char>(text[0] - 'a' + 'A');  // {day} may come first
  if (!out_.text.empty()) out_.text += ' ';
  out_.text += text;
}

const FilledSlot* ScriptRun::slot(std::string_view name) const {
  const std::string key(name);
  if (const auto it = turn_slots_.find(key); it != turn_slots_.end()) return &it->second;
  if (const auto it = memory_.slots.find(key); it != memory_.slots.end()) return &it->second;
  return nullptr;
}

std::string ScriptRun::value_of(std::string_view name) const {
  if (name == "heard") return memory_.pending.empty() ? heard_ : memory_.pending;
  if (name == "today.hours") return script_.hours().text(now_.day);
  if (name == "next_open") return script_.hours().next_opening(now_);
  const std::size_t dot = name.find('.');
  const FilledSlot* filled = slot(name.substr(0, dot));
  if (filled == nullptr) {
    const auto constant = script_.values().find(std::string(name));
    return constant == script_.values().end() ? std::string() : constant->second;
  }
  if (dot == std::string_view::npos) return filled->display;
  const std::string_view field = name.substr(dot + 1);
  if (field == "value") return filled->value;
  const auto day = resolve_day(filled->value, now_.day);
  if (!day) return filled->display;
  return field == "hours" ? script_.hours().text(*day) : long_date(*day);
}

bool ScriptRun::holds(const ScriptCondition& condition) const {
  const FilledSlot* filled = condition.slot.empty() ? nullptr : slot(condition.slot);
  bool out = false;
  switch (condition.kind) {
    case ScriptCondition::Kind::open_now:
      out = script_.hours().open_at(now_.day, now_.minute);
      break;
    case ScriptCondition::Kind::open_slot:
      if (filled != nullptr) {
        const auto day = resolve_day(filled->value, now_.day);
        out = day && script_.hours().open_on(*day);
      }
      break;
    case ScriptCondition::Kind::has_slot:
      out = filled != nullptr;
      break;
    case ScriptCondition::Kind::equals:
      out = filled != nullptr && filled->value == condition.value;
      break;
  }
  return out != condition.negated;
}

std::string ScriptRun::grammar_name() const {
  return memory_.step.empty() ? memory_.state : memory_.state + "." + memory_.step;
}

vendors::Expectation ScriptRun::expectation() const {
  vendors::Expectation out;
  const ScriptState& state = here();
  if (!memory_.pending.empty()) {
    out.kind = AnswerKind::yes_no;
    out.grammar = script_.agent() + "/sure";
    return out;
  }
  out.grammar = script_.agent() + "/" + grammar_name();
  out.kind = state.kind;
  out.digits = state.digits;
  // Where keys are menu choices of one key each, the first key is the whole input.
  const auto single_keys = [](const auto& actions) {
    return std::all_of(actions.begin(), actions.end(), [](const auto& action) { return action.first.size() == 1; });
  };
  const bool has_keys = !state.dtmf.empty() || !script_.dtmf().empty();
  if (out.digits == 0 && out.kind != AnswerKind::digits && has_keys && single_keys(state.dtmf) &&
      single_keys(script_.dtmf())) {
    out.digits = 1;
  }
  if (state.form == nullptr) return out;
  if (memory_.step == "confirm") {
    out.kind = AnswerKind::yes_no;
    return out;
  }
  for (const ScriptSlot& s : state.form->slots) {
    if (memory_.slots.contains(s.name)) continue;
    out.kind = s.kind;
    out.digits = s.digits;
    out.phrases = s.phrases;
    break;
  }
  return out;
}

}  // namespace voxgate::dialog
