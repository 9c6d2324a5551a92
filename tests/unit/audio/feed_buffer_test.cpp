#include "voxgate/audio/feed_buffer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace voxgate::audio {
namespace {

using ::testing::ElementsAre;

Instant at_ms(double ms) {
  return Instant(Micros(static_cast<std::int64_t>(ms * 1000)));
}

/// Writes what it receives as a story.
struct Story : FeedSink {
  std::vector<std::string> lines;
  std::uint64_t media = 0;  // samples of the timeline so far
  std::vector<std::uint32_t> played;

  void play(std::uint32_t ts, std::span<const std::uint8_t> payload) override {
    lines.push_back("play " + std::to_string(ts));
    played.push_back(ts);
    media += payload.size();
  }
  void conceal(std::uint32_t, std::uint32_t n) override {
    lines.push_back("conceal " + std::to_string(n));
    media += n;
  }
  void silence(std::uint32_t, std::uint32_t n, std::uint32_t feed) override {
    lines.push_back("silence " + std::to_string(n) + "/" + std::to_string(feed));
    media += n;
  }
  void dropped(std::uint32_t ts, std::uint32_t, DropReason why) override {
    static constexpr const char* kNames[] = {"late", "dup", "overflow", "jump"};
    lines.push_back(std::string(kNames[static_cast<int>(why)]) + " " + std::to_string(ts));
  }
};

const std::vector<std::uint8_t> kFrame(160, 0x55);

struct Feed {
  explicit Feed(bool may_reorder) : buffer(FeedConfig{.may_reorder = may_reorder}) {}
  void frame(double ms, std::uint32_t seq, std::uint32_t ts) { buffer.push(at_ms(ms), seq, ts, kFrame, story); }
  FeedBuffer buffer;
  Story story;
};

TEST(FeedBuffer, OrderedFramesComeOutInThePushThatBroughtThem) {
  for (const bool may_reorder : {false, true}) {
    Feed feed(may_reorder);
    std::mt19937 random(7);
    double now = 0;
    for (std::uint32_t i = 0; i < 500; ++i) {
      now += static_cast<double>(random() % 40);  // stalls and bursts
      feed.frame(now, i, 1000 + i * 160);
      ASSERT_EQ(feed.story.lines.size(), i + 1);
      ASSERT_EQ(feed.story.lines.back(), "play " + std::to_string(1000 + i * 160));
    }
    EXPECT_EQ(feed.buffer.stats().gaps, 0U);
  }
}

TEST(FeedBuffer, FramesOfAnySizeAreContiguous) {
  FeedBuffer buffer;
  Story story;
  std::uint32_t ts = 0;
  for (const std::size_t size : {170, 743, 1, 4000, 80}) {
    buffer.push(at_ms(0), ts, ts, std::vector<std::uint8_t>(size), story);
    ts += static_cast<std::uint32_t>(size);
  }
  EXPECT_EQ(buffer.stats().played, 5U);
  EXPECT_EQ(buffer.stats().gaps, 0U);
}

TEST(FeedBuffer, AHoleInAnOrderedFeedIsAGapAtOnce) {
  Feed feed(false);
  feed.frame(0, 0, 0);
  feed.frame(60, 3, 480);
  feed.frame(80, 20, 480 + 160 + 8000);
  EXPECT_THAT(feed.story.lines, ElementsAre("play 0", "conceal 320", "play 480", "silence 8000/1600", "play 8640"));
}

TEST(FeedBuffer, AHoleInAReorderingFeedWaitsFortyMilliseconds) {
  Feed feed(true);
  feed.frame(0, 0, 0);
  feed.frame(40, 2, 320);
  EXPECT_EQ(feed.buffer.deadline(), at_ms(80));
  feed.buffer.poll(at_ms(79.9), feed.story);
  EXPECT_THAT(feed.story.lines, ElementsAre("play 0"));
  feed.buffer.poll(at_ms(80), feed.story);
  EXPECT_THAT(feed.story.lines, ElementsAre("play 0", "conceal 160", "play 320"));
  EXPECT_EQ(feed.buffer.deadline(), std::nullopt);
}

TEST(FeedBuffer, SwappedFramesAreSetRight) {
  Feed feed(true);
  feed.frame(0, 0, 0);
  feed.frame(20, 3, 480);
  feed.frame(21, 2, 320);
  feed.frame(22, 1, 160);
  feed.frame(23, 4, 640);
  EXPECT_THAT(feed.story.lines, ElementsAre("play 0", "play 160", "play 320", "play 480", "play 640"));
  EXPECT_EQ(feed.buffer.stats().late, 0U);
}

TEST(FeedBuffer, APauseOfTheSourceIsNotWaitedForWhenNoFrameIsMissing) {
  Feed feed(true);
  feed.frame(0, 0, 0);
  feed.frame(500, 1, 4000);
  EXPECT_THAT(feed.story.lines, ElementsAre("play 0", "silence 3840/1600", "play 4000"));
}

TEST(FeedBuffer, TellsLateFromRepeated) {
  Feed feed(true);
  feed.frame(0, 0, 0);
  feed.frame(20, 2, 320);
  feed.frame(21, 2, 320);  // waits already
  feed.frame(70, 3, 480);  // 160 was given up at 60
  feed.frame(75, 1, 160);
  feed.frame(76, 2, 320);
  EXPECT_THAT(feed.story.lines,
              ElementsAre("play 0", "dup 320", "conceal 160", "play 320", "play 480", "late 160", "dup 320"));
}

TEST(FeedBuffer, AFrameBeforeTheFirstIsLate) {
  Feed feed(true);
  feed.frame(0, 5, 800);
  feed.frame(1, 4, 640);
  EXPECT_THAT(feed.story.lines, ElementsAre("play 800", "late 640"));
}

TEST(FeedBuffer, TimestampsWrap) {
  Feed feed(true);
  const std::uint32_t start = 0U - 160;
  feed.frame(0, 0, start);
  feed.frame(20, 2, 160);
  feed.frame(21, 1, 0);
  EXPECT_THAT(feed.story.lines, ElementsAre("play " + std::to_string(start), "play 0", "play 160"));
}

TEST(FeedBuffer, OneFarFrameIsDiscardedThreeAreANewSource) {
  Feed feed(true);
  feed.frame(0, 0, 0);
  feed.frame(20, 1, 0x80000000U);
  feed.frame(40, 2, 160);
  for (std::uint32_t i = 0; i < 4; ++i) feed.frame(60 + i, 3 + i, 5'000'000 + i * 160);
  EXPECT_THAT(feed.story.lines, ElementsAre("play 0", "jump 2147483648", "play 160", "jump 5000000", "jump 5000160",
                                            "play 5000320", "play 5000480"));
  EXPECT_EQ(feed.buffer.stats().resets, 1U);
}

TEST(FeedBuffer, MillisecondTimestampsThatRoundAreNotGaps) {
  FeedBuffer buffer;
  Story story;
  std::uint32_t exact = 0;
  for (std::uint32_t i = 0; i < 400; ++i) {
    const std::size_t size = 170 + (i * 37) % 500;
    buffer.push(at_ms(exact / 8.0), i, exact / 8 * 8, std::vector<std::uint8_t>(size), story);
    exact += static_cast<std::uint32_t>(size);
  }
  EXPECT_EQ(buffer.stats().gaps, 0U);
  EXPECT_EQ(buffer.stats().played, 400U);
}

TEST(FeedBuffer, HoldsAtMostTwoHundredMillisecondsOrSixteenFrames) {
  Feed feed(true);
  feed.frame(0, 0, 0);
  for (std::uint32_t i = 2; i < 40; ++i) {
    feed.frame(1, i, i * 160);
    ASSERT_LE(feed.buffer.held() * 20, 200U);
  }
  EXPECT_EQ(feed.story.lines[1], "conceal 160");
  FeedBuffer small(FeedConfig{.may_reorder = true});
  Story story;
  const std::vector<std::uint8_t> tiny(16);
  for (std::uint32_t i = 0; i < 100; ++i) {
    if (i % 2 == 0) small.push(at_ms(1), i, i * 16, tiny, story);  // every second one is missing
    ASSERT_LE(small.held(), FeedBuffer::kMaxHeld);
  }
}

TEST(FeedBuffer, ARunawaySenderIsCutAndTheCallRecovers) {
  Feed feed(true);
  for (std::uint32_t i = 0; i < 5000; ++i) feed.frame(0.01 * i, i, i * 160);
  EXPECT_LE(feed.story.media, 8000U * 11);
  EXPECT_GT(feed.buffer.stats().overflow + feed.buffer.stats().jump, 4000U);
  const auto played = feed.story.played.size();
  for (std::uint32_t i = 0; i < 50; ++i) feed.frame(100 + 20.0 * i, 5000 + i, (5000 + i) * 160);
  EXPECT_GE(feed.story.played.size(), played + 47);
}

TEST(FeedBuffer, NeverGoesBackInTimeWhateverArrives) {
  std::mt19937 random(42);
  for (int round = 0; round < 200; ++round) {
    Feed feed(round % 2 == 0);
    double now = 0;
    std::uint64_t resets = 0;
    std::uint32_t last = 0;
    std::size_t seen = 0;
    for (std::uint32_t i = 0; i < 300; ++i) {
      now += static_cast<double>(random() % 30);
      const auto jitter = static_cast<std::uint32_t>(random() % 9) - 4;
      const std::uint32_t seq = i + (random() % 4 == 0 ? jitter : 0);
      const std::uint32_t ts = random() % 40 == 0 ? static_cast<std::uint32_t>(random()) : 4000 + seq * 160;
      feed.buffer.push(at_ms(now), seq, ts, std::vector<std::uint8_t>(random() % 400), feed.story);
      for (; seen < feed.story.played.size(); ++seen) {
        const std::uint32_t played = feed.story.played[seen];
        const bool same_source = feed.buffer.stats().resets == resets && seen != 0;
        ASSERT_TRUE(!same_source || static_cast<std::int32_t>(played - last) >= 0) << last << " then " << played;
        last = played;
      }
      resets = feed.buffer.stats().resets;
      ASSERT_LE(feed.buffer.held(), FeedBuffer::kMaxHeld);
    }
    feed.buffer.flush(feed.story);
    EXPECT_EQ(feed.buffer.held(), 0U);
  }
}

TEST(FeedBuffer, IsAsNewAfterReset) {
  Feed feed(true);
  feed.frame(0, 0, 0);
  feed.frame(1, 5, 800);
  feed.buffer.reset();
  EXPECT_EQ(feed.buffer.held(), 0U);
  EXPECT_EQ(feed.buffer.stats().played, 0U);
  feed.story.lines.clear();
  feed.frame(0, 77, 9000);
  EXPECT_THAT(feed.story.lines, ElementsAre("play 9000"));
}

TEST(FeedBuffer, StaysSmall) {
  EXPECT_LE(sizeof(FeedBuffer), 512U);
}

}  // namespace
}  // namespace voxgate::audio
