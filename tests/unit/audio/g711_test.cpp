#include "voxgate/audio/g711.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "audio/spandsp.hpp"

namespace voxgate::audio {
namespace {

TEST(G711, AgreesWithSpandspForEveryCodeAndEverySample) {
  for (int code = 0; code < 256; ++code) {
    const auto byte = static_cast<std::uint8_t>(code);
    ASSERT_EQ(g711::ulaw_to_linear(byte), ::ulaw_to_linear(byte)) << code;
    ASSERT_EQ(g711::alaw_to_linear(byte), ::alaw_to_linear(byte)) << code;
  }
  for (int sample = -32768; sample <= 32767; ++sample) {
    const auto s = static_cast<std::int16_t>(sample);
    ASSERT_EQ(g711::linear_to_ulaw(s), ::linear_to_ulaw(s)) << sample;
    ASSERT_EQ(g711::linear_to_alaw(s), ::linear_to_alaw(s)) << sample;
  }
}

TEST(G711, EveryCodeSurvivesDecodeAndEncodeExceptTheSecondZeroOfMuLaw) {
  for (int code = 0; code < 256; ++code) {
    const auto byte = static_cast<std::uint8_t>(code);
    EXPECT_EQ(g711::linear_to_alaw(g711::alaw_to_linear(byte)), byte);
    if (byte == 0x7F) continue;
    EXPECT_EQ(g711::linear_to_ulaw(g711::ulaw_to_linear(byte)), byte);
  }
  EXPECT_EQ(g711::linear_to_ulaw(g711::ulaw_to_linear(0x7F)), 0xFF);  // -0 comes back as +0
}

TEST(G711, QuantisationErrorStaysWithinHalfAStepOfTheSegment) {
  for (int sample = -32768; sample <= 32767; ++sample) {
    const auto s = static_cast<std::int16_t>(sample);
    const int magnitude = std::abs(sample);
    const int ulaw_error = std::abs(g711::ulaw_to_linear(g711::linear_to_ulaw(s)) - sample);
    const int alaw_error = std::abs(g711::alaw_to_linear(g711::linear_to_alaw(s)) - sample);
    EXPECT_LE(ulaw_error, std::max(4, magnitude / 30 + 4)) << sample;
    EXPECT_LE(alaw_error, std::max(9, magnitude / 30 + 9)) << sample;
  }
}

TEST(G711, SpansConvertOnlyWhatBothHold) {
  const std::vector<std::uint8_t> wire = {0xFF, 0x00, 0x80, 0x55};
  std::vector<std::int16_t> pcm(3, 1);
  EXPECT_EQ(decode(Encoding::mulaw, wire, pcm), 3U);
  EXPECT_EQ(pcm, (std::vector<std::int16_t>{0, -32124, 32124}));
  std::vector<std::uint8_t> back(2);
  EXPECT_EQ(encode(Encoding::mulaw, pcm, back), 2U);
  EXPECT_EQ(back, (std::vector<std::uint8_t>{0xFF, 0x00}));
}

TEST(G711, LinearBytesAreLittleEndianAndOddBytesAreLeftAlone) {
  const std::vector<std::uint8_t> wire = {0x34, 0x12, 0xFF, 0xFF, 0x77};
  std::vector<std::int16_t> pcm(4, 5);
  EXPECT_EQ(decode(Encoding::s16le, wire, pcm), 2U);
  EXPECT_EQ(pcm, (std::vector<std::int16_t>{0x1234, -1, 5, 5}));
  std::vector<std::uint8_t> back(3, 9);
  EXPECT_EQ(encode(Encoding::s16le, std::span(pcm).first(2), back), 2U);
  EXPECT_EQ(back, (std::vector<std::uint8_t>{0x34, 0x12, 9}));
}

TEST(AudioFormat, ConvertsBetweenTimeSamplesAndBytes) {
  using namespace std::chrono_literals;
  static_assert(kMulaw8k.bytes_for(20ms) == 160);
  static_assert(kLinear16k.bytes_for(20ms) == 640);
  static_assert(kLinear24k.samples_for(10ms) == 240);
  static_assert(kLinear16k.duration_of_bytes(640) == 20ms);
  static_assert(kMulaw8k.silence_byte() == 0xFF && kAlaw8k.silence_byte() == 0xD5 && kLinear8k.silence_byte() == 0);
  static_assert(kMulaw8k != kAlaw8k && kMulaw8k == AudioFormat{});
  EXPECT_EQ(kMulaw8k.bytes_for(-5ms), 0U);
  EXPECT_EQ(to_string(kLinear16k), "s16le/16000");
  EXPECT_EQ(g711::ulaw_to_linear(kMulaw8k.silence_byte()), 0);
  EXPECT_EQ(g711::alaw_to_linear(kAlaw8k.silence_byte()), 8);
}

}  // namespace
}  // namespace voxgate::audio
