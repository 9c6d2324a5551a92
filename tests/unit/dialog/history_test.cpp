#include "voxgate/dialog/history.hpp"

#include <gtest/gtest.h>

namespace voxgate::dialog {
namespace {

TEST(HeardText, CutsAtTheLastWordThatEndedInTime) {
  SpokenPiece piece{"We are open from nine to five.", 3000, true, {{2, 200}, {6, 500}, {11, 900}, {16, 1300}}};
  EXPECT_EQ(heard_text(piece, 950), "We are open");
  EXPECT_EQ(heard_text(piece, 899), "We are");
  EXPECT_EQ(heard_text(piece, 0), "");
  EXPECT_EQ(heard_text(piece, 3000), piece.text);
}

TEST(HeardText, GoesByCharactersWithoutWordTimes) {
  SpokenPiece piece{"aaaa bbbb cccc dddd", 1900, true, {}};
  EXPECT_EQ(heard_text(piece, 1000), "aaaa bbbb");
  EXPECT_EQ(heard_text(piece, 350), "");
  EXPECT_EQ(heard_text(piece, 5000), piece.text);
}

TEST(HeardText, DoesNotCallAPieceHeardWhileItsAudioStillGrows) {
  SpokenPiece piece{"one two three four", 500, false, {}};
  EXPECT_LE(heard_text(piece, 400).size(), piece.text.size() - 1);
}

TEST(History, KeepsWhatWasHeardAndMarksTheCut) {
  History history;
  history.add_user("hello");
  history.add_assistant("We are open", "s1", true);
  ASSERT_EQ(history.messages().size(), 2u);
  EXPECT_EQ(history.messages()[1].text, "We are open\u2014");
  EXPECT_TRUE(history.messages()[1].interrupted);
  EXPECT_EQ(history.state(), "s1");
}

TEST(History, MergesATurnThatWasCutTooEarly) {
  History history;
  history.add_assistant("Hi.", "s0", false);
  history.add_user("i would like to");
  history.add_assistant("", "s1", true);
  history.extend_user("book an appointment");
  ASSERT_EQ(history.messages().size(), 2u);
  EXPECT_EQ(history.messages()[1].text, "i would like to book an appointment");
  EXPECT_EQ(history.state(), "s0");
}

TEST(History, IsBounded) {
  History history(10);
  for (int i = 0; i < 100; ++i) {
    history.add_user("u" + std::to_string(i));
    history.add_assistant("a", "s", false);
  }
  EXPECT_LE(history.messages().size(), 10u);
  EXPECT_EQ(history.messages().back().text, "a");
}

}  // namespace
}  // namespace voxgate::dialog
