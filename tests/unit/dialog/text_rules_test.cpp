#include "voxgate/dialog/text_rules.hpp"

#include <gtest/gtest.h>

namespace voxgate::dialog {
namespace {

using vendors::AnswerKind;
using vendors::Expectation;

Completeness judge(std::string_view text, AnswerKind kind = AnswerKind::free, int digits = 0) {
  Expectation expected;
  expected.kind = kind;
  expected.digits = digits;
  return completeness(text, expected);
}

TEST(TextRules, SentenceMarksFinishATurn) {
  EXPECT_EQ(judge("What time do you open?"), Completeness::complete);
  EXPECT_EQ(judge("I want to book a table."), Completeness::complete);
  EXPECT_EQ(judge("i want to book a table"), Completeness::neutral);
  EXPECT_EQ(judge("What is that for?"), Completeness::complete);
  EXPECT_EQ(judge(""), Completeness::neutral);
}

TEST(TextRules, ConjunctionsPrepositionsArticlesAndFillersDoNot) {
  for (const char* text : {"I would like to", "a table for", "yes but", "on Monday and.", "it is because", "and um",
                           "my", "well I'd", "I want the...", "on Monday,"}) {
    EXPECT_EQ(judge(text), Completeness::incomplete) << text;
  }
}

TEST(TextRules, DictatedDigitsAreUnfinishedUntilTheExpectedNumberIsReached) {
  EXPECT_EQ(judge("five five two", AnswerKind::digits, 4), Completeness::incomplete);
  EXPECT_EQ(judge("five five two nine", AnswerKind::digits, 4), Completeness::complete);
  EXPECT_EQ(judge("5529", AnswerKind::digits, 4), Completeness::complete);
  EXPECT_EQ(judge("double five two nine", AnswerKind::digits, 4), Completeness::complete);
  EXPECT_EQ(judge("my number is oh two five"), Completeness::incomplete);
  EXPECT_EQ(judge("at five"), Completeness::neutral);
  EXPECT_EQ(trailing_digits("it is double two triple one 34"), 7);
}

TEST(TextRules, AYesOrNoAnswersAYesNoQuestionOnly) {
  EXPECT_EQ(judge("yes", AnswerKind::yes_no), Completeness::complete);
  EXPECT_EQ(judge("no thank you", AnswerKind::yes_no), Completeness::complete);
  EXPECT_EQ(judge("yes", AnswerKind::free), Completeness::neutral);
  EXPECT_EQ(judge("no I want to", AnswerKind::yes_no), Completeness::incomplete);
}

TEST(TextRules, KnowsNodsFromWords) {
  for (const char* nod : {"mm-hmm", "Okay.", "yeah, yeah", "I see", "uh-huh right", "got it"}) {
    EXPECT_TRUE(is_backchannel(nod)) << nod;
  }
  EXPECT_FALSE(is_backchannel("okay but Monday"));
  EXPECT_FALSE(is_backchannel(""));
  EXPECT_EQ(meaningful_words("okay but on monday"), 3);
}

TEST(TextRules, SomeWordsAlwaysInterrupt) {
  for (const char* text : {"stop", "oh wait", "Hold on!", "no", "let me talk to an operator", "actually"}) {
    EXPECT_TRUE(always_interrupts(text)) << text;
  }
  for (const char* text : {"hold", "nobody knows", "okay", "waiting"}) EXPECT_FALSE(always_interrupts(text)) << text;
}

TEST(TextRules, HearsItsOwnVoiceThroughAPoorRecogniser) {
  constexpr std::string_view kSaid = "We are open from nine in the morning until six in the evening.";
  EXPECT_TRUE(is_echo_of("open from nine in the morning", kSaid));
  EXPECT_TRUE(is_echo_of("open for nine the morning until", kSaid));
  EXPECT_FALSE(is_echo_of("what about the evening on sunday", kSaid));
  EXPECT_FALSE(is_echo_of("evening the in six until", kSaid));
  EXPECT_FALSE(is_echo_of("stop", kSaid));
  EXPECT_FALSE(is_echo_of("", kSaid));
}

TEST(TextRules, SameWordsWhateverThePunctuation) {
  EXPECT_TRUE(same_words("Yes, please.", "yes please"));
  EXPECT_FALSE(same_words("yes please", "yes"));
}

}  // namespace
}  // namespace voxgate::dialog
