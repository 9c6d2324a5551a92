#include <gtest/gtest.h>

#include "voxgate/dialog/speech_cleaner.hpp"
#include "voxgate/dialog/speech_normaliser.hpp"
#include "voxgate/dialog/speech_splitter.hpp"

namespace voxgate::dialog {
namespace {

constexpr Instant at(Millis t) {
  return Instant{} + t;
}

/// Cleans in pieces of `step` bytes; 0: all at once.
std::string clean(std::string_view written, std::size_t step = 0) {
  SpeechCleaner cleaner;
  SpokenText out;
  if (step == 0) step = written.size() + 1;
  for (std::size_t i = 0; i < written.size(); i += step) cleaner.push(written.substr(i, step), at(0ms), out);
  cleaner.finish(out);
  EXPECT_EQ(out.text.size(), out.origin.size());
  EXPECT_TRUE(std::is_sorted(out.origin.begin(), out.origin.end()));
  return out.text;
}

struct Case {
  const char* written;
  const char* spoken;
};

constexpr Case kCleaning[] = {
    {"This is **very** important.", "This is very important."},
    {"Use *one* or _two_ words and __three__.", "Use one or two words and three."},
    {"2*3 is six and 2 * 3 too", "2*3 is six and 2 * 3 too"},
    {"the snake_case name and a_b", "the snake_case name and a_b"},
    {"# Heading\nText", "Heading\nText"},
    {"- apples\n- pears\n* plums\n", "apples\npears\nplums\n"},
    {"> quoted\n> more", "quoted\nmore"},
    {"Run `make` now", "Run make now"},
    {"Try ```int main() { return 0; }``` please", "Try code omitted please"},
    {"```\nx = 1\n```\nDone.", "code omitted\nDone."},
    {"See [our page](https://example.com/a?b=c) now.", "See our page now."},
    {"![a cat](cat.png) here", "a cat here"},
    {"It was said [1] before [2].", "It was said before ."},
    {"an [unclosed bracket stays", "an unclosed bracket stays"},
    {"Go to https://www.example.com/path/x?y=1 today", "Go to example.com today"},
    {"or http://example.org. Then", "or example.org. Then"},
    {"www.example.net/a", "example.net"},
    {"who has what", "who has what"},
    {"Hello \xF0\x9F\x98\x80 there \xE2\x9C\x85!", "Hello there !"},
    {"caf\xC3\xA9 \xE2\x82\xAC"
     "5",
     "caf\xC3\xA9 \xE2\x82\xAC"
     "5"},
    {"It costs ~~50~~ 40 dollars, ~5 minutes", "It costs 40 dollars, 5 minutes"},
    {"| Day | Hours |\n|-----|-------|\n| Monday | nine to five |\n", "Day, Hours\nMonday, nine to five\n"},
    {"a <b>bold</b> word, 1 < 2", "a bold word, 1 < 2"},
    {"an escaped \\* star", "an escaped * star"},
    {"two  spaces\n\n\nand lines", "two spaces\nand lines"},
    {"Wow! [Yes](x) it is!", "Wow! Yes it is!"},
};

TEST(SpeechCleaner, DropsWhatNobodyShouldHear) {
  for (const Case& c : kCleaning) EXPECT_EQ(clean(c.written), c.spoken) << c.written;
}

TEST(SpeechCleaner, TheResultDoesNotDependOnHowTheStreamIsCut) {
  for (const Case& c : kCleaning) {
    for (const std::size_t step : {1u, 2u, 3u, 7u})
      EXPECT_EQ(clean(c.written, step), c.spoken) << step << ": " << c.written;
  }
}

TEST(SpeechCleaner, HoldsBackOnlyAnUnfinishedConstruct) {
  SpeechCleaner cleaner;
  SpokenText out;
  cleaner.push("Plain words come at once", at(0ms), out);
  EXPECT_EQ(out.text, "Plain words come at once");
  EXPECT_EQ(cleaner.held(), 0u);
  cleaner.push(" see [the li", at(10ms), out);
  EXPECT_EQ(out.text, "Plain words come at once see ");
  cleaner.poll(at(100ms), out);
  EXPECT_EQ(out.text, "Plain words come at once see ");
  cleaner.poll(at(161ms), out);
  EXPECT_EQ(out.text, "Plain words come at once see the li") << "150 ms, then as it is";
  cleaner.push(" [" + std::string(100, 'x'), at(170ms), out);
  EXPECT_EQ(cleaner.held(), 0u) << "64 characters are the most";
  EXPECT_NE(out.text.find("xxx"), std::string::npos);
}

TEST(SpeechCleaner, KnowsWhereEveryByteCameFrom) {
  SpeechCleaner cleaner;
  SpokenText out;
  const std::string written = "A **bold** [link](http://x.y/z) end";
  cleaner.push(written, at(0ms), out);
  cleaner.finish(out);
  ASSERT_EQ(out.text, "A bold link end");
  for (std::size_t i = 0; i < out.text.size(); ++i) EXPECT_EQ(out.text[i], written[out.origin[i]]) << i;
}

TEST(SpeechCleaner, SurvivesGarbage) {
  std::string garbage;
  std::uint32_t state = 1;
  const std::string alphabet = "`*_~[]()!|<>#-\\ \nah/w.:12\xF0\x9F\xE2\x80\x94";
  for (int i = 0; i < 20'000; ++i) {
    state = state * 1664525u + 1013904223u;
    garbage += alphabet[(state >> 16) % alphabet.size()];
  }
  EXPECT_EQ(clean(garbage, 1).size() <= garbage.size() * 2, true);
  SpeechSplitter splitter;
  std::size_t end = 0;
  for (std::size_t i = 0; i < garbage.size(); i += 5) {
    for (const SpeechPiece& piece : splitter.push(garbage.substr(i, 5), at(Millis(static_cast<int>(i))))) {
      EXPECT_EQ(piece.begin, end);
      end = piece.end;
    }
  }
}

TEST(SpeechNormaliser, WritesForTheEar) {
  constexpr Case kCases[] = {
      {"Call 555-010-4477 now", "Call five five five, zero one zero, four four seven seven now"},
      {"(555) 010-4477", "five five five, zero one zero, four four seven seven"},
      {"+15550104477", "plus one, five five five, zero one zero, four four seven seven"},
      {"+1 555 010 4477.", "plus one, five five five, zero one zero, four four seven seven."},
      {"dial 555-0104", "dial five five five, zero one zero four"},
      {"It is $5.50 or $1, not $1,200.", "It is 5 dollars and 50 cents or 1 dollar, not 1200 dollars."},
      {"$0.99 and $3 million", "99 cents and 3 million dollars"},
      {"\xE2\x82\xAC"
       "20 or \xC2\xA3"
       "1.01",
       "20 euros or 1 pound and 1 penny"},
      {"at 3:30 PM", "at three thirty P M"},
      {"from 8 AM to 5pm", "from eight A M to five P M"},
      {"at 10:00, 10:05 a.m. and 15:45", "at ten o'clock, ten oh five A M and fifteen forty five"},
      {"on 2026-11-27", "on November twenty seventh, twenty twenty six"},
      {"on 3/1/2005", "on March first, two thousand five"},
      {"the 23rd, the 20th and the 1st", "the twenty third, the twentieth and the first"},
      {"5% or 2.5%", "5 percent or 2 point five percent"},
      {"10 km at 50 mph, 1 kg, 20 \xC2\xB0"
       "C",
       "10 kilometers at 50 miles per hour, 1 kilogram, 20 degrees Celsius"},
      {"our FAQ, the USA, NO way, NASAXYZ", "our F A Q, the U S A, NO way, NASAXYZ"},
      {"write to john.doe@example.com.", "write to john dot doe at example dot com."},
      {"Dr. Smith & Co, e.g. No. 5", "Doctor Smith and Co, for example number 5"},
      {"room 12 and 3.14 but 1.2.3", "room 12 and 3 point one four but 1.2.3"},
      {"I am 30 years old", "I am 30 years old"},
      {"", ""},
  };
  for (const Case& c : kCases) EXPECT_EQ(normalise_for_speech(c.written), c.spoken) << c.written;
}

std::vector<std::string> spoken(const std::vector<SpeechPiece>& pieces) {
  std::vector<std::string> out;
  for (const SpeechPiece& piece : pieces) out.push_back(piece.spoken);
  return out;
}

/// The pieces of an answer that comes word by word, without a pause.
std::vector<SpeechPiece> split(std::string_view written, SplitterConfig config = {}) {
  SpeechSplitter splitter(config);
  std::vector<SpeechPiece> out;
  std::size_t from = 0;
  while (from < written.size()) {
    const std::size_t to = std::min(written.find(' ', from), written.size() - 1) + 1;
    for (auto& piece : splitter.push(written.substr(from, to - from), at(0ms))) out.push_back(std::move(piece));
    from = to;
  }
  for (auto& piece : splitter.finish()) out.push_back(std::move(piece));
  return out;
}

using Pieces = std::vector<std::string>;

TEST(SpeechSplitter, FirstAClauseThenSentences) {
  EXPECT_EQ(spoken(split(
                "Well, of course I can, no problem at all. It takes a while, but it works. Fine. Bye now my friend.")),
            (Pieces{"Well, of course I can,", "no problem at all. It takes a while, but it works.",
                    "Fine. Bye now my friend."}))
      << "a clause of less than 12 characters or 3 words does not count; sentences shorter than 20 wait";
  EXPECT_EQ(spoken(split("Yes. That is right and good.")), (Pieces{"Yes.", "That is right and good."}));
}

TEST(SpeechSplitter, AFirstPieceWithoutAMarkEndsAtAWord) {
  const auto pieces =
      split("there is no mark at all in this long stream of words that goes on and on until somebody stops it");
  ASSERT_GE(pieces.size(), 2u);
  EXPECT_EQ(pieces[0].spoken, "there is no mark at all in this long stream of words that");
  SpeechSplitter slow;
  EXPECT_TRUE(slow.push("some words that come slowly", at(0ms)).empty());
  EXPECT_TRUE(slow.poll(at(380ms)).empty());
  EXPECT_EQ(spoken(slow.poll(at(400ms))), (Pieces{"some words that come"})) << "the last word may not be whole";
}

TEST(SpeechSplitter, AbbreviationsDecimalsAndInitialsAreNoBoundaries) {
  EXPECT_EQ(spoken(split("Please ask Dr. Miller or Mr. J. Smith about it. They know. ", {.normalise = false})),
            (Pieces{"Please ask Dr. Miller or Mr. J. Smith about it.", "They know."}));
  EXPECT_EQ(split("It is 3.5 miles to the U.S. border from example.com here. Really.", {.normalise = false})[0].spoken,
            "It is 3.5 miles to the U.S. border from example.com here.");
  EXPECT_EQ(split("Open until 5 p.m. on all days. And so on.", {.normalise = false})[0].spoken,
            "Open until 5 p.m. on all days.");
  EXPECT_EQ(split("Open until 5 p.m. On Friday until 4.", {.normalise = false})[0].spoken, "Open until 5 p.m.");
  EXPECT_EQ(split("Take No. 5 for now. Then go.", {.normalise = false})[0].spoken, "Take No. 5 for now.");
}

TEST(SpeechSplitter, AMarkAtTheEndWaitsForATokenOrSilence) {
  SpeechSplitter splitter({.normalise = false});
  EXPECT_TRUE(splitter.push("It costs 3.", at(0ms)).empty()) << "3.50 may follow";
  EXPECT_TRUE(splitter.poll(at(149ms)).empty());
  EXPECT_EQ(spoken(splitter.poll(at(150ms))), (Pieces{"It costs 3."}));
  EXPECT_TRUE(splitter.push("Okay.", at(200ms)).empty());
  EXPECT_EQ(spoken(splitter.poll(at(400ms))), (Pieces{"Okay."})) << "a short sentence, but the model is silent";
  EXPECT_TRUE(splitter.finish().empty());
}

TEST(SpeechSplitter, LongSentencesAreCutAtAClauseOrAWord) {
  std::string text = "Yes. ";
  for (int i = 0; i < 30; ++i) text += "and then another clause, ";
  for (const SpeechPiece& piece : split(text)) EXPECT_LE(piece.spoken.size(), 300u);
  EXPECT_EQ(split(text)[1].spoken.back(), ',');
  std::string endless = "Yes. ";
  for (int i = 0; i < 150; ++i) endless += "\xC3\xA9\xC3\xA9";
  for (const SpeechPiece& piece : split(endless + endless)) {
    EXPECT_LE(piece.spoken.size(), 302u);
    EXPECT_NE(static_cast<unsigned char>(piece.spoken[0]) & 0xC0, 0x80) << "no character is cut in two";
  }
}

TEST(SpeechSplitter, PiecesFollowEachOtherAndKeepTheWordsAsWritten) {
  const std::string written =
      "**Sure**, that will be $5.50 in all. See [the page](https://x.y/z) for more of it. Thanks \xF0\x9F\x98\x80!";
  const auto pieces = split(written);
  ASSERT_GE(pieces.size(), 3u);
  std::string together;
  std::size_t end = 0;
  for (const SpeechPiece& piece : pieces) {
    EXPECT_EQ(piece.begin, end);
    end = piece.end;
    EXPECT_EQ(piece.written, written.substr(piece.begin, piece.end - piece.begin));
    together += piece.written;
  }
  EXPECT_EQ(together, written);
  EXPECT_EQ(pieces[0].spoken, "Sure, that will be 5 dollars and 50 cents in all.");
  EXPECT_EQ(pieces[0].written, "**Sure**, that will be $5.50 in all. ");
  EXPECT_EQ(pieces[1].spoken, "See the page for more of it.");
}

TEST(SpeechSplitter, ListsAreHeardItemByItem) {
  const auto pieces = split("We have:\n- red apples\n- green pears\n- a few blue plums\n", {.normalise = false});
  std::string all;
  for (const SpeechPiece& piece : pieces) all += piece.spoken + "|";
  EXPECT_EQ(all, "We have:|red apples, green pears|a few blue plums|");
}

TEST(SpeechSplitter, StartsAnewAfterFinish) {
  SpeechSplitter splitter;
  splitter.push("Half a", at(0ms));
  EXPECT_TRUE(splitter.pending());
  EXPECT_EQ(spoken(splitter.finish()), (Pieces{"Half a"}));
  EXPECT_FALSE(splitter.pending());
  const auto again = splitter.push("Next one. And", at(10ms));
  ASSERT_EQ(again.size(), 1u);
  EXPECT_EQ(again[0].begin, 0u);
}

}  // namespace
}  // namespace voxgate::dialog
