// Endpointer and BargeInGate on hand-set media time.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "voxgate/dialog/barge_in.hpp"
#include "voxgate/dialog/endpointing.hpp"

namespace voxgate::dialog {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::string at(Micros t) {
  return std::to_string(t.count() / 1000);
}

/// Feeds frames as the voice detector would: speech starts with the fourth active frame and stops 200 ms after the
/// last.
struct Voice {
  Micros now{0};
  int active = 0, quiet = 0;
  bool speaking = false;

  audio::VadFrame next(bool act, float db = -20) {
    audio::VadFrame frame;
    frame.end = now += 20ms;
    frame.act = act;
    frame.db = act ? db : -65.0F;
    frame.floor_db = -65.0F;
    active = act ? active + 1 : 0;
    quiet = act ? 0 : quiet + 1;
    if (active >= 4) speaking = true;
    if (quiet >= 10) speaking = false;
    frame.speech = speaking;
    return frame;
  }
};

struct Turn {
  explicit Turn(EndpointSettings settings = {}) : endpointer(settings) {}

  void note(const EndpointActions& actions) {
    static constexpr const char* kNames[] = {"eager", "resumed", "eot", "discard"};
    for (const auto& action : actions) story.push_back(kNames[static_cast<int>(action.kind)] + (" " + at(action.at)));
  }
  void speak(Millis d) {
    for (Micros end = voice.now + d; voice.now < end;) note(endpointer.on_frame(voice.next(true)));
  }
  void quiet(Millis d) {
    for (Micros end = voice.now + d; voice.now < end;) note(endpointer.on_frame(voice.next(false)));
  }
  void text(std::string_view text, bool complete = false) { note(endpointer.on_text(voice.now, text, complete)); }

  Endpointer endpointer;
  Voice voice;
  std::vector<std::string> story;
};

EndpointSettings no_eager() {
  EndpointSettings settings;
  settings.max_eager = 0;
  return settings;
}

TEST(Endpointer, EndsATurnAfterHalfASecondOfSilence) {
  Turn turn(no_eager());
  turn.speak(1000ms);
  turn.text("book a table");
  turn.quiet(1000ms);
  EXPECT_THAT(turn.story, ElementsAre("eot 1500"));
  EXPECT_FALSE(turn.endpointer.in_turn());
}

TEST(Endpointer, EndsSoonerWhenTheWordsLookFinishedLaterWhenNot) {
  Turn finished(no_eager());
  finished.speak(1000ms);
  finished.text("book a table.");
  finished.quiet(2000ms);
  EXPECT_THAT(finished.story, ElementsAre("eot 1300"));

  Turn unfinished(no_eager());
  unfinished.speak(1000ms);
  unfinished.text("book a table for");
  unfinished.quiet(2000ms);
  EXPECT_THAT(unfinished.story, ElementsAre("eot 2200"));

  Turn grammar(no_eager());
  grammar.speak(1000ms);
  grammar.text("monday at", true);
  grammar.quiet(2000ms);
  EXPECT_THAT(grammar.story, ElementsAre("eot 1300"));
}

TEST(Endpointer, WaitsForTheRestOfANumber) {
  Turn turn(no_eager());
  vendors::Expectation six_digits;
  six_digits.kind = vendors::AnswerKind::digits;
  six_digits.digits = 6;
  turn.endpointer.expect(six_digits);
  turn.speak(1000ms);
  turn.text("five five two");
  turn.quiet(1000ms);
  turn.speak(1000ms);
  turn.text("five five two nine one one");
  turn.quiet(1000ms);
  EXPECT_THAT(turn.story, ElementsAre("eot 3360"));  // 300 ms, and 54 learnt from the pause
}

TEST(Endpointer, TheRecognisersWordEndsATurnAsSoonAsTheVoiceIsSilent) {
  Turn turn(no_eager());
  turn.speak(1000ms);
  turn.text("book a table for");
  turn.note(turn.endpointer.on_turn_end(turn.voice.now));
  EXPECT_THAT(turn.story, IsEmpty());
  turn.quiet(500ms);
  EXPECT_THAT(turn.story, ElementsAre("eot 1200"));  // where the voice detector's hang ends
}

TEST(Endpointer, WordsThatComeAfterTheSilenceEndTheTurnAtOnce) {
  Turn turn(no_eager());
  turn.speak(1000ms);
  turn.quiet(900ms);
  EXPECT_THAT(turn.story, IsEmpty());
  turn.text("book a table");
  EXPECT_THAT(turn.story, ElementsAre("eot 1900"));
}

TEST(Endpointer, DiscardsSoundWithoutWords) {
  Turn turn;
  turn.speak(400ms);
  turn.quiet(3000ms);
  EXPECT_THAT(turn.story, ElementsAre("discard 2400"));
}

TEST(Endpointer, WithoutARecogniserSilenceAloneDecides) {
  EndpointSettings settings;
  settings.needs_text = false;
  Turn turn(settings);
  turn.speak(400ms);
  turn.quiet(1000ms);
  turn.speak(400ms);
  turn.quiet(1000ms);
  EXPECT_THAT(turn.story, ElementsAre("eot 900", "eot 2300"));
}

TEST(Endpointer, StartsEagerlyOnStableTextAndTakesItBackWhenTheCallerGoesOn) {
  Turn turn;
  turn.speak(1000ms);
  turn.text("book a table");
  turn.quiet(300ms);
  turn.speak(500ms);
  turn.text("book a table tomorrow");
  turn.quiet(1000ms);
  EXPECT_THAT(turn.story, ElementsAre("eager 1260", "resumed 1380", "eager 2060", "eot 2300"));
}

TEST(Endpointer, OtherWordsTakeAnEagerStartBackPunctuationDoesNot) {
  Turn turn;
  turn.speak(1000ms);
  turn.text("book a table");
  turn.quiet(300ms);
  turn.text("Book a table,");
  EXPECT_TRUE(turn.endpointer.eager_pending());
  turn.text("book the table");
  turn.quiet(60ms);
  EXPECT_THAT(turn.story, ElementsAre("eager 1260", "resumed 1300"));
}

TEST(Endpointer, StartsEagerlyAtMostThreeTimesAndNotInLongTurns) {
  Turn turn;
  for (int i = 0; i < 5; ++i) {
    turn.speak(500ms);
    turn.text("part " + std::to_string(i));
    turn.quiet(400ms);
  }
  EXPECT_EQ(std::count_if(turn.story.begin(), turn.story.end(), [](const auto& s) { return s.starts_with("eager"); }),
            3);
  Turn lengthy;
  lengthy.speak(10500ms);
  lengthy.text("a story");
  lengthy.quiet(400ms);
  EXPECT_THAT(lengthy.story, IsEmpty());
}

TEST(Endpointer, EndsATurnThatNeverEnds) {
  Turn turn;
  turn.speak(29s);
  turn.text("and so on");
  turn.speak(2s);
  ASSERT_FALSE(turn.story.empty());
  EXPECT_EQ(turn.story.front(), "eot 30080");
}

TEST(Endpointer, LearnsThePausesOfASlowCaller) {
  Turn turn(no_eager());
  const Micros before = turn.endpointer.needed_silence();
  for (int i = 0; i < 12; ++i) {
    turn.speak(600ms);
    turn.text("well I think the");
    turn.quiet(900ms);
  }
  turn.quiet(3s);
  const Micros after = turn.endpointer.needed_silence();
  EXPECT_EQ(before, 500ms);
  EXPECT_GT(after, 800ms);
  EXPECT_LE(after, 1100ms);
}

TEST(Endpointer, ACallerWhoGoesOnRightAfterTheCutHadOnlyPaused) {
  Turn turn(no_eager());
  for (int i = 0; i < 12; ++i) {
    turn.speak(600ms);
    turn.text("I think");
    turn.quiet(900ms);  // cut at 500, goes on at 900
  }
  turn.quiet(3s);
  EXPECT_GT(turn.endpointer.needed_silence(), 800ms);
}

TEST(Endpointer, ADeadLineEndsTheTurn) {
  Turn turn(no_eager());
  turn.speak(1000ms);
  turn.text("book a table");
  turn.note(turn.endpointer.on_stall(1000ms));
  EXPECT_THAT(turn.story, ElementsAre("eot 2000"));
}

TEST(Endpointer, ADroppedTurnLeavesNothing) {
  Turn turn;
  turn.speak(1000ms);
  turn.text("we are open");
  turn.endpointer.drop_turn();
  turn.quiet(3s);
  EXPECT_THAT(turn.story, IsEmpty());
}

struct Barge {
  explicit Barge(BargeInSettings settings = {}) : gate(settings) {
    gate.agent_started("We are open from nine to six.");
  }
  void note(BargeInAction action) {
    static constexpr const char* kNames[] = {"", "hold", "confirm", "resume"};
    if (action != BargeInAction::none) story.push_back(kNames[static_cast<int>(action)] + (" " + at(voice.now)));
  }
  void frames(Millis d, bool act, float db = -20, float echo_limit = -100) {
    for (Micros end = voice.now + d; voice.now < end;) note(gate.on_frame(voice.next(act, db), echo_limit));
  }
  void text(std::string_view text) { note(gate.on_text(voice.now, text)); }

  BargeInGate gate;
  Voice voice;
  std::vector<std::string> story;
};

TEST(BargeIn, HoldsAtThreeHundredMillisecondsAndConfirmsBeforeFiveHundred) {
  Barge barge;
  barge.frames(1000ms, true);
  EXPECT_THAT(barge.story, ElementsAre("hold 300", "confirm 460"));
}

TEST(BargeIn, ACoughHoldsAtMostAndTheAgentGoesOn) {
  Barge barge;
  barge.frames(320ms, true);
  barge.frames(2000ms, false);
  EXPECT_THAT(barge.story, ElementsAre("hold 300", "resume 1320"));
  EXPECT_TRUE(barge.gate.agent_speaking());
  barge.frames(600ms, true);
  EXPECT_EQ(barge.story.back(), "confirm 2780");
}

TEST(BargeIn, ShortHolesBelongToTheVoiceLongOnesDoNot) {
  Barge closures;
  for (int i = 0; i < 6; ++i) {
    closures.frames(120ms, true);
    closures.frames(80ms, false);
  }
  EXPECT_THAT(closures.story, ElementsAre("hold 300", "confirm 460"));
  Barge coughs;
  for (int i = 0; i < 4; ++i) {
    coughs.frames(200ms, true);
    coughs.frames(400ms, false);
  }
  EXPECT_THAT(coughs.story, IsEmpty());
}

TEST(BargeIn, ClicksInARowAreNoVoice) {
  Barge barge;
  for (int i = 0; i < 30; ++i) {
    barge.frames(20ms, true);
    barge.frames(80ms, false);
  }
  EXPECT_THAT(barge.story, IsEmpty());
}

TEST(BargeIn, WhatMayBeEchoDoesNotCount) {
  Barge barge;
  barge.frames(2000ms, true, -35, -30);
  EXPECT_THAT(barge.story, IsEmpty());
  barge.frames(600ms, true, -25, -30);
  EXPECT_EQ(barge.story.size(), 2U);
}

TEST(BargeIn, OneWordConfirmsAHoldANodDoesNot) {
  Barge word;
  word.frames(320ms, true);
  word.text("monday");
  EXPECT_THAT(word.story, ElementsAre("hold 300", "confirm 320"));
  Barge nod;
  nod.frames(320ms, true);
  nod.text("mm-hmm okay");
  nod.frames(300ms, true);
  nod.frames(1100ms, false);
  EXPECT_THAT(nod.story, ElementsAre("hold 300", "resume 1620"));
}

TEST(BargeIn, SomeWordsInterruptAtOnce) {
  Barge barge;
  barge.frames(100ms, true);
  barge.text("stop");
  EXPECT_THAT(barge.story, ElementsAre("confirm 100"));
}

TEST(BargeIn, WordsWithoutAVoiceAreLateResults) {
  Barge barge;
  barge.frames(500ms, false);
  barge.text("on monday");
  EXPECT_THAT(barge.story, IsEmpty());
}

TEST(BargeIn, OurOwnWordsAreEcho) {
  Barge barge;
  barge.frames(320ms, true);
  barge.text("open from nine to");
  EXPECT_THAT(barge.story, ElementsAre("hold 300"));
  EXPECT_TRUE(barge.gate.is_echo("open from nine to"));
  EXPECT_FALSE(barge.gate.is_echo("what about sunday"));
}

TEST(BargeIn, MoreWordsMayBeAskedFor) {
  Barge barge(BargeInSettings{.min_words = 3});
  barge.frames(320ms, true);
  barge.text("on monday");
  EXPECT_EQ(barge.story.size(), 1U);
  barge.text("on monday please book");
  EXPECT_THAT(barge.story, ElementsAre("hold 300", "confirm 320"));
}

TEST(BargeIn, AProtectedUtteranceIsNotInterrupted) {
  Barge barge;
  barge.gate.set_interruptible(false);
  barge.frames(2000ms, true);
  barge.text("stop");
  EXPECT_THAT(barge.story, IsEmpty());
}

TEST(BargeIn, NothingHappensWhileTheAgentIsSilent) {
  Barge barge;
  barge.gate.agent_stopped();
  barge.frames(2000ms, true);
  barge.text("stop");
  EXPECT_THAT(barge.story, IsEmpty());
}

}  // namespace
}  // namespace voxgate::dialog
