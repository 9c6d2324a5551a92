#pragma once
// A synthetic telephone line for tests: band limit 200 to 3500 Hz, noise at -62 dBFS, mu-law, 8 kHz.

#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

#include "voxgate/audio/g711.hpp"
#include "voxgate/audio/resampler.hpp"

namespace voxgate::engines::test {

/// Second-order section in direct form 1 (R. Bristow-Johnson's audio EQ cookbook).
class Biquad {
 public:
  static Biquad low_pass(double hz, double rate, double q) {
    const double w = 2 * M_PI * hz / rate, a = std::sin(w) / (2 * q), c = std::cos(w);
    return Biquad((1 - c) / 2, 1 - c, (1 - c) / 2, 1 + a, -2 * c, 1 - a);
  }
  static Biquad high_pass(double hz, double rate, double q) {
    const double w = 2 * M_PI * hz / rate, a = std::sin(w) / (2 * q), c = std::cos(w);
    return Biquad((1 + c) / 2, -(1 + c), (1 + c) / 2, 1 + a, -2 * c, 1 - a);
  }
  double operator()(double x) {
    const double y = b0_ * x + b1_ * x1_ + b2_ * x2_ - a1_ * y1_ - a2_ * y2_;
    x2_ = x1_;
    x1_ = x;
    y2_ = y1_;
    y1_ = y;
    return y;
  }

 private:
  Biquad(double b0, double b1, double b2, double a0, double a1, double a2)
      : b0_(b0 / a0), b1_(b1 / a0), b2_(b2 / a0), a1_(a1 / a0), a2_(a2 / a0) {}
  double b0_, b1_, b2_, a1_, a2_;
  double x1_ = 0, x2_ = 0, y1_ = 0, y2_ = 0;
};

/// What a caller's 16 kHz speech is when it arrives: mu-law bytes, with 300 ms before and after the words.
inline std::vector<std::uint8_t> telephone_mulaw(std::span<const std::int16_t> pcm16k, std::uint32_t seed) {
  std::vector<std::int16_t> padded(4800, 0);
  padded.insert(padded.end(), pcm16k.begin(), pcm16k.end());
  padded.insert(padded.end(), 4800, 0);
  std::vector<std::int16_t> pcm = audio::resample(padded, 16000, 8000);
  // Fourth-order Butterworth on either side.
  Biquad sections[] = {Biquad::high_pass(200, 8000, 0.5412), Biquad::high_pass(200, 8000, 1.3066),
                       Biquad::low_pass(3500, 8000, 0.5412), Biquad::low_pass(3500, 8000, 1.3066)};
  const double noise_peak = 32768.0 * std::pow(10.0, -62.0 / 20.0) * std::sqrt(3.0);  // uniform: RMS = peak / sqrt 3
  std::uint32_t state = seed * 2654435761u + 1u;
  for (std::int16_t& sample : pcm) {
    double x = sample;
    for (Biquad& section : sections) x = section(x);
    state = state * 1664525u + 1013904223u;
    x += (static_cast<double>(state >> 8) / 8388608.0 - 1.0) * noise_peak;
    sample = static_cast<std::int16_t>(std::lrint(std::fmin(32767.0, std::fmax(-32768.0, x))));
  }
  std::vector<std::uint8_t> out(pcm.size());
  audio::g711::encode_ulaw(pcm, out);
  return out;
}

inline std::vector<std::int16_t> telephone(std::span<const std::int16_t> pcm16k, std::uint32_t seed) {
  const auto bytes = telephone_mulaw(pcm16k, seed);
  std::vector<std::int16_t> out(bytes.size());
  audio::g711::decode_ulaw(bytes, out);
  return out;
}

}  // namespace voxgate::engines::test
