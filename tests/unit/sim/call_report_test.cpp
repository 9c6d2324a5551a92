#include "voxgate/sim/call_report.hpp"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "sim/call_watch.hpp"

namespace voxgate::sim {
namespace {

using ::testing::DoubleEq;
using ::testing::ElementsAre;
using ::testing::Optional;

PlannedTurn said(std::string text, std::string expect = "") {
  PlannedTurn turn;
  turn.script = {TurnKind::say, std::move(text), std::nullopt, std::move(expect)};
  return turn;
}

GatewayTurn told(int number, std::int64_t at_ms, std::string caller, std::string agent) {
  GatewayTurn turn;
  turn.number = number;
  turn.at_ms = at_ms;
  turn.caller = std::move(caller);
  turn.agent = std::move(agent);
  turn.over = true;
  return turn;
}

TurnTrace trace(Duration onset, Duration end, Duration reply) {
  TurnTrace out;
  out.onset = onset;
  out.speech_end = end;
  out.reply_media = reply;
  out.replied = true;
  return out;
}

// Two turns, both answered as expected.
struct Talk {
  CallPlan plan;
  CallResult result;
  Talk() {
    plan.turns = {said("Book an appointment", "which day"), said("Tuesday at 3")};
    result.outcome = CallOutcome::completed;
    result.turns = {trace(3s, 5s, 5500ms), trace(8s, 9s, 9700ms)};
    result.gateway.reachable = result.gateway.found = true;
    result.gateway.turns = {told(1, 0, "", "Hello."), told(2, 5400, "book an appointment", "Which day?"),
                            told(3, 9600, "tuesday at three", "Is that right?")};
  }
};

TEST(CallReport, GivesEveryGatewayTurnToTheTurnItAnswers) {
  Talk talk;
  EXPECT_THAT(assign_turns(talk.result), ElementsAre(-1, 0, 1));
  const CallReport report = make_report(talk.plan, "hello", talk.result);
  EXPECT_THAT(report.greeting.expect_ok, Optional(true));
  ASSERT_EQ(report.turns.size(), 2u);
  EXPECT_EQ(report.turns[0].agent, "Which day?");
  EXPECT_THAT(report.turns[0].heard_match, Optional(true));
  EXPECT_THAT(report.turns[0].latency_ms, Optional(DoubleEq(500)));
  EXPECT_THAT(report.turns[1].heard_match, Optional(true)) << "3 is said three";
  EXPECT_TRUE(report.summary.passed);
  EXPECT_EQ(report.summary.expects_ok, 2);
  EXPECT_THAT(report.summary.latency_p50_ms, Optional(DoubleEq(500)));
  EXPECT_THAT(report.summary.latency_p95_ms, Optional(DoubleEq(700)));
}

TEST(CallReport, AnUnmetExpectationFails) {
  Talk talk;
  talk.plan.turns[0].script.expect = "which time";
  EXPECT_FALSE(make_report(talk.plan, "", talk.result).summary.passed);
}

TEST(CallReport, WithoutTheAdminDoorExpectationsFail) {
  Talk talk;
  talk.result.gateway = {};
  const CallReport report = make_report(talk.plan, "", talk.result);
  EXPECT_THAT(report.turns[0].expect_ok, Optional(false));
  EXPECT_FALSE(report.summary.passed);
  EXPECT_THAT(report.turns[0].latency_ms, Optional(DoubleEq(500))) << "the wire needs no admin door";
}

TEST(CallReport, ACutCallFailsEvenWithoutExpectations) {
  Talk talk;
  talk.plan.turns[0].script.expect.clear();
  talk.result.outcome = CallOutcome::cut;
  EXPECT_FALSE(make_report(talk.plan, "", talk.result).summary.passed);
}

TEST(CallReport, TurnsThatWereNeverSpokenCountAsUnmet) {
  Talk talk;
  talk.plan.turns.push_back(said("Goodbye", "bye"));
  const CallReport report = make_report(talk.plan, "", talk.result);
  EXPECT_THAT(report.turns[2].expect_ok, Optional(false));
  EXPECT_EQ(report.summary.spoken, 3);
  EXPECT_EQ(report.summary.recognised, 2);
}

TEST(CallReport, MeasuresAnInterruptionFromItsOnset) {
  Talk talk;
  TurnTrace& turn = talk.result.turns[1];
  turn.interrupting = true;
  turn.clear = 8350ms;
  turn.old_audio_end = 8300ms;
  talk.result.gateway.turns[1].interrupted = true;
  const CallReport report = make_report(talk.plan, "", talk.result);
  EXPECT_THAT(report.turns[1].barge_reaction_ms, Optional(DoubleEq(350)));
  EXPECT_THAT(report.turns[1].barge_tail_ms, Optional(DoubleEq(300)));
  EXPECT_TRUE(report.turns[1].cut_previous);
  EXPECT_EQ(report.summary.barge_ins, 1);
}

TEST(CallReport, JoinedTurnsAreNotHeardTwice) {
  EXPECT_EQ(joined_caller_text({told(2, 0, "i would like", ""), told(3, 0, "i would like to book", "")}, ""),
            "i would like to book");
  EXPECT_EQ(joined_caller_text({told(2, 0, "yes please no", "")}, "yes please"), "no");
  EXPECT_EQ(joined_caller_text({told(2, 0, "yes", "")}, "yes"), "yes") << "the same answer twice is no repetition";
}

TEST(CallReport, WordAccuracyCountsErrors) {
  EXPECT_DOUBLE_EQ(word_accuracy("book an appointment, please", "Book an appointment please"), 1.0);
  EXPECT_DOUBLE_EQ(word_accuracy("book an appointment please", "book the appointment"), 0.5);
  EXPECT_DOUBLE_EQ(word_accuracy("yes", ""), 0.0);
  EXPECT_DOUBLE_EQ(word_accuracy("yes", "no no no"), 0.0) << "never negative";
  EXPECT_THAT(normalised_words("At 10:45, on the 21st"),
              ElementsAre("at", "ten", "forty", "five", "on", "the", "twenty", "one", "st"));
}

TEST(CallReport, PercentilesAreNearestRank) {
  EXPECT_EQ(percentile({}, 0.5), std::nullopt);
  EXPECT_THAT(percentile({3, 1, 2}, 0.5), Optional(2.0));
  EXPECT_THAT(percentile({4, 3, 1, 2}, 0.5), Optional(2.0));
  EXPECT_THAT(percentile({4, 3, 1, 2}, 0.95), Optional(4.0));
  EXPECT_THAT(percentile({7}, 1.0), Optional(7.0));
}

TEST(CallReport, JsonCarriesEveryTurn) {
  Talk talk;
  talk.result.call_id = "CA1";
  const auto json = nlohmann::json::parse(to_json(make_report(talk.plan, "", talk.result), talk.result, "a.wav"));
  EXPECT_EQ(json["call"], "CA1");
  EXPECT_EQ(json["wav"], "a.wav");
  ASSERT_EQ(json["turns"].size(), 2u);
  EXPECT_EQ(json["turns"][0]["heard"], "book an appointment");
  EXPECT_EQ(json["turns"][0]["latency_ms"], 500);
  EXPECT_EQ(json["turns"][1]["expect"], nullptr);
  EXPECT_EQ(json["summary"]["recognised_pct"], 100);
}

TEST(GatewayCall, IsReadWithItsStagesInOrder) {
  const auto call = parse_gateway_call(R"({"call":"CA1","live":true,"turns":[{"number":2,"cause":"user_turn",
    "at_ms":4100,"caller":"hi","agent":"Hello.","over":true,"interrupted":true,"latency_ms":40.5,
    "stages_ms":{"asr":2,"endpointing":30,"llm":0,"out":1,"split":0,"tts":7.5}}]})");
  ASSERT_TRUE(call);
  EXPECT_TRUE(call->live);
  ASSERT_EQ(call->turns.size(), 1u);
  EXPECT_EQ(call->turns[0].caller, "hi");
  EXPECT_TRUE(call->turns[0].interrupted);
  ASSERT_EQ(call->turns[0].stages_ms.size(), 6u);
  EXPECT_EQ(call->turns[0].stages_ms[0].first, "endpointing");
  EXPECT_EQ(call->turns[0].stages_ms[5].first, "out");
}

TEST(GatewayCall, OtherAnswersAreNoCall) {
  EXPECT_FALSE(parse_gateway_call("not json"));
  EXPECT_FALSE(parse_gateway_call("[]"));
  EXPECT_FALSE(parse_gateway_call(R"({"reason":"no such call"})"));
  EXPECT_TRUE(parse_gateway_call(R"({"call":"x","turns":[1,{"number":"two","stages_ms":3}]})")) << "odd, not fatal";
}

}  // namespace
}  // namespace voxgate::sim
