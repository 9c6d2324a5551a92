#include "voxgate/audio/network_quality.hpp"

#include <gtest/gtest.h>

namespace voxgate::audio {
namespace {

Instant at(std::int64_t ms) {
  return Instant{} + std::chrono::hours(1) + Millis(ms);
}

TEST(EstimateOpinion, MeetsThePublishedPoints) {
  EXPECT_NEAR(estimate_opinion(0, 0, false).r, 93.2, 0.05);
  EXPECT_NEAR(estimate_opinion(0, 0, false).mos, 4.41, 0.01);
  EXPECT_NEAR(estimate_opinion(150, 0, false).r, 89.6, 0.05);
  EXPECT_NEAR(estimate_opinion(150, 0, false).mos, 4.33, 0.01);
  EXPECT_NEAR(estimate_opinion(150, 2, true).r, 82.6, 0.1);
  EXPECT_NEAR(estimate_opinion(150, 2, true).mos, 4.12, 0.02);
  EXPECT_NEAR(estimate_opinion(150, 2, false).r, 59.4, 0.5);
  EXPECT_NEAR(estimate_opinion(150, 2, false).mos, 3.07, 0.03);
  EXPECT_GE(estimate_opinion(5000, 100, false).mos, 1.0);
}

TEST(NetworkQuality, SteadyFramesHaveNoJitterAndNoStall) {
  NetworkQuality q;
  for (int i = 0; i < 500; ++i) q.on_frame(at(i * 20), Millis(i * 20));
  EXPECT_DOUBLE_EQ(q.jitter_ms(), 0.0);
  EXPECT_EQ(q.stalls(), 0u);
}

TEST(NetworkQuality, ConvergesToTheMeanDeviationOfAlternatingFrames) {
  NetworkQuality q;
  for (int i = 0; i < 2000; ++i) q.on_frame(at(i * 20 + (i % 2) * 10), Millis(i * 20));
  EXPECT_NEAR(q.jitter_ms(), 10.0, 0.1);
}

TEST(NetworkQuality, CountsAStallAndItsBurst) {
  NetworkQuality q;
  for (int i = 0; i < 50; ++i) q.on_frame(at(i * 20), Millis(i * 20));
  for (int i = 50; i < 65; ++i) q.on_frame(at(1300), Millis(i * 20));  // 300 ms late, then all at once
  EXPECT_EQ(q.stalls(), 1u);
  EXPECT_EQ(q.longest_stall(), Millis(300));
}

TEST(NetworkQuality, SilenceOfTheSourceIsNoStall) {
  NetworkQuality q;
  q.on_frame(at(0), Millis(0));
  q.on_frame(at(3000), Millis(3000));
  EXPECT_EQ(q.stalls(), 0u);
}

}  // namespace
}  // namespace voxgate::audio
