#include "voxgate/sim/phone_line.hpp"

#include <gmock/gmock.h>

#include "voxgate/audio/g711.hpp"

namespace voxgate::sim {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

const Instant kStart{1000s};

Instant at(Duration d) {
  return kStart + d;
}

std::vector<std::uint8_t> tone(Duration length, std::int16_t level = 8000) {
  const auto samples = static_cast<std::size_t>(to_ms(length) * 8);
  return std::vector<std::uint8_t>(samples, audio::g711::linear_to_ulaw(level));
}

class PhoneLineTest : public ::testing::Test {
 protected:
  PhoneLine line_{kStart, true};
};

TEST_F(PhoneLineTest, EchoesAMarkOnceTheAudioBeforeItHasBeenPlayed) {
  line_.media(at(10ms), tone(200ms));
  line_.mark(at(11ms), "a");
  EXPECT_EQ(line_.next_mark(), at(210ms));
  EXPECT_THAT(line_.take_marks(at(209ms)), IsEmpty());
  EXPECT_THAT(line_.take_marks(at(210ms)), ElementsAre("a"));
  EXPECT_THAT(line_.take_marks(at(500ms)), IsEmpty()) << "each mark is echoed once";
  EXPECT_EQ(line_.next_mark(), std::nullopt);
}

TEST_F(PhoneLineTest, EchoesAMarkAtOnceWhenNothingIsQueued) {
  line_.mark(at(40ms), "early");
  EXPECT_THAT(line_.take_marks(at(40ms)), ElementsAre("early"));
}

TEST_F(PhoneLineTest, AMarkWaitsForAudioBeforeItOnly) {
  line_.media(at(0ms), tone(100ms));
  line_.mark(at(0ms), "first");
  line_.media(at(0ms), tone(100ms));
  line_.mark(at(0ms), "second");
  EXPECT_THAT(line_.take_marks(at(100ms)), ElementsAre("first"));
  EXPECT_THAT(line_.take_marks(at(200ms)), ElementsAre("second"));
}

TEST_F(PhoneLineTest, ClearEmptiesTheBufferAndEchoesEveryMark) {
  line_.media(at(0ms), tone(300ms));
  line_.mark(at(0ms), "a");
  line_.media(at(0ms), tone(300ms));
  line_.mark(at(0ms), "b");
  EXPECT_EQ(line_.clear(at(100ms)), 500u * 8);
  EXPECT_TRUE(line_.drained(at(100ms)));
  EXPECT_THAT(line_.take_marks(at(100ms)), ElementsAre("a", "b"));
  line_.media(at(120ms), tone(20ms));
  line_.mark(at(120ms), "c");
  EXPECT_EQ(line_.next_mark(), at(140ms)) << "what was cleared takes no time";
}

TEST_F(PhoneLineTest, PlaysByItsClockWhateverTheArrival) {
  line_.media(at(0ms), tone(60ms));
  EXPECT_FALSE(line_.drained(at(59ms)));
  EXPECT_TRUE(line_.drained(at(60ms)));
  // A gap of 40 ms: what comes later plays later, the marks with it.
  line_.media(at(100ms), tone(20ms));
  line_.mark(at(100ms), "late");
  EXPECT_EQ(line_.next_mark(), at(120ms));
}

TEST_F(PhoneLineTest, TrackIsAlignedWithTheClock) {
  line_.media(at(50ms), tone(20ms));
  line_.advance(at(100ms));
  const auto& track = line_.track();
  ASSERT_EQ(track.size(), 800u);
  const auto loud = [&](std::size_t i) { return audio::g711::ulaw_to_linear(track[i]) > 1000; };
  EXPECT_FALSE(loud(399));
  EXPECT_TRUE(loud(400));
  EXPECT_TRUE(loud(559));
  EXPECT_FALSE(loud(560));
}

TEST_F(PhoneLineTest, KeepsNoTrackUnlessAsked) {
  PhoneLine bare(kStart, false);
  bare.media(at(0ms), tone(20ms));
  bare.advance(at(1s));
  EXPECT_THAT(bare.track(), IsEmpty());
  EXPECT_EQ(bare.last_sound(), bare.instant_of(159));
}

TEST_F(PhoneLineTest, QuietAudioIsNoSound) {
  line_.media(at(0ms), tone(100ms, 100));
  line_.advance(at(100ms));
  EXPECT_EQ(line_.first_sound(kStart), std::nullopt);
  EXPECT_EQ(line_.last_sound(), std::nullopt);
}

TEST_F(PhoneLineTest, FindsTheFirstSoundSinceAMoment) {
  line_.media(at(100ms), tone(50ms));
  line_.media(at(1000ms), tone(50ms));
  line_.advance(at(2s));
  EXPECT_EQ(line_.first_sound(kStart), at(100ms));
  EXPECT_EQ(line_.first_sound(at(120ms)), at(120ms)) << "in the middle of a sound";
  EXPECT_EQ(line_.first_sound(at(500ms)), at(1000ms));
  EXPECT_EQ(line_.first_sound(at(1100ms)), std::nullopt);
}

TEST_F(PhoneLineTest, SoundThatWasClearedIsNotHeard) {
  line_.media(at(0ms), tone(500ms));
  line_.clear(at(100ms));
  line_.advance(at(1s));
  EXPECT_LT(*line_.last_sound(), at(100ms));
}

}  // namespace
}  // namespace voxgate::sim
