#include "voxgate/audio/vad.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "unit/audio/signals.hpp"
#include "voxgate/audio/energy_meter.hpp"

namespace voxgate::audio {
namespace {

using namespace test;

struct Heard {
  std::vector<std::int64_t> starts, stops;  // ms
  std::string digits;
  int acts = 0, frames = 0;
};

void note(Heard& heard, const VadFrame& frame) {
  ++heard.frames;
  if (frame.act) ++heard.acts;
  if (frame.edge == VadFrame::Edge::start) heard.starts.push_back(frame.end.count() / 1000);
  if (frame.edge == VadFrame::Edge::stop) heard.stops.push_back(frame.end.count() / 1000);
  if (frame.digit != 0) heard.digits += frame.digit;
}

Heard listen(Vad& vad, const Pcm& pcm, std::size_t chunk = 160) {
  Heard heard;
  const auto bytes = wire(pcm, vad.config().format.encoding);
  for (std::size_t i = 0; i < bytes.size(); i += chunk) {
    vad.push(std::span(bytes).subspan(i, std::min(chunk, bytes.size() - i)),
             [&](const VadFrame& f) { note(heard, f); });
  }
  return heard;
}

Heard listen(const Pcm& pcm, VadConfig config = {}) {
  Vad vad(config);
  return listen(vad, pcm);
}

TEST(EnergyMeter, MeasuresFullScaleToneAndSilence) {
  EXPECT_NEAR(level_db(tone(1000, -20, 0.02)), -20.0, 0.05);
  EXPECT_EQ(level_db(Pcm(160, 0)), kMinDb);
  EXPECT_EQ(level_db(Pcm{}), kMinDb);
  EXPECT_EQ(level_db(Encoding::alaw, std::vector<std::uint8_t>(160, 0xD5)), kMinDb);
}

TEST(EnergyMeter, IgnoresAnOffset) {
  Pcm pcm = tone(1000, -40, 0.02);
  for (auto& s : pcm) s = static_cast<std::int16_t>(s + 3000);
  EXPECT_NEAR(level_db(pcm), -40.0, 0.1);
}

TEST(EnergyMeter, CompandedBytesMeasureLikeTheirDecodedSamples) {
  const Pcm pcm = noise(-30, 0.02);
  for (const Encoding e : {Encoding::mulaw, Encoding::alaw, Encoding::s16le}) {
    const auto bytes = wire(pcm, e);
    Pcm back(pcm.size());
    decode(e, bytes, back);
    EXPECT_FLOAT_EQ(level_db(e, bytes), level_db(back));
  }
}

TEST(Vad, HearsWhereSpeechStartsAndStops) {
  const Heard heard = listen(noise(-62, 1) + voice(-22, 2) + noise(-62, 1));
  ASSERT_EQ(heard.starts.size(), 1U);
  ASSERT_EQ(heard.stops.size(), 1U);
  EXPECT_NEAR(static_cast<double>(heard.starts[0]), 1080, 60);
  EXPECT_NEAR(static_cast<double>(heard.stops[0]), 3200, 60);
}

TEST(Vad, HearsTheSameAtSixteenKilohertzAndInPiecesOfAnySize) {
  Vad wide(VadConfig{.format = kLinear16k});
  const Heard heard = listen(wide, noise(-62, 1, 16000) + voice(-22, 2, 16000) + noise(-62, 1, 16000), 333);
  EXPECT_EQ(heard.frames, 200);
  ASSERT_EQ(heard.starts.size(), 1U);
  EXPECT_NEAR(static_cast<double>(heard.starts[0]), 1080, 60);
  const Pcm pcm = noise(-62, 1) + voice(-22, 1) + noise(-62, 1);
  Vad even, odd;
  const Heard a = listen(even, pcm, 160), b = listen(odd, pcm, 57);
  EXPECT_EQ(a.starts, b.starts);
  EXPECT_EQ(a.stops, b.stops);
}

TEST(Vad, IsNotStartedBySilenceHumToneOrSteadyNoise) {
  EXPECT_TRUE(listen(Pcm(40000, 0)).starts.empty());
  EXPECT_TRUE(listen(tone(50, -30, 5)).starts.empty());
  EXPECT_TRUE(listen(tone(440, -20, 5)).starts.empty());
  EXPECT_TRUE(listen(noise(-35, 5)).starts.empty());
}

TEST(Vad, LearnsALouderFloorWithinTwoSeconds) {
  Vad vad;
  listen(vad, noise(-60, 2));
  listen(vad, noise(-38, 2));
  EXPECT_FALSE(vad.speaking());
  EXPECT_TRUE(listen(vad, noise(-38, 3)).starts.empty());
}

TEST(Vad, FindsAVoiceThatBarelyRaisesTheLevelOfTheNoise) {
  const Pcm speech = Pcm(16000, 0) + voice(-30, 3) + Pcm(16000, 0);
  const Heard heard = listen(mix(speech, noise(-33, 7)));  // 3 dB: far less than the 9 dB the whole level would need
  ASSERT_FALSE(heard.starts.empty());
  EXPECT_GE(heard.starts.front(), 2000);
  EXPECT_LE(heard.starts.front(), 2400);
  EXPECT_LE(heard.stops.back(), 5400);
}

TEST(Vad, RunningTheModelsOnEveryFrameHearsTheSame) {
  const Pcm pcm = noise(-62, 1) + voice(-22, 2) + noise(-62, 1) + voice(-30, 1) + noise(-62, 1);
  const Heard lazy = listen(pcm), always = listen(pcm, VadConfig{.lazy_models = false});
  ASSERT_EQ(lazy.starts.size(), always.starts.size());
  for (std::size_t i = 0; i < lazy.starts.size(); ++i) {
    EXPECT_NEAR(static_cast<double>(lazy.starts[i]), static_cast<double>(always.starts[i]), 60);
  }
}

TEST(Vad, ReportsKeysOnceAndDoesNotTakeThemForSpeech) {
  const Heard heard = listen(noise(-62, 0.5) + make_dtmf("1234567890*#ABCD", 8000) + noise(-62, 0.5));
  EXPECT_EQ(heard.digits, "1234567890*#ABCD");
  EXPECT_TRUE(heard.starts.empty());
}

TEST(Vad, AGapAdvancesTheClockAndEndsSpeech) {
  Vad vad;
  listen(vad, noise(-62, 1) + voice(-22, 1));
  ASSERT_TRUE(vad.speaking());
  const float floor = vad.floor_db();
  Heard heard;
  vad.skip(8000, [&](const VadFrame& f) { note(heard, f); });
  EXPECT_EQ(heard.frames, 50);
  EXPECT_EQ(vad.now(), 3s);
  EXPECT_EQ(vad.floor_db(), floor);
  ASSERT_EQ(heard.stops.size(), 1U);
  EXPECT_NEAR(static_cast<double>(heard.stops[0]), 2200, 40);
}

TEST(Vad, IsAsNewAfterReset) {
  Vad vad;
  const Pcm pcm = noise(-62, 1) + voice(-22, 1) + make_dtmf("5", 8000) + noise(-62, 1);
  const Heard first = listen(vad, pcm);
  vad.reset();
  EXPECT_EQ(vad.now(), 0s);
  const Heard second = listen(vad, pcm);
  EXPECT_EQ(first.starts, second.starts);
  EXPECT_EQ(first.stops, second.stops);
  EXPECT_EQ(first.acts, second.acts);
  EXPECT_EQ(first.digits, second.digits);
}

TEST(Vad, StaysSmall) {
  EXPECT_LE(sizeof(Vad), 1024U);
}

}  // namespace
}  // namespace voxgate::audio
