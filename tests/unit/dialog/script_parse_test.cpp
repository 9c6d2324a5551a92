#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "unit/dialog/agent_files.hpp"
#include "voxgate/dialog/script.hpp"

namespace voxgate::dialog {
namespace {

using Json = nlohmann::ordered_json;

Json minimal() {
  return Json::parse(R"({
    "intents": {"hello": ["hello [there]"], "go": ["go [on {day}]"]},
    "globals": {"hello": "Hi."},
    "no_match": ["What?"], "no_input": ["Still there?"],
    "start": "a",
    "states": {"a": {"say": ["Welcome."], "on": {"go": {"goto": "b"}}}, "b": {"say": "Bee."}}
  })");
}

/// All errors as "path: message", one per line.
std::string errors_of(const Json& script) {
  auto parsed = Script::parse("x", script);
  std::string out;
  if (const auto* errors = std::get_if<std::vector<ScriptError>>(&parsed)) {
    for (const ScriptError& error : *errors) out += error.path + ": " + error.message + "\n";
  }
  return out;
}

std::string errors_with(const std::function<void(Json&)>& change) {
  Json script = minimal();
  change(script);
  return errors_of(script);
}

TEST(Script, AMinimalScriptParses) {
  EXPECT_EQ(errors_of(minimal()), "");
}

TEST(Script, ErrorsNameThePathAndTheNearestName) {
  EXPECT_EQ(errors_with([](Json& j) { j["stats"] = 1; }), "/script/stats: unknown key; did you mean 'states'?\n");
  EXPECT_EQ(errors_with([](Json& j) { j["states"]["a"]["on"]["go"]["gotoo"] = "b"; }),
            "/script/states/a/on/go/gotoo: unknown key; did you mean 'goto'?\n");
  EXPECT_EQ(errors_with([](Json& j) {
              j["states"]["a"]["on"]["go"]["goto"] = "c";
            }).rfind("/script/states/a/on/go/goto: there is no state 'c'", 0),
            0u);
  EXPECT_EQ(errors_with([](Json& j) { j["states"]["a"]["on"]["helo"] = "x"; }),
            "/script/states/a/on/helo: there is no intent of this name; did you mean 'hello'?\n");
  EXPECT_EQ(errors_with([](Json& j) { j["intents"]["go"][0] = "go [on {day}"; }),
            "/script/intents/go/0: column 4: this bracket is not closed with ']'\n");
  EXPECT_EQ(errors_with([](Json& j) { j["states"]["b"]["say"] = "On {dya}."; }),
            "/script/states/b/say: nothing is called {dya}\n");
  EXPECT_EQ(errors_with([](Json& j) { j["states"]["b"]["say"] = "On {day"; }),
            "/script/states/b/say: a brace is not closed, or has nothing in it: \"On {day\"\n");
  EXPECT_EQ(errors_with([](Json& j) { j["start"] = 7; }),
            "/script/start: the name of the first state is expected here\n");
  EXPECT_EQ(errors_with([](Json& j) {
              j["hours"] = {{"monday", "9 to 5"}};
            }),
            "/script/hours/monday: \"9 to 5\" is not a span of time like \"08:00-12:30\"\n");
  EXPECT_EQ(errors_with([](Json& j) {
              j["hours"] = {{"mon", "09:00-17:00"}};
            }),
            "/script/hours/mon: a weekday is expected here\n");
  EXPECT_EQ(
      errors_with([](Json& j) { j["states"]["b"]["expect"] = "maybe"; }),
      "/script/states/b/expect: one of free, yes_no, digits, spelled, choice, date_time, name is expected here\n");
  EXPECT_EQ(errors_with([](Json& j) { j.erase("no_match"); }),
            "/script/no_match: what is said when the caller is not understood is missing\n");
  EXPECT_EQ(errors_with([](Json& j) {
              j["globals"]["hello"] = {{"cases", {{{"if", "opened"}, {"say", "x"}}}}};
            }).rfind("/script/globals/hello/cases/0/if: \"opened\" is not a condition", 0),
            0u);
  EXPECT_EQ(errors_with([](Json& j) {
              j["globals"]["hello"] = {{"say", "x"}, {"keep", {"month"}}};
            }),
            "/script/globals/hello/keep: no phrase fills a slot 'month'\n");
  EXPECT_EQ(errors_with([](Json& j) {
              j["rules"] = {{"r", "a <s>"}, {"s", "b <r>"}};
            }).find("contains itself") == std::string::npos,
            false);
  EXPECT_EQ(errors_with([](Json& j) {
              j["states"]["b"]["form"] = {{"slots", {{{"name", "day"}}}}};
            }),
            "/script/states/b/form/slots/0/ask: the question is missing\n"
            "/script/states/b/form/done: what happens when the form is filled is missing\n");
}

TEST(Script, SeveralMistakesAreToldAtOnce) {
  const std::string all = errors_with([](Json& j) {
    j["states"]["a"]["say"] = 5;
    j["states"]["b"]["protect"] = "yes";
    j["globals"]["hello"] = 1;
  });
  EXPECT_NE(all.find("/script/states/a/say: "), std::string::npos);
  EXPECT_NE(all.find("/script/states/b/protect: true or false"), std::string::npos);
  EXPECT_NE(all.find("/script/globals/hello: an object is expected here"), std::string::npos);
}

TEST(Script, HostileShapesAreErrorsNotCrashes) {
  for (const char* text : {"[]", "null", "{}", "{\"script\": 3}", "{\"script\": {\"states\": []}}", "not json",
                           "{\"script\": {\"states\": {\"a\": null}, \"globals\": [1], \"lists\": {\"x\": {}}, "
                           "\"rules\": 4, \"intents\": {\"i\": {}}, \"dtmf\": \"\", \"no_input\": {}}}"}) {
    const auto parsed = Script::parse_agent_file("x", text);
    EXPECT_TRUE(std::holds_alternative<std::vector<ScriptError>>(parsed)) << text;
  }
}

TEST(Script, TheAgentsThatComeWithTheProjectParse) {
  for (const char* name : {"demo", "bistro"}) {
    const auto script = test::agent_script(name);
    const auto speech = script->speech();
    EXPECT_EQ(speech.agent, name);
    EXPECT_GE(speech.states.size(), 4u);
    EXPECT_NE(script->grammar("sure"), nullptr);
    EXPECT_GE(script->fixed_prompts().size(), 10u);
    for (const std::string& prompt : script->fixed_prompts()) EXPECT_EQ(prompt.find('{'), std::string::npos);
  }
}

TEST(BusinessHours, KnowsOpenClosedAndNext) {
  BusinessHours hours;
  for (int day = 0; day < 5; ++day) hours.set(day, {{8 * 60, 12 * 60}, {13 * 60, 17 * 60}});
  const DayNumber friday = 20'777;  // 2026-11-20
  ASSERT_EQ(weekday_name(weekday_of(friday)), "Friday");
  EXPECT_TRUE(hours.open_at(friday, 8 * 60));
  EXPECT_FALSE(hours.open_at(friday, 12 * 60));
  EXPECT_FALSE(hours.open_at(friday, 17 * 60));
  EXPECT_FALSE(hours.open_on(friday + 1));
  EXPECT_EQ(hours.text(friday), "8 AM to noon and 1 PM to 5 PM");
  EXPECT_EQ(hours.text(friday + 1), "closed");
  EXPECT_EQ(hours.next_opening({friday, 12 * 60 + 5}), "today at 1 PM");
  EXPECT_EQ(hours.next_opening({friday, 18 * 60}), "Monday at 8 AM");
  EXPECT_EQ(hours.next_opening({friday + 2, 600}), "tomorrow at 8 AM");
  EXPECT_EQ(BusinessHours{}.next_opening({friday, 0}), "");
}

TEST(BusinessHours, ResolvesSpokenDays) {
  const DayNumber friday = 20'777;
  EXPECT_EQ(resolve_day("today", friday), friday);
  EXPECT_EQ(resolve_day("day_after_tomorrow", friday), friday + 2);
  EXPECT_EQ(resolve_day("friday", friday), friday + 7);
  EXPECT_EQ(resolve_day("monday", friday), friday + 3);
  EXPECT_EQ(resolve_day("next_monday", friday), friday + 3);
  EXPECT_EQ(resolve_day("next_friday", friday), friday + 7);
  EXPECT_EQ(resolve_day("next_friday", friday - 4), friday + 7) << "said on a Monday: of the next week";
  EXPECT_EQ(resolve_day("-23", friday), friday + 3);
  EXPECT_EQ(resolve_day("12-01", friday), friday + 11);
  EXPECT_EQ(resolve_day("02-31", friday), std::nullopt);
  EXPECT_EQ(resolve_day("15:30", friday), std::nullopt);
  EXPECT_EQ(resolve_day("blue", friday), std::nullopt);
  EXPECT_EQ(long_date(friday), "Friday, November 20th");
  EXPECT_EQ(long_date(friday + 3), "Monday, November 23rd");
  const LocalTime now = LocalTime::from_wall(friday * 86'400'000 + 30 * 60'000, -60);
  EXPECT_EQ(now.day, friday - 1);
  EXPECT_EQ(now.minute, 23 * 60 + 30);
}

}  // namespace
}  // namespace voxgate::dialog
