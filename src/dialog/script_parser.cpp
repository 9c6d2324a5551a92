#include "dialog/script_parser.hpp"

#include <algorithm>

#include "dialog/prompt_template.hpp"
#include "voxgate/base/text.hpp"

namespace voxgate::dialog {

using vendors::AnswerKind;
using vendors::PhraseError;
using vendors::PhraseGrammar;

namespace {

const ScriptParser::Json& child(const ScriptParser::Json& parent, const char* key) {
  static const ScriptParser::Json none;
  if (!parent.is_object()) return none;
  const auto it = parent.find(key);
  return it == parent.end() ? none : *it;
}

bool names_weekday(const std::string& key, int& out) {
  for (int i = 0; i < 7; ++i) {
    if (!voxgate::text::iequals(weekday_name(i), key)) continue;
    out = i;
    return true;
  }
  return false;
}

}  // namespace

void ScriptParser::error(const std::string& path, std::string message) {
  errors_.push_back({path, std::move(message)});
}

bool ScriptParser::object(const Json& j, const std::string& path, std::initializer_list<const char*> keys) {
  if (!j.is_object()) {
    error(path, "an object is expected here");
    return false;
  }
  const std::vector<std::string> known(keys.begin(), keys.end());
  for (const auto& [key, value] : j.items()) {
    if (std::find(known.begin(), known.end(), key) != known.end()) continue;
    const auto near = voxgate::text::nearest(key, known);
    error(path + "/" + key, near ? "unknown key; did you mean '" + *near + "'?" : std::string("unknown key"));
  }
  return true;
}

const ScriptParser::Json& ScriptParser::members(const Json& j, const std::string& path) {
  static const Json none = Json::object();
  if (j.is_object()) return j;
  if (!j.is_null()) error(path, "an object is expected here");
  return none;
}

std::string ScriptParser::text(const Json& j, const std::string& path) {
  if (j.is_string()) return j.get<std::string>();
  error(path, "text is expected here");
  return {};
}

bool ScriptParser::flag(const Json& parent, const char* key, const std::string& path, bool fallback) {
  const Json& j = child(parent, key);
  if (j.is_null()) return fallback;
  if (j.is_boolean()) return j.get<bool>();
  error(path + "/" + key, "true or false is expected here");
  return fallback;
}

std::vector<std::string> ScriptParser::texts(const Json& j, const std::string& path) {
  std::vector<std::string> out;
  if (j.is_string()) return {j.get<std::string>()};
  if (!j.is_array()) {
    error(path, "text or a list of texts is expected here");
    return out;
  }
  for (std::size_t i = 0; i < j.size(); ++i) out.push_back(text(j[i], path + "/" + std::to_string(i)));
  return out;
}

Wordings ScriptParser::wordings(const Json& parent, const char* key, const std::string& path) {
  const Json& j = child(parent, key);
  if (j.is_null()) return {};
  const std::string here = path + "/" + key;
  Wordings out = texts(j, here);
  for (const std::string& wording : out) {
    const auto names = template_names(wording);
    if (!names) {
      error(here, "a brace is not closed, or has nothing in it: \"" + wording + "\"");
      continue;
    }
    for (const std::string& name : *names) templates_used_.push_back({here, name});
  }
  return out;
}

std::map<std::string, std::string> ScriptParser::text_map(const Json& parent, const char* key,
                                                          const std::string& path) {
  std::map<std::string, std::string> out;
  const Json& j = child(parent, key);
  if (j.is_null()) return out;
  if (!j.is_object()) {
    error(path + "/" + key, "an object is expected here");
    return out;
  }
  for (const auto& [name, value] : j.items()) out[name] = text(value, path + "/" + key + "/" + name);
  return out;
}

std::vector<ScriptError> ScriptParser::run() {
  const std::string path = "/script";
  if (!object(root_, path,
              {"values", "hours", "rules", "lists", "pronunciations", "intents", "globals", "no_match", "no_input",
               "unsure", "confirm_below", "dtmf", "start", "states"})) {
    return errors_;
  }
  script_.values_ = text_map(root_, "values", path);
  script_.pronunciations_ = text_map(root_, "pronunciations", path);
  hours();
  phrases();
  states();
  if (!child(root_, "globals").is_null()) {
    script_.globals_ = intent_actions(child(root_, "globals"), path + "/globals");
  }
  script_.no_match_ = ladder(root_, "no_match", path);
  script_.no_input_ = ladder(root_, "no_input", path);
  if (script_.no_match_.empty()) error(path + "/no_match", "what is said when the caller is not understood is missing");
  if (script_.no_input_.empty()) error(path + "/no_input", "what is said when the caller says nothing is missing");
  script_.unsure_ = wordings(root_, "unsure", path);
  script_.dtmf_ = dtmf(root_, path);
  const Json& below = child(root_, "confirm_below");
  if (below.is_number()) {
    script_.confirm_below_ = below.get<double>();
  } else if (!below.is_null()) {
    error(path + "/confirm_below", "a number between 0.5 and 1 is expected here");
  }
  grammars();
  references();
  return errors_;
}

void ScriptParser::hours() {
  const Json& j = child(root_, "hours");
  if (j.is_null()) return;
  if (!j.is_object()) return error("/script/hours", "an object is expected here");
  for (const auto& [key, value] : j.items()) {
    const std::string path = "/script/hours/" + key;
    int weekday = 0;
    if (!names_weekday(key, weekday)) {
      error(path, "a weekday is expected here");
      continue;
    }
    std::vector<BusinessHours::Span> spans;
    for (const std::string& span : texts(value, path)) {
      const std::size_t dash = span.find('-');
      const auto from = parse_clock(std::string_view(span).substr(0, dash));
      const auto to = dash == std::string::npos ? std::nullopt : parse_clock(std::string_view(span).substr(dash + 1));
      if (from && to && *from < *to) {
        spans.push_back({*from, *to});
      } else {
        error(path, "\"" + span + "\" is not a span of time like \"08:00-12:30\"");
      }
    }
    script_.hours_.set(weekday, std::move(spans));
  }
}

void ScriptParser::phrases() {
  const auto report = [this](const std::string& path, const std::optional<PhraseError>& problem) {
    if (problem)
      error(path, problem->column == 0 ? problem->message
                                       : "column " + std::to_string(problem->column) + ": " + problem->message);
  };
  for (const auto& [name, pattern] : text_map(root_, "rules", "/script")) {
    report("/script/rules/" + name, script_.rules_.add(name, pattern));
  }
  const Json& lists = child(root_, "lists");
  for (const auto& [name, entries] : members(lists, "/script/lists").items()) {
    const std::string path = "/script/lists/" + name;
    std::vector<vendors::PhraseListEntry> out;
    if (!entries.is_object()) {
      error(path, "an object of values and their phrases is expected here");
      continue;
    }
    for (const auto& [value, patterns] : entries.items()) {
      for (const std::string& pattern : texts(patterns, path + "/" + value)) {
        out.push_back(vendors::PhraseListEntry{value, pattern});
      }
    }
    report(path, script_.rules_.add_list(name, out));
  }
  report("/script/rules", script_.rules_.check());
  const Json& intents = child(root_, "intents");
  for (const auto& [name, patterns] : members(intents, "/script/intents").items()) {
    script_.intents_[name] = texts(patterns, "/script/intents/" + name);
  }
}

void ScriptParser::states() {
  const Json& j = child(root_, "states");
  if (!j.is_object() || j.empty()) return error("/script/states", "at least one state is needed");
  for (const auto& [name, value] : j.items()) state(name, value, "/script/states/" + name);
  const Json& start = child(root_, "start");
  if (start.is_string()) {
    script_.start_ = start.get<std::string>();
    states_used_.push_back({"/script/start", script_.start_});
  } else {
    error("/script/start", "the name of the first state is expected here");
  }
}

AnswerKind ScriptParser::answer_kind(const Json& j, const std::string& path) {
  const auto kind = vendors::parse_answer_kind(text(j, path));
  if (!kind) error(path, "one of free, yes_no, digits, spelled, choice, date_time, name is expected here");
  return kind.value_or(AnswerKind::free);
}

void ScriptParser::state(const std::string& name, const Json& j, const std::string& path) {
  if (!object(
          j, path,
          {"say", "again", "protect", "globals", "expect", "digits", "on", "form", "no_match", "no_input", "dtmf"})) {
    return;
  }
  ScriptState out;
  out.name = name;
  out.say = wordings(j, "say", path);
  out.again = wordings(j, "again", path);
  out.protect = flag(j, "protect", path, false);
  out.globals = flag(j, "globals", path, true);
  if (!child(j, "expect").is_null()) out.kind = answer_kind(child(j, "expect"), path + "/expect");
  if (child(j, "digits").is_number_integer()) out.digits = child(j, "digits").get<int>();
  if (!child(j, "on").is_null()) out.on = intent_actions(child(j, "on"), path + "/on");
  out.no_match = ladder(j, "no_match", path);
  out.no_input = ladder(j, "no_input", path);
  out.dtmf = dtmf(j, path);
  if (!child(j, "form").is_null()) form(out, child(j, "form"), path + "/form");
  script_.states_.emplace(name, std::move(out));
}

void ScriptParser::form(ScriptState& state, const Json& j, const std::string& path) {
  if (!object(j, path, {"slots", "phrases", "confirm", "change", "done"})) return;
  auto out = std::make_unique<ScriptForm>();
  const Json& slots = child(j, "slots");
  if (!slots.is_array() || slots.empty()) {
    error(path + "/slots", "a list of slots is expected here");
  } else {
    for (std::size_t i = 0; i < slots.size(); ++i) slot(*out, slots[i], path + "/slots/" + std::to_string(i));
  }
  if (!child(j, "phrases").is_null()) out->phrases = texts(child(j, "phrases"), path + "/phrases");
  out->confirm = wordings(j, "confirm", path);
  out->change = wordings(j, "change", path);
  if (!out->confirm.empty() && out->change.empty()) error(path + "/change", "what is said after a 'no' is missing");
  if (child(j, "done").is_null()) {
    error(path + "/done", "what happens when the form is filled is missing");
  } else {
    out->done = action(child(j, "done"), path + "/done");
  }
  state.form = std::move(out);
}

void ScriptParser::slot(ScriptForm& form, const Json& j, const std::string& path) {
  if (!object(j, path, {"name", "phrases", "ask", "closed", "expect", "digits"})) return;
  ScriptSlot out;
  out.name = text(child(j, "name"), path + "/name");
  out.phrases = child(j, "phrases").is_null() ? std::vector<std::string>{"{" + out.name + "}"}
                                              : texts(child(j, "phrases"), path + "/phrases");
  out.ask = wordings(j, "ask", path);
  out.closed = wordings(j, "closed", path);
  if (out.ask.empty()) error(path + "/ask", "the question is missing");
  if (!child(j, "expect").is_null()) {
    out.kind = answer_kind(child(j, "expect"), path + "/expect");
  } else if (out.name == "day" || out.name == "time") {
    out.kind = AnswerKind::date_time;
  } else if (out.name == "name") {
    out.kind = AnswerKind::name;
  } else if (out.name == "digits") {
    out.kind = AnswerKind::digits;
  }
  if (child(j, "digits").is_number_integer()) out.digits = child(j, "digits").get<int>();
  slots_.insert(out.name);
  form.slots.push_back(std::move(out));
}

std::vector<std::pair<std::string, ScriptAction>> ScriptParser::intent_actions(const Json& j, const std::string& path) {
  std::vector<std::pair<std::string, ScriptAction>> out;
  if (!j.is_object()) {
    error(path, "an object of intents and their actions is expected here");
    return out;
  }
  for (const auto& [name, value] : j.items()) {
    intents_used_.push_back({path + "/" + name, name});
    out.emplace_back(name, action(value, path + "/" + name));
  }
  return out;
}

std::vector<ScriptAction> ScriptParser::ladder(const Json& parent, const char* key, const std::string& path) {
  std::vector<ScriptAction> out;
  const Json& j = child(parent, key);
  if (j.is_null()) return out;
  if (!j.is_array()) {
    error(path + "/" + key, "a list of actions is expected here: the first time, the second time ...");
    return out;
  }
  for (std::size_t i = 0; i < j.size(); ++i) out.push_back(action(j[i], path + "/" + key + "/" + std::to_string(i)));
  return out;
}

std::map<std::string, ScriptAction> ScriptParser::dtmf(const Json& parent, const std::string& path) {
  std::map<std::string, ScriptAction> out;
  const Json& j = child(parent, "dtmf");
  if (j.is_null()) return out;
  if (!j.is_object()) {
    error(path + "/dtmf", "an object of keys and their actions is expected here");
    return out;
  }
  for (const auto& [digits, value] : j.items()) out[digits] = action(value, path + "/dtmf/" + digits);
  return out;
}

ScriptAction ScriptParser::action(const Json& j, const std::string& path, bool is_case) {
  ScriptAction out;
  if (j.is_string()) {
    const Json wrapped = {{"say", j}};
    out.say = wordings(wrapped, "say", path);
    return out;
  }
  const bool fine =
      is_case
          ? object(j, path,
                   {"if", "say", "goto", "hang_up", "transfer", "repeat", "protect", "ask", "set", "clear", "keep"})
          : object(j, path,
                   {"say", "goto", "hang_up", "transfer", "repeat", "protect", "ask", "set", "clear", "keep", "cases"});
  if (!fine) return out;
  out.say = wordings(j, "say", path);
  if (!child(j, "goto").is_null()) {
    out.go = text(child(j, "goto"), path + "/goto");
    states_used_.push_back({path + "/goto", out.go});
  }
  if (!child(j, "transfer").is_null()) out.transfer = text(child(j, "transfer"), path + "/transfer");
  out.hang_up = flag(j, "hang_up", path, false);
  out.repeat = flag(j, "repeat", path, false);
  out.protect = flag(j, "protect", path, false);
  out.ask = flag(j, "ask", path, true);
  out.set = text_map(j, "set", path);
  for (const auto& [name, value] : out.set) slots_.insert(name);
  if (!child(j, "clear").is_null()) out.clear = texts(child(j, "clear"), path + "/clear");
  if (!child(j, "keep").is_null()) out.keep = texts(child(j, "keep"), path + "/keep");
  for (const std::string& name : out.clear) slots_used_.push_back({path + "/clear", name});
  for (const std::string& name : out.keep) slots_used_.push_back({path + "/keep", name});
  const Json& cases = child(j, "cases");
  if (cases.is_null()) return out;
  if (!cases.is_array()) {
    error(path + "/cases", "a list is expected here");
    return out;
  }
  for (std::size_t i = 0; i < cases.size(); ++i) {
    const std::string here = path + "/cases/" + std::to_string(i);
    ScriptCase one;
    if (!child(cases[i], "if").is_null()) {
      for (const std::string& condition_text : texts(child(cases[i], "if"), here + "/if")) {
        one.when.push_back(condition(condition_text, here + "/if"));
      }
    }
    one.then = action(cases[i], here, true);
    out.cases.push_back(std::move(one));
  }
  return out;
}

ScriptCondition ScriptParser::condition(const std::string& source, const std::string& path) {
  ScriptCondition out;
  std::string_view rest = voxgate::text::trim(source);
  if (rest.starts_with("not ")) {
    out.negated = true;
    rest = voxgate::text::trim(rest.substr(4));
  }
  const auto inside = [&](std::string_view function) -> std::optional<std::string> {
    if (!rest.starts_with(function) || rest.size() < function.size() + 3) return std::nullopt;
    if (rest[function.size()] != '(' || rest.back() != ')') return std::nullopt;
    return std::string(rest.substr(function.size() + 1, rest.size() - function.size() - 2));
  };
  const std::size_t equals = rest.find('=');
  if (rest == "open_now") {
    out.kind = ScriptCondition::Kind::open_now;
  } else if (const auto open = inside("open")) {
    out.kind = ScriptCondition::Kind::open_slot;
    out.slot = *open;
  } else if (const auto has = inside("has")) {
    out.kind = ScriptCondition::Kind::has_slot;
    out.slot = *has;
  } else if (equals != std::string_view::npos && equals > 0) {
    out.kind = ScriptCondition::Kind::equals;
    out.slot = std::string(rest.substr(0, equals));
    out.value = std::string(rest.substr(equals + 1));
  } else {
    error(path, "\"" + source +
                    "\" is not a condition; known are open_now, open(SLOT), has(SLOT), SLOT=VALUE, each with 'not '");
  }
  if (!out.slot.empty()) slots_used_.push_back({path, out.slot});
  return out;
}

// ---- what hangs together

void ScriptParser::add_intent(std::vector<PhraseGrammar::Entry>& to, const std::string& intent) const {
  const auto it = script_.intents_.find(intent);
  if (it == script_.intents_.end()) {
    to.push_back({"intent:" + intent, "{" + intent + "}", "/script/intents/" + intent});  // yes and no
    return;
  }
  for (std::size_t i = 0; i < it->second.size(); ++i) {
    to.push_back({"intent:" + intent, it->second[i], "/script/intents/" + intent + "/" + std::to_string(i)});
  }
}

void ScriptParser::compile(const std::string& name, std::vector<PhraseGrammar::Entry> entries) {
  if (entries.empty()) return;
  script_.entries_[name] = entries;
  auto made = PhraseGrammar::compile(script_.rules_, std::move(entries));
  if (const auto* problem = std::get_if<PhraseError>(&made)) {
    const std::string message =
        problem->column == 0 ? problem->message : "column " + std::to_string(problem->column) + ": " + problem->message;
    const auto same = [&](const ScriptError& e) { return e.path == problem->place && e.message == message; };
    if (std::none_of(errors_.begin(), errors_.end(), same)) error(problem->place, message);
    return;
  }
  script_.grammars_[name] = std::get<PhraseGrammar>(std::move(made));
}

void ScriptParser::grammars() {
  for (const Reference& used : intents_used_) {
    if (script_.intents_.contains(used.name) || used.name == "yes" || used.name == "no") continue;
    std::vector<std::string> names;
    for (const auto& [name, patterns] : script_.intents_) names.push_back(name);
    const auto near = voxgate::text::nearest(used.name, names);
    error(used.path, "there is no intent of this name" + (near ? "; did you mean '" + *near + "'?" : std::string()));
  }
  if (!errors_.empty()) return;  // the rest would only repeat them
  const std::vector<PhraseGrammar::Entry> yes_no = {{"yes", "{yes}", "yes"}, {"no", "{no}", "no"}};
  std::vector<PhraseGrammar::Entry> globals;
  for (const auto& [name, action] : script_.globals_) add_intent(globals, name);
  for (const auto& entry : script_.states_) {
    const std::string& name = entry.first;
    const ScriptState& state = entry.second;
    std::vector<PhraseGrammar::Entry> own;
    for (const auto& [intent, action] : state.on) add_intent(own, intent);
    std::vector<PhraseGrammar::Entry> fill;
    if (state.form != nullptr) {
      const std::string path = "/script/states/" + name + "/form";
      for (std::size_t i = 0; i < state.form->phrases.size(); ++i) {
        fill.push_back({"fill", state.form->phrases[i], path + "/phrases/" + std::to_string(i)});
      }
      for (std::size_t i = 0; i < state.form->slots.size(); ++i) {
        for (const std::string& pattern : state.form->slots[i].phrases) {
          fill.push_back({"fill", pattern, path + "/slots/" + std::to_string(i) + "/phrases"});
        }
      }
    }
    const auto with = [&](const std::vector<PhraseGrammar::Entry>& first) {
      std::vector<PhraseGrammar::Entry> all = first;
      all.insert(all.end(), fill.begin(), fill.end());
      all.insert(all.end(), own.begin(), own.end());
      if (state.globals) all.insert(all.end(), globals.begin(), globals.end());
      return all;
    };
    compile(name, with({}));
    if (state.form != nullptr && !state.form->confirm.empty()) compile(name + ".confirm", with(yes_no));
  }
  std::vector<PhraseGrammar::Entry> sure = yes_no;
  sure.insert(sure.end(), globals.begin(), globals.end());
  compile("sure", std::move(sure));
  for (const auto& [name, grammar] : script_.grammars_) {
    // Slots that phrases can fill: by sampling, since a slot may come from a rule inside a rule.
    for (const auto& sentence : grammar.sample(grammar.size() * 8, 7)) {
      if (const auto match = grammar.match(sentence)) {
        for (const auto& filled : match->slots) slots_.insert(filled.name);
      }
    }
  }
}

void ScriptParser::references() {
  for (const Reference& used : states_used_) {
    if (script_.states_.contains(used.name)) continue;
    std::vector<std::string> names;
    for (const auto& [name, state] : script_.states_) names.push_back(name);
    const auto near = voxgate::text::nearest(used.name, names);
    error(used.path,
          "there is no state '" + used.name + "'" + (near ? "; did you mean '" + *near + "'?" : std::string()));
  }
  if (!errors_.empty()) return;
  for (const Reference& used : slots_used_) {
    if (!slots_.contains(used.name)) error(used.path, "no phrase fills a slot '" + used.name + "'");
  }
  for (const Reference& used : templates_used_) {
    const std::string base = used.name.substr(0, used.name.find('.'));
    const std::string field = base.size() == used.name.size() ? "" : used.name.substr(base.size() + 1);
    const bool known_field = field.empty() || field == "value" || field == "hours" || field == "date";
    const bool known = used.name == "today.hours" || used.name == "next_open" || used.name == "heard" ||
                       (field.empty() && script_.values_.contains(base)) || (slots_.contains(base) && known_field);
    if (!known) error(used.path, "nothing is called {" + used.name + "}");
  }
}

}  // namespace voxgate::dialog
