// Resampler, keys, concealment, WAV, far end.
#include <gtest/gtest.h>

#include <cmath>

#include "unit/audio/signals.hpp"
#include "voxgate/audio/concealment.hpp"
#include "voxgate/audio/dtmf.hpp"
#include "voxgate/audio/echo_gate.hpp"
#include "voxgate/audio/energy_meter.hpp"
#include "voxgate/audio/far_end.hpp"
#include "voxgate/audio/resampler.hpp"
#include "voxgate/audio/wav.hpp"

namespace voxgate::audio {
namespace {

using namespace test;

TEST(Resampler, KeepsPitchLevelAndLength) {
  for (const int out_hz : {8000, 16000, 24000, 22050}) {
    const Pcm out = resample(tone(1000, -20, 1.0, 16000), 16000, out_hz);
    ASSERT_EQ(out.size(), static_cast<std::size_t>(out_hz));
    const Pcm wanted = tone(1000, -20, 1.0, out_hz);
    double error = 0, power = 0;
    for (std::size_t i = 500; i + 500 < out.size(); ++i) {
      error += std::pow(out[i] - wanted[i], 2);
      power += std::pow(wanted[i], 2);
    }
    EXPECT_LT(10 * std::log10(error / power), -25) << out_hz;
  }
}

TEST(Resampler, PiecesMakeTheSameStreamAsTheWhole) {
  const Pcm in = noise(-20, 0.5);
  Resampler whole(8000, 16000), pieces(8000, 16000);
  Pcm a, b;
  whole.process(in, a);
  for (std::size_t i = 0; i < in.size(); i += 133) {
    pieces.process(std::span(in).subspan(i, std::min<std::size_t>(133, in.size() - i)), b);
  }
  EXPECT_EQ(a, b);
  EXPECT_NEAR(static_cast<double>(a.size()), 8000.0, 2.0);
  whole.reset();
  Pcm again;
  whole.process(in, again);
  EXPECT_EQ(again, a);
}

TEST(Resampler, EqualRatesCopy) {
  const Pcm in = noise(-20, 0.1);
  Resampler same(8000, 8000);
  Pcm out;
  same.process(in, out);
  EXPECT_EQ(out, in);
  EXPECT_EQ(same.delay(), 0U);
}

std::string keys_in(const Pcm& pcm, int rate = 8000) {
  DtmfDetector detector(rate);
  std::string keys;
  const std::size_t frame = static_cast<std::size_t>(rate) / 50;
  for (std::size_t i = 0; i + frame <= pcm.size(); i += frame) {
    if (const char key = detector.feed(std::span(pcm).subspan(i, frame)); key != 0) keys += key;
  }
  return keys;
}

constexpr const char* kAllKeys = "1234567890*#ABCD";

TEST(Dtmf, HearsEveryKeyAtEitherRateLevelTwistAndLength) {
  EXPECT_EQ(keys_in(make_dtmf(kAllKeys, 8000) + Pcm(800)), kAllKeys);
  EXPECT_EQ(keys_in(make_dtmf(kAllKeys, 16000) + Pcm(1600), 16000), kAllKeys);
  EXPECT_EQ(keys_in(make_dtmf(kAllKeys, 8000, {.level_dbfs = -30}) + Pcm(800)), kAllKeys);
  EXPECT_EQ(keys_in(make_dtmf(kAllKeys, 8000, {.twist_db = 3}) + Pcm(800)), kAllKeys);
  EXPECT_EQ(keys_in(make_dtmf(kAllKeys, 8000, {.twist_db = -6}) + Pcm(800)), kAllKeys);
  EXPECT_EQ(keys_in(make_dtmf(kAllKeys, 8000, {.on = 45ms, .off = 45ms}) + Pcm(800)), kAllKeys);
  EXPECT_EQ(keys_in(make_dtmf("5", 8000, {.on = 2000ms}) + Pcm(800)), "5");
  EXPECT_EQ(keys_in(make_dtmf("1155", 8000, {.on = 60ms, .off = 60ms}) + Pcm(800)), "1155");
}

TEST(Dtmf, AKeyThatDropsOutForAMomentIsPressedOnce) {
  const Pcm half = make_dtmf("7", 8000, {.on = 100ms, .off = 0ms});
  EXPECT_EQ(keys_in(half + Pcm(80) + half + Pcm(800)), "7");
}

TEST(Dtmf, HearsNoKeysInVoiceNoiseOrSingleTones) {
  EXPECT_EQ(keys_in(voice(-15, 5)), "");
  EXPECT_EQ(keys_in(noise(-15, 5)), "");
  EXPECT_EQ(keys_in(tone(697, -10, 1) + tone(1209, -10, 1)), "");
}

TEST(Dtmf, TheGeneratorKeepsTheAskedLevelAndSkipsWhatIsNoKey) {
  const Pcm pcm = make_dtmf("5x", 8000, {.on = 100ms, .off = 0ms, .level_dbfs = -13, .twist_db = 4});
  EXPECT_EQ(pcm.size(), 800U);
  EXPECT_NEAR(level_db(pcm), -13.0, 0.3);
}

TEST(Concealer, CarriesAVoiceOverALostFrameAndFadesOut) {
  Concealer concealer;
  Pcm speech = voice(-20, 0.4);
  concealer.received(speech);
  Pcm lost(160), later(480);
  concealer.conceal(lost);
  concealer.conceal(later);
  EXPECT_GT(level_db(lost), level_db(std::span(speech).last(160)) - 12);
  EXPECT_LT(level_db(std::span(later).last(80)), -60);
}

TEST(ComfortNoise, HasItsLevelAndRepeats) {
  ComfortNoise a, b, loud(-40.0, 9);
  Pcm x(8000), y(8000), z(8000);
  a.fill(x);
  b.fill(y);
  loud.fill(z);
  EXPECT_EQ(x, y);
  EXPECT_NEAR(level_db(x), -70, 1.0);
  EXPECT_NEAR(level_db(z), -40, 0.5);
  a.reset();
  a.fill(y);
  EXPECT_EQ(x, y);
}

TEST(Wav, WritesWhatItReads) {
  for (const Encoding e : {Encoding::s16le, Encoding::mulaw, Encoding::alaw}) {
    for (const int channels : {1, 2}) {
      const WavFormat format{{e, 16000}, channels};
      const auto data = wire(noise(-20, 0.01), e);
      const auto file = encode_wav(format, data);
      const auto wav = parse_wav(file);
      ASSERT_TRUE(wav) << wav.error();
      EXPECT_EQ(wav->format, format);
      EXPECT_TRUE(std::equal(data.begin(), data.end(), wav->data.begin(), wav->data.end()));
    }
  }
}

TEST(Wav, ReadsUnfinishedFilesOddChunksAndOneChannelOfTwo) {
  auto file = encode_wav(Pcm{1, 2, 3, 4}, 8000);
  for (int i = 40; i < 44; ++i) file[static_cast<std::size_t>(i)] = 0xFF;  // size never filled in
  const std::vector<std::uint8_t> extra = {'L', 'I', 'S', 'T', 3, 0, 0, 0, 'a', 'b', 'c', 0};
  file.insert(file.begin() + 12, extra.begin(), extra.end());
  const auto wav = parse_wav(file);
  ASSERT_TRUE(wav);
  EXPECT_EQ(wav_samples(*wav), (Pcm{1, 2, 3, 4}));
  const WavView stereo{{kLinear8k, 2}, wav->data};
  EXPECT_EQ(wav_samples(stereo, 0), (Pcm{1, 3}));
  EXPECT_EQ(wav_samples(stereo, 1), (Pcm{2, 4}));
  EXPECT_EQ(wav_samples(stereo), (Pcm{1, 3}));
}

TEST(Wav, RefusesWhatIsBrokenOrNotOffered) {
  const auto good = encode_wav(Pcm(10, 7), 8000);
  EXPECT_EQ(parse_wav({}).error(), make_error_code(Errc::bad_input));
  for (std::size_t n = 0; n < 44; ++n) EXPECT_FALSE(parse_wav(std::span(good).first(n))) << n;
  auto bits24 = good;
  bits24[34] = 24;
  EXPECT_EQ(parse_wav(bits24).error(), make_error_code(Errc::unsupported));
  auto six = good;
  six[22] = 6;
  EXPECT_EQ(parse_wav(six).error(), make_error_code(Errc::unsupported));
  auto no_rate = good;
  for (int i = 24; i < 28; ++i) no_rate[static_cast<std::size_t>(i)] = 0;
  EXPECT_EQ(parse_wav(no_rate).error(), make_error_code(Errc::bad_input));
}

TEST(FarEndTracker, RemembersTheLoudestOfTheLastFourHundredMilliseconds) {
  FarEndTracker far;
  far.push(wire(tone(500, -20, 0.1)));
  EXPECT_NEAR(far.max_db(), -20, 0.5);
  far.skip(8 * 310);
  EXPECT_LT(far.step_db(0), -90);
  EXPECT_NEAR(far.max_db(), -20, 0.5);
  far.skip(8 * 100);
  EXPECT_EQ(far.max_db(), kMinDb);
  EXPECT_NEAR(far.max_db(300ms), -20, 0.5);
  far.skip(8 * 60000);
  EXPECT_EQ(far.max_db(300ms), kMinDb);
}

TEST(FarEndTracker, TakesPiecesOfAnySize) {
  FarEndTracker a, b;
  const auto bytes = wire(noise(-25, 1));
  a.push(bytes);
  for (std::size_t i = 0; i < bytes.size(); i += 37)
    b.push(std::span(bytes).subspan(i, std::min<std::size_t>(37, bytes.size() - i)));
  EXPECT_EQ(a.steps(), b.steps());
  for (std::size_t i = 0; i < 100; ++i) EXPECT_EQ(a.step_db(i), b.step_db(i));
}

TEST(EchoDelayEstimator, FindsTheDelayOfAnEchoAndNothingInUnrelatedSound) {
  const Pcm speech = voice(-20, 3) + Pcm(4000) + voice(-24, 2, 8000, 190) + Pcm(2400) + voice(-20, 2, 8000, 100);
  const auto steps = [](const Pcm& pcm) {
    FarEndTracker tracker;
    std::vector<float> db;
    for (std::size_t i = 0; i + 80 <= pcm.size(); i += 80) db.push_back(level_db(std::span(pcm).subspan(i, 80)));
    return db;
  };
  const auto far = steps(speech);
  EchoDelayEstimator echo, unrelated;
  const auto babble = steps(noise(-40, 12, 8000, 5));
  for (std::size_t i = 0; i < far.size(); ++i) {
    echo.step(far[i], i >= 37 ? far[i - 37] - 18 : kMinDb);
    unrelated.step(far[i], babble[i]);
  }
  EXPECT_EQ(echo.best().delay, 370ms);
  EXPECT_GT(echo.best().correlation, 0.9F);
  EXPECT_LT(unrelated.best().correlation, 0.4F);
}

/// Runs the gate over a far end and what comes back, and counts the frames that stand above its limit.
int frames_above(EchoGate& gate, const Pcm& far, const Pcm& near, Micros from = 0us) {
  FarEndTracker tracker;
  int above = 0;
  for (std::size_t i = 0; i + 160 <= std::min(far.size(), near.size()); i += 160) {
    tracker.push(
        wire(Pcm(far.begin() + static_cast<std::ptrdiff_t>(i), far.begin() + static_cast<std::ptrdiff_t>(i + 160))));
    const float db = level_db(std::span(near).subspan(i, 160));
    const bool counts = kLinear8k.duration_of_samples(i) >= from;
    if (db > std::max(gate.step(tracker, db, -66.0F), -52.0F) && counts) ++above;
  }
  return above;
}

Pcm delayed(const Pcm& pcm, Millis delay, double db) {
  Pcm out(kLinear8k.samples_for(delay), 0);
  for (const auto s : pcm) out.push_back(static_cast<std::int16_t>(s * std::pow(10.0, db / 20.0)));
  out.resize(pcm.size());
  return out;
}

TEST(EchoGate, OurOwnVoiceNeverStandsAboveTheLimitHoweverLoudTheLineReturnsIt) {
  const Pcm far = voice(-18, 6);
  for (const double coupling : {-10.0, -20.0, -30.0}) {
    for (const Millis delay : {0ms, 100ms, 300ms}) {
      EchoGate gate;
      EXPECT_EQ(frames_above(gate, far, mix(delayed(far, delay, coupling), noise(-66, 6))), 0)
          << coupling << delay.count();
      EXPECT_NEAR(gate.coupling_db(), coupling, 5.0);
    }
  }
}

TEST(EchoGate, OnALineWithoutEchoAQuietCallerIsHeard) {
  EchoGate gate;
  const Pcm far = voice(-18, 6);
  const Pcm caller = Pcm(24000, 0) + voice(-38, 3, 8000, 190);
  EXPECT_GT(frames_above(gate, far, mix(caller, noise(-66, 6)), 3s), 100);
  EXPECT_LT(gate.coupling_db(), -40.0F);
}

TEST(EchoGate, BeforeAnythingIsLearntTheLimitIsAboutTwentyDecibelsBelowTheFarEnd) {
  EchoGate gate;
  FarEndTracker tracker;
  tracker.push(wire(tone(500, -20, 0.02)));
  EXPECT_NEAR(gate.step(tracker, -66, -66), -40, 0.5);
  EchoGate silent;
  EXPECT_EQ(silent.step(FarEndTracker(), -20, -66), kMinDb);
}

}  // namespace
}  // namespace voxgate::audio
