// The table in the header of turn_taker.hpp is the specification: this test reads it from there and tries every pair.
#include "voxgate/dialog/turn_taker.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

namespace voxgate::dialog {
namespace {

struct Expected {
  std::string next;
  std::vector<std::string> actions;
};

std::map<std::pair<std::string, std::string>, Expected> table_of_the_header() {
  std::ifstream file(std::string(VOXGATE_SOURCE_DIR) + "/include/voxgate/dialog/turn_taker.hpp");
  std::map<std::pair<std::string, std::string>, Expected> table;
  std::string line, state;
  const std::regex row(R"(^// (\w*)\s+(\w+)\s+(\w+)\s+([\w, -]+?)\s*(\(.*)?$)");
  bool inside = false;
  while (std::getline(file, line)) {
    if (line.starts_with("// ------")) inside = true;
    if (line.starts_with("// any") || line == "//") inside = inside && !line.starts_with("// any");
    std::smatch m;
    if (!inside || line.starts_with("// ---") || !std::regex_match(line, m, row)) continue;
    if (m[1].length() > 0) state = m[1];
    Expected expected{m[3], {}};
    std::stringstream actions(m[4]);
    std::string action;
    while (std::getline(actions, action, ',')) {
      action.erase(0, action.find_first_not_of(' '));
      if (action != "-") expected.actions.push_back(action);
    }
    table[{state, m[2]}] = expected;
  }
  return table;
}

// The shortest way into every state.
const std::map<TurnState, std::vector<TurnEvent>> kWayTo{
    {TurnState::listening, {}},
    {TurnState::hearing, {TurnEvent::speech_start}},
    {TurnState::finalizing, {TurnEvent::speech_start, TurnEvent::end_of_turn}},
    {TurnState::thinking, {TurnEvent::no_input_due}},
    {TurnState::speaking, {TurnEvent::reply_audible}},
    {TurnState::held, {TurnEvent::reply_audible, TurnEvent::barge_hold}},
    {TurnState::closing, {TurnEvent::length_due}},
    {TurnState::ended, {TurnEvent::call_over}},
};

TEST(TurnTaker, DoesWhatItsTableSaysForEveryStateAndEvent) {
  const auto table = table_of_the_header();
  ASSERT_EQ(table.size(), 45u) << "the table in the header could not be read";
  for (const auto& [state, way] : kWayTo) {
    for (std::size_t e = 0; e < kTurnEvents; ++e) {
      const auto event = static_cast<TurnEvent>(e);
      if (event == TurnEvent::call_over) continue;
      TurnTaker turns;
      for (const TurnEvent step : way) turns.step(step);
      ASSERT_EQ(turns.state(), state);
      const TurnActions actions = turns.step(event);
      std::vector<std::string> names;
      for (const TurnAction action : actions) names.emplace_back(to_string(action));
      const auto row = table.find({to_string(state), to_string(event)});
      const std::string where = std::string(to_string(state)) + " + " + to_string(event);
      if (row == table.end()) {
        EXPECT_EQ(turns.state(), state) << where;
        EXPECT_TRUE(names.empty()) << where;
      } else {
        EXPECT_EQ(to_string(turns.state()), row->second.next) << where;
        EXPECT_EQ(names, row->second.actions) << where;
      }
    }
  }
}

TEST(TurnTaker, CallOverEndsItFromAnywhere) {
  for (const auto& [state, way] : kWayTo) {
    TurnTaker turns;
    for (const TurnEvent step : way) turns.step(step);
    turns.step(TurnEvent::call_over);
    EXPECT_EQ(turns.state(), TurnState::ended);
  }
}

}  // namespace
}  // namespace voxgate::dialog
