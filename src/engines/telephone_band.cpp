#include "engines/telephone_band.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "voxgate/audio/g711.hpp"

namespace voxgate::engines {

namespace {

constexpr int kModelRate = 16000;
constexpr float kMirror = 0.7079458f;  // -3 dB
constexpr int kLoud = 18426;           // -5 dBFS: times 1.708 it would clip

}  // namespace

TelephoneBand::TelephoneBand(audio::AudioFormat wire) : wire_(wire), resampler_(wire.rate_hz, kModelRate) {}

std::span<const std::int16_t> TelephoneBand::convert(std::span<const std::uint8_t> wire_bytes) {
  linear_.resize(wire_.samples_in(wire_bytes.size()));
  audio::decode(wire_.encoding, wire_bytes, linear_);
  return convert(std::span<const std::int16_t>(linear_));
}

std::span<const std::int16_t> TelephoneBand::convert(std::span<const std::int16_t> pcm) {
  wide_.clear();
  resampler_.process(pcm, wide_);
  const bool fold = wire_.rate_hz == 8000;
  if (!halved_ && fold) {
    halved_ = std::any_of(pcm.begin(), pcm.end(), [](std::int16_t s) { return std::abs(static_cast<int>(s)) > kLoud; });
  }
  const float gain = halved_ ? 0.5f : 1.0f;
  const float factors[2] = {fold ? gain * (1.0f + kMirror) : gain, fold ? gain * (1.0f - kMirror) : gain};
  for (std::int16_t& sample : wide_) {
    noise_ = noise_ * 1664525u + 1013904223u;
    const float dither = static_cast<float>(static_cast<int>(noise_ >> 30) - 1) * (2.0f / 3.0f);
    const float y = static_cast<float>(sample) * factors[odd_ ? 1 : 0] + dither;
    odd_ = !odd_;
    sample = static_cast<std::int16_t>(std::lrintf(std::clamp(y, -32768.0f, 32767.0f)));
  }
  return wide_;
}

void TelephoneBand::restart() {
  resampler_.reset();
  odd_ = false;
}

}  // namespace voxgate::engines
