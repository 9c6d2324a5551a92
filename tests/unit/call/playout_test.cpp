// Pacing, marks, and the three verbs; telephony.md section 13 rows 4 and 5 and the Twilio trace of section 14.
#include "voxgate/call/playout.hpp"

#include <gtest/gtest.h>

#include <numeric>

namespace voxgate::call {
namespace {

struct Line final : MediaPort {
  std::vector<std::string> log;  // "media 320", "mark g1-1", "clear"
  std::vector<std::uint8_t> audio;
  void send_audio(std::span<const std::uint8_t> bytes) override {
    log.push_back("media " + std::to_string(bytes.size()));
    audio.insert(audio.end(), bytes.begin(), bytes.end());
  }
  void send_mark(std::string_view name) override { log.push_back("mark " + std::string(name)); }
  void send_clear() override { log.push_back("clear"); }
  std::vector<std::string> marks() const {
    std::vector<std::string> out;
    for (const auto& entry : log) {
      if (entry.starts_with("mark ")) out.push_back(entry.substr(5));
    }
    return out;
  }
};

class PlayoutTest : public ::testing::Test {
 protected:
  Instant at(std::int64_t ms) const { return Instant{} + std::chrono::hours(1) + Millis(ms); }
  std::vector<std::uint8_t> speech(std::int64_t ms) const {
    std::vector<std::uint8_t> out(static_cast<std::size_t>(ms * 8));
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<std::uint8_t>(i / 8 % 251);
    return out;
  }
  void run(std::int64_t from_ms, std::int64_t to_ms) {
    for (std::int64_t t = from_ms; t <= to_ms; t += 20) playout.tick(at(t));
  }
  carriers::Capabilities caps;
  Line line;
  Playout playout{audio::kMulaw8k, caps, PlayoutConfig{}, line};
};

TEST_F(PlayoutTest, SendsTheLeadAtOnceAndThenKeepsToRealTime) {
  playout.push(speech(2000), at(0));
  EXPECT_EQ(line.audio.size(), 160u * 8);
  run(20, 1000);
  EXPECT_EQ(line.audio.size(), (1000u + 160) * 8);
  for (const auto& entry : line.log) EXPECT_TRUE(entry == "media 320" || entry.starts_with("mark")) << entry;
}

TEST_F(PlayoutTest, CatchesUpAfterALateTickWithoutABurst) {
  playout.push(speech(5000), at(0));
  playout.tick(at(20));
  playout.tick(at(140));  // 100 ms late
  EXPECT_EQ(line.audio.size(), (140u + 160) / 40 * 40 * 8);
  const auto sent = line.audio.size();
  playout.tick(at(3000));  // a frozen process: the carrier ran dry, it gets the lead again, not three seconds at once
  EXPECT_EQ(line.audio.size() - sent, 160u * 8);
  EXPECT_EQ(playout.stats().underruns, 1u);
}

TEST_F(PlayoutTest, FillsUpTheLastFrameWithSilence) {
  const auto words = speech(50);
  playout.push(words, at(0));
  EXPECT_EQ(line.audio.size(), 320u);
  playout.finish(at(0));
  EXPECT_EQ(line.audio.size(), 480u);
  EXPECT_EQ(line.audio[400], 0xFF);
  EXPECT_EQ(line.audio[399], words[399]);
}

TEST_F(PlayoutTest, ReportsAMarkAsPlayed) {
  playout.push(speech(1000), at(0));
  playout.finish(at(0));
  run(20, 1000);
  ASSERT_EQ(line.marks(), std::vector<std::string>{"g1-1"});
  EXPECT_FALSE(playout.drained(at(1000)));
  EXPECT_TRUE(playout.on_mark("g1-1", at(1060)));
  EXPECT_TRUE(playout.drained(at(1060)));
  EXPECT_EQ(playout.heard(at(1060)), 8000);
  EXPECT_EQ(playout.stats().marks_played, 1u);
  EXPECT_EQ(playout.allocated_bytes(), 0u) << "a silent line holds no audio memory";
}

TEST_F(PlayoutTest, MarksEverySecondAndEveryClauseEnd) {
  playout.push(speech(700), at(0));
  playout.mark_here(at(0));
  playout.push(speech(1500), at(0));
  playout.finish(at(0));
  run(20, 2200);
  EXPECT_EQ(line.marks(), (std::vector<std::string>{"g1-1", "g1-2", "g1-3"}));
}

TEST_F(PlayoutTest, HeardFollowsTheClockBetweenMarksAndNeverPassesWhatWasSent) {
  playout.push(speech(400), at(0));
  EXPECT_EQ(playout.heard(at(100)), 800);
  EXPECT_EQ(playout.heard(at(1000)), 160 * 8) << "no tick: nothing more was sent";
}

// The carrier echoes all pending marks after a clear, none of them, or twice: the result is the same.
TEST_F(PlayoutTest, AClearResolvesPendingMarksWhateverTheCarrierEchoes) {
  for (const int variant : {0, 1, 2}) {
    Line wire;
    Playout p(audio::kMulaw8k, caps,
              PlayoutConfig{.lead = Millis(400), .message = Millis(40), .mark_every = Millis(100)}, wire);
    p.push(speech(5000), at(0));
    for (int t = 20; t <= 1000; t += 20) p.tick(at(t));
    while (p.stats().marks_played + 3 < wire.marks().size()) {
      p.on_mark(wire.marks()[p.stats().marks_played], at(1000));
    }
    const auto marks = wire.marks();
    const auto heard = p.heard(at(1000));
    p.cancel(at(1000));
    EXPECT_EQ(wire.log.back(), "clear");
    EXPECT_EQ(p.stats().marks_cleared, 3u);
    for (int echo = 0; echo < variant; ++echo) {
      for (std::size_t i = marks.size() - 3; i < marks.size(); ++i) EXPECT_FALSE(p.on_mark(marks[i], at(1010)));
    }
    EXPECT_EQ(p.heard(at(1010)), heard);
    EXPECT_EQ(p.stats().marks_played, marks.size() - 3);
  }
}

TEST_F(PlayoutTest, TwilioTraceOfABargeIn) {
  playout.push(speech(600), at(0));
  playout.mark_here(at(0));
  playout.push(speech(3000), at(0));
  run(20, 700);
  EXPECT_TRUE(playout.on_mark("g1-1", at(700)));
  run(720, 1500);
  playout.hold(at(1500));
  EXPECT_EQ(line.log.back(), "clear");
  EXPECT_FALSE(playout.on_mark("g1-2", at(1510))) << "echoed by the clear, not played";
  const auto cut = playout.cancel(at(1600));
  EXPECT_EQ(cut, (600 + 800) * 8) << "one clear, and the position of the hold";
  playout.push(speech(200), at(1700));
  playout.finish(at(1700));
  run(1720, 1900);
  EXPECT_EQ(line.log.back(), "mark g2-3");
  EXPECT_TRUE(playout.on_mark("g2-3", at(1910)));
  EXPECT_EQ(std::count(line.log.begin(), line.log.end(), "clear"), 1);
}

TEST_F(PlayoutTest, ResumeRepeatsFromTheLastBoundaryAndLosesNothing) {
  const auto words = speech(3000);
  playout.push(words, at(0));
  playout.add_boundary(900 * 8);
  playout.add_boundary(600 * 8);
  playout.add_boundary(1200 * 8);
  run(20, 1000);
  playout.hold(at(1000));
  EXPECT_TRUE(playout.held());
  run(1020, 1500);
  const auto before = line.audio.size();
  playout.resume(at(2000));
  EXPECT_EQ(line.audio[before], words[900 * 8]) << "back to the word that began before the heard position";
  for (std::int64_t t = 2020; t <= 4400; t += 20) playout.tick(at(t));
  playout.finish(at(4400));
  const std::vector<std::uint8_t> tail(line.audio.begin() + static_cast<std::ptrdiff_t>(before), line.audio.end());
  EXPECT_EQ(tail, std::vector<std::uint8_t>(words.begin() + 900 * 8, words.end()));
}

TEST_F(PlayoutTest, ResumeWithoutANearBoundaryGoesOnWhereItWasCut) {
  const auto words = speech(3000);
  playout.push(words, at(0));
  playout.add_boundary(200 * 8);
  run(20, 1000);
  playout.hold(at(1000));
  const auto before = line.audio.size();
  playout.resume(at(1100));
  EXPECT_EQ(line.audio[before], words[1000 * 8]);
}

TEST_F(PlayoutTest, KeepsTakingAudioWhileHeld) {
  playout.push(speech(500), at(0));
  playout.hold(at(100));
  const auto sent = line.audio.size();
  playout.push(speech(500), at(120));
  run(120, 500);
  EXPECT_EQ(line.audio.size(), sent);
  EXPECT_EQ(playout.end(), 8000);
}

TEST_F(PlayoutTest, RefusesMoreThanItsCapacity) {
  const auto big = speech(31000);
  EXPECT_LT(playout.push(big, at(0)), big.size());
  EXPECT_GT(playout.stats().overflow_bytes, 0u);
}

TEST_F(PlayoutTest, AMarkThatNeverComesBackCountsAsPlayed) {
  playout.push(speech(500), at(0));
  playout.finish(at(0));
  run(20, 840);
  EXPECT_FALSE(playout.drained(at(500)));
  EXPECT_TRUE(playout.drained(at(860))) << "350 ms after it was due";
}

TEST_F(PlayoutTest, IgnoresMarksThatAreNotItsOwn) {
  playout.push(speech(500), at(0));
  for (const char* name : {"", "g", "g1", "g1-", "g-1", "x1-1", "g1-1x", "g99999999999-1", "g2-1"}) {
    EXPECT_FALSE(playout.on_mark(name, at(10))) << name;
  }
}

}  // namespace
}  // namespace voxgate::call
