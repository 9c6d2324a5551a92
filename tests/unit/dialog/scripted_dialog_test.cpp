#include "voxgate/dialog/scripted_dialog.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "unit/dialog/agent_files.hpp"

namespace voxgate::dialog {
namespace {

using testing::HasSubstr;
using vendors::AnswerKind;
using vendors::LlmEvent;
using vendors::LlmRequest;
using vendors::Message;
using vendors::Role;
using vendors::TurnCause;

constexpr std::int64_t kFridayTen = (20'777LL * 24 + 10) * 3'600'000;  // 2026-11-20 10:00 UTC

/// A call: keeps the history as the gateway would.
struct Talk {
  explicit Talk(const std::string& agent, std::int64_t wall = kFridayTen)
      : script(test::agent_script(agent)), wall_ms(wall) {
    ask(TurnCause::greeting, "");
  }
  const ScriptedAnswer& ask(TurnCause cause, const std::string& text, double confidence = 0.9, int repeat = 1) {
    if (cause == TurnCause::user_turn || cause == TurnCause::dtmf) messages.push_back({Role::user, text, "", false});
    LlmRequest request;
    request.id = ++id;
    request.cause = cause;
    request.messages = messages;
    request.confidence = confidence;
    request.repeat = repeat;
    request.wall_ms = wall_ms;
    last = answer_by_script(*script, request);
    messages.push_back({Role::assistant, last.text, last.state, false});
    return last;
  }
  const ScriptedAnswer& say(const std::string& text, double confidence = 0.9) {
    return ask(TurnCause::user_turn, text, confidence);
  }
  std::shared_ptr<const Script> script;
  std::int64_t wall_ms;
  std::vector<Message> messages;
  std::uint64_t id = 0;
  ScriptedAnswer last;
};

TEST(ScriptedDialog, AWholeCallWithAChangeOfMind) {
  Talk talk("demo");
  EXPECT_THAT(talk.last.text, HasSubstr("this is Maple Street Dental"));
  EXPECT_EQ(talk.last.expectation.grammar, "demo/menu");
  EXPECT_THAT(talk.say("what are your opening hours").text, HasSubstr("open right now"));
  EXPECT_THAT(talk.say("are you open on sunday").text, HasSubstr("No, we are closed then"));
  EXPECT_THAT(talk.say("how much is a cleaning").text, HasSubstr("95 dollars"));
  EXPECT_THAT(talk.say("i would like to book an appointment").text, HasSubstr("a checkup, a cleaning, or a filling?"));
  EXPECT_EQ(talk.last.expectation.grammar, "demo/book");
  EXPECT_EQ(talk.last.expectation.kind, AnswerKind::choice);
  talk.say("a cleaning please");
  EXPECT_EQ(talk.last.expectation.kind, AnswerKind::date_time);
  EXPECT_THAT(talk.say("on thursday").text, HasSubstr("time"));
  EXPECT_THAT(talk.say("at half past two").text, HasSubstr("a cleaning on Thursday, November 26th at 2:30 PM"));
  EXPECT_EQ(talk.last.expectation.grammar, "demo/book.confirm");
  EXPECT_EQ(talk.last.expectation.kind, AnswerKind::yes_no);
  EXPECT_THAT(talk.say("no on friday").text, HasSubstr("Friday, November 27th at 2:30 PM"));
  EXPECT_THAT(talk.say("no").text, HasSubstr("change"));
  EXPECT_THAT(talk.say("make it at ten").text, HasSubstr("at 10 AM"));
  EXPECT_THAT(talk.say("yes that's right").text, HasSubstr("booked for Friday, November 27th at 10 AM"));
  EXPECT_EQ(talk.last.expectation.grammar, "demo/menu");
  EXPECT_FALSE(talk.last.hang_up);
  EXPECT_THAT(talk.say("that's all thank you").text, HasSubstr("Goodbye"));
  EXPECT_TRUE(talk.last.hang_up);
}

TEST(ScriptedDialog, OneSentenceFillsTheWholeForm) {
  Talk talk("demo");
  EXPECT_THAT(talk.say("I'd like to book an appointment for a checkup on Monday at 3:30 PM, please.").text,
              HasSubstr("a checkup on Monday, November 23rd at 3:30 PM"));
  talk.say("yes");
  EXPECT_THAT(talk.say("book an appointment").text, HasSubstr("a checkup, a cleaning, or a filling?"))
      << "nothing of the first appointment is left";
}

TEST(ScriptedDialog, ClosedDaysAndTimesAreRefused) {
  Talk talk("demo");
  EXPECT_THAT(talk.say("book an appointment for a checkup on saturday at ten").text, HasSubstr("closed Saturday"));
  EXPECT_THAT(talk.say("on monday").text, HasSubstr("I have a checkup on Monday, November 23rd at 10 AM"))
      << "the time was fine and is kept";
  EXPECT_THAT(talk.say("no at seven pm").text, HasSubstr("not open at 7 PM Monday"));
  EXPECT_THAT(talk.last.text, HasSubstr("8 AM to noon and 1 PM to 5 PM"));
  EXPECT_THAT(talk.say("at four").text, HasSubstr("at 4 PM"));
}

TEST(ScriptedDialog, GlobalQuestionsInsideAFormComeBackToIt) {
  Talk talk("demo");
  talk.say("book an appointment");
  talk.say("a filling");
  const auto& answer = talk.say("where are you located");
  EXPECT_THAT(answer.text, HasSubstr("21 Maple Street"));
  EXPECT_THAT(answer.text, HasSubstr("day")) << "and the question is asked again";
  EXPECT_EQ(answer.expectation.grammar, "demo/book");
  EXPECT_THAT(talk.say("cancel my appointment").text, HasSubstr("no appointment then"));
}

TEST(ScriptedDialog, OpenNowFollowsTheClockOfTheRequest) {
  Talk open("demo", kFridayTen);
  EXPECT_THAT(open.say("are you open now").text, HasSubstr("open right now"));
  Talk closed("demo", kFridayTen + 8LL * 3'600'000);
  EXPECT_THAT(closed.say("are you open now").text, HasSubstr("open again Monday at 8 AM"));
  EXPECT_EQ(closed.say("my tooth hurts").transfer, "+15550104499");
  EXPECT_EQ(open.say("my tooth hurts").transfer, "+15550104477");
}

TEST(ScriptedDialog, NotUnderstoodClimbsTheLadderAndUnderstandingResetsIt) {
  Talk talk("demo");
  const auto& first = talk.say("purple monkey dishwasher");
  EXPECT_THAT(first.text, testing::AnyOf(HasSubstr("did not get"), HasSubstr("did not understand")));
  EXPECT_THAT(talk.ask(TurnCause::no_match, "", 0.9, 2).text, HasSubstr("You can say"));
  talk.say("where are you");
  EXPECT_THAT(talk.say("book an appointment", 0.2).text,
              testing::AnyOf(HasSubstr("did not get"), HasSubstr("did not understand")))
      << "words that the recogniser doubts are not acted upon";
  talk.say("blah");
  const auto& third = talk.say("blah blah");
  EXPECT_EQ(third.transfer, "+15550104477");
}

TEST(ScriptedDialog, DoubtfulWordsAreConfirmedFirst) {
  Talk talk("demo");
  EXPECT_EQ(talk.say("how much is a filling", 0.52).text, "I understood: how much is a filling. Is that right?");
  EXPECT_EQ(talk.last.expectation.grammar, "demo/sure");
  EXPECT_THAT(talk.say("yes").text, HasSubstr("120 and 180"));
  talk.say("cancel my appointment", 0.52);
  EXPECT_THAT(talk.say("no").text, testing::AnyOf(HasSubstr("did not get"), HasSubstr("did not understand")));
  talk.say("cancel my appointment", 0.52);
  EXPECT_THAT(talk.say("where are you").text, HasSubstr("21 Maple Street")) << "the caller may also just go on";
}

TEST(ScriptedDialog, SilenceClimbsItsLadderAndEndsTheCall) {
  Talk talk("demo");
  EXPECT_THAT(talk.ask(TurnCause::no_input, "", 1, 1).text, HasSubstr("still there"));
  EXPECT_THAT(talk.ask(TurnCause::no_input, "", 1, 2).text, HasSubstr("cannot hear"));
  EXPECT_FALSE(talk.last.hang_up);
  EXPECT_TRUE(talk.ask(TurnCause::no_input, "", 1, 3).hang_up);
}

TEST(ScriptedDialog, RepeatsWhatItSaidLast) {
  Talk talk("demo");
  const std::string price = talk.say("how much does a cleaning cost").text;
  EXPECT_EQ(talk.say("can you repeat that please").text, price);
  EXPECT_EQ(talk.say("pardon").text, price) << "also twice";
}

TEST(ScriptedDialog, KeysOfTheTelephoneWorkToo) {
  Talk talk("demo");
  EXPECT_EQ(talk.ask(TurnCause::dtmf, "0").transfer, "+15550104477");
  EXPECT_EQ(Talk("demo").ask(TurnCause::dtmf, "1").expectation.grammar, "demo/book");
}

TEST(ScriptedDialog, IsStatelessSoThatASpeculativeRequestLeavesNoTrace) {
  Talk talk("demo");
  talk.say("book an appointment for a checkup");
  LlmRequest request;
  request.id = 99;
  request.messages = talk.messages;
  request.messages.push_back({Role::user, "on monday", "", false});
  request.wall_ms = kFridayTen;
  const ScriptedAnswer once = answer_by_script(*talk.script, request);
  const ScriptedAnswer again = answer_by_script(*talk.script, request);
  EXPECT_EQ(once.text, again.text);
  EXPECT_EQ(once.state, again.state);
  request.messages.back().text = "on tuesday";
  answer_by_script(*talk.script, request);
  EXPECT_EQ(talk.say("on monday").state, once.state);
  EXPECT_LT(once.state.size(), 1000u);
}

TEST(ScriptedDialog, BrokenOrForeignStateStartsOver) {
  Talk talk("demo");
  for (const char* state :
       {"{", "[]", "{\"s\":\"gone\"}", "{\"s\":5}", "{\"s\":\"book\",\"v\":{\"day\":[1]},\"b\":[3]}"}) {
    LlmRequest request;
    request.id = 1;
    request.messages = {{Role::assistant, "x", state, false}, {Role::user, "hello", "", false}};
    EXPECT_FALSE(answer_by_script(*talk.script, request).text.empty()) << state;
  }
}

TEST(ScriptedDialog, AnotherBusinessIsOnlyAnotherFile) {
  Talk talk("bistro");
  EXPECT_THAT(talk.last.text, HasSubstr("Corner Bistro"));
  EXPECT_THAT(talk.say("what's on the menu").text, HasSubstr("grilled salmon"));
  EXPECT_THAT(talk.say("do you have anything without meat").text, HasSubstr("mushroom pasta"));
  EXPECT_THAT(talk.say("are you open on monday").text, HasSubstr("closed then"));
  EXPECT_THAT(talk.say("a table for four people on saturday please").text, HasSubstr("At what time"));
  EXPECT_THAT(talk.say("at ten am").text, HasSubstr("Saturday our kitchen is open noon to 11 PM"));
  EXPECT_THAT(talk.say("at eight pm").text, HasSubstr("A table for four, Saturday, November 21st, at 8 PM"));
  EXPECT_THAT(talk.say("no six people").text, HasSubstr("for six"));
  EXPECT_THAT(talk.say("yes please").text, HasSubstr("reserved"));
  EXPECT_TRUE(talk.say("goodbye").hang_up);
}

struct Streamed {
  explicit Streamed(const std::string& agent)
      : stream(test::agent_script(agent), [this](LlmEvent&& e) { events.push_back(std::move(e)); }) {}
  std::vector<LlmEvent> events;
  ScriptedDialog stream;
};

LlmRequest greeting(std::uint64_t id) {
  LlmRequest request;
  request.id = id;
  request.cause = TurnCause::greeting;
  request.wall_ms = kFridayTen;
  return request;
}

TEST(ScriptedDialog, StreamsSentencesThenExpectationStateAndDone) {
  Streamed s("demo");
  s.stream.start(greeting(7));
  std::vector<std::size_t> kinds;
  std::string text;
  for (const LlmEvent& event : s.events) {
    EXPECT_EQ(event.request, 7u);
    kinds.push_back(event.body.index());
    if (const auto* t = std::get_if<vendors::LlmText>(&event.body)) text += t->text;
  }
  EXPECT_EQ(kinds, (std::vector<std::size_t>{0, 0, 0, 2, 4, 6})) << "three texts, expectation, state, done";
  EXPECT_THAT(text, testing::EndsWith("How can I help you?"));
}

TEST(ScriptedDialog, HangingUpAndHandingOverAreToolCalls) {
  for (const auto& [words, name, arguments] : {std::tuple{"goodbye", "hang_up", "{}"},
                                               std::tuple{"talk to a human", "transfer", R"({"to":"+15550104477"})"}}) {
    Streamed s("demo");
    LlmRequest request = greeting(1);
    request.cause = TurnCause::user_turn;
    request.messages = {{Role::assistant, "", R"({"s":"menu","n":1})", false}, {Role::user, words, "", false}};
    s.stream.start(request);
    ASSERT_GE(s.events.size(), 3u);
    const auto* call = std::get_if<vendors::LlmToolCall>(&s.events[s.events.size() - 2].body);
    ASSERT_NE(call, nullptr) << words;
    EXPECT_EQ(call->name, name);
    EXPECT_EQ(call->json_arguments, arguments);
    EXPECT_EQ(std::get<vendors::LlmDone>(s.events.back().body).reason, vendors::LlmStop::tool_calls);
  }
}

TEST(ScriptedDialog, ProtectedPromptsSaySoBeforeTheirText) {
  auto file = test::agent_file("demo");
  const std::string key = "\"again\": [\"What else";
  file.replace(file.find(key), 0, "\"protect\": true, ");
  std::vector<LlmEvent> events;
  ScriptedDialog dialog(test::script_from("demo", file), [&](LlmEvent&& e) { events.push_back(std::move(e)); });
  dialog.start(greeting(1));
  EXPECT_TRUE(std::holds_alternative<vendors::LlmProtect>(events.front().body));
}

TEST(ScriptedDialog, CancelInsideAnEventStopsTheRestAndTheSinkMayDestroyTheStream) {
  std::unique_ptr<ScriptedDialog> dialog;
  int events = 0;
  dialog = std::make_unique<ScriptedDialog>(test::agent_script("demo"), [&](LlmEvent&&) {
    ++events;
    dialog->cancel(1);
  });
  dialog->start(greeting(1));
  EXPECT_EQ(events, 1);
  events = 0;
  dialog = std::make_unique<ScriptedDialog>(test::agent_script("demo"), [&](LlmEvent&&) {
    ++events;
    dialog.reset();
  });
  dialog->start(greeting(2));
  EXPECT_EQ(events, 1);
}

}  // namespace
}  // namespace voxgate::dialog
