#include "voxgate/sim/call_script.hpp"

#include <gmock/gmock.h>

namespace voxgate::sim {
namespace {

using ::testing::HasSubstr;

// Takes all of `args`; the number of words taken.
std::size_t take_all(CallScript& script, const std::vector<std::string>& args) {
  std::size_t i = 0;
  for (; i < args.size(); ++i) {
    if (!script.take(args, i)) break;
  }
  return i;
}

TEST(CallScript, KeepsTheTurnsInOrderWithTheirModifiers) {
  CallScript script;
  const std::vector<std::string> args{"--expect", "hello",   "--say",  "I would like to book",
                                      "--expect", "service", "--wait", "--barge-at",
                                      "1.5",      "--dtmf",  "1*#",    "--expect",
                                      "booked",   "--wav",   "a b.wav"};
  ASSERT_EQ(take_all(script, args), args.size()) << script.error();
  EXPECT_EQ(script.expect_greeting(), "hello");
  ASSERT_EQ(script.turns().size(), 4u);
  EXPECT_EQ(script.turns()[0].kind, TurnKind::say);
  EXPECT_EQ(script.turns()[0].text, "I would like to book");
  EXPECT_EQ(script.turns()[0].expect, "service");
  EXPECT_EQ(script.turns()[0].barge_at, std::nullopt);
  EXPECT_EQ(script.turns()[1].kind, TurnKind::wait);
  EXPECT_EQ(script.turns()[1].barge_at, 1500ms);
  EXPECT_EQ(script.turns()[2].kind, TurnKind::dtmf);
  EXPECT_EQ(script.turns()[2].expect, "booked");
  EXPECT_EQ(script.turns()[3].kind, TurnKind::wav);
  EXPECT_EQ(script.turns()[3].text, "a b.wav");
}

TEST(CallScript, LeavesOtherOptionsAlone) {
  CallScript script;
  std::size_t i = 0;
  EXPECT_FALSE(script.take({"--url", "ws://x"}, i));
  EXPECT_EQ(i, 0u);
  EXPECT_EQ(script.error(), "");
}

TEST(CallScript, SaysWhatIsWrong) {
  const auto error_of = [](const std::vector<std::string>& args) {
    CallScript script;
    EXPECT_LT(take_all(script, args), args.size());
    return script.error();
  };
  EXPECT_THAT(error_of({"--say"}), HasSubstr("needs a value"));
  EXPECT_THAT(error_of({"--say", ""}), HasSubstr("--say"));
  EXPECT_THAT(error_of({"--dtmf", "12x"}), HasSubstr("12x"));
  EXPECT_THAT(error_of({"--barge-at", "1"}), HasSubstr("behind the turn"));
  EXPECT_THAT(error_of({"--wait", "--barge-at", "-1"}), HasSubstr("-1"));
  EXPECT_THAT(error_of({"--wait", "--barge-at", "2s"}), HasSubstr("2s"));
  EXPECT_THAT(error_of({"--wait", "--barge-at", "2", "--barge-at", "3"}), HasSubstr("one --barge-at"));
  EXPECT_THAT(error_of({"--say", "x", "--expect", "(a"}), HasSubstr("(a"));
  EXPECT_THAT(error_of({"--expect", "a", "--expect", "b"}), HasSubstr("one --expect"));
}

TEST(CallScript, MatchesAnywhereWithoutCase) {
  EXPECT_TRUE(matches("which DAY|what day", "Sure. Which day suits you?"));
  EXPECT_TRUE(matches("^sure", "Sure."));
  EXPECT_FALSE(matches("^day", "Which day"));
  EXPECT_FALSE(matches("(", "("));
}

}  // namespace
}  // namespace voxgate::sim
