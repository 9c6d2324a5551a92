#pragma once
// Test signals: deterministic and short.

#include <cmath>
#include <cstdint>
#include <numbers>
#include <random>
#include <vector>

#include "voxgate/audio/g711.hpp"

namespace voxgate::audio::test {

using Pcm = std::vector<std::int16_t>;

inline double amplitude(double dbfs) {
  return 32768.0 * std::pow(10.0, dbfs / 20.0);
}

inline Pcm tone(double hz, double rms_dbfs, double seconds, int rate = 8000) {
  Pcm pcm(static_cast<std::size_t>(seconds * rate));
  for (std::size_t i = 0; i < pcm.size(); ++i) {
    pcm[i] = static_cast<std::int16_t>(amplitude(rms_dbfs) * std::numbers::sqrt2 *
                                       std::sin(2 * std::numbers::pi * hz * static_cast<double>(i) / rate));
  }
  return pcm;
}

inline Pcm noise(double rms_dbfs, double seconds, int rate = 8000, unsigned seed = 1) {
  std::mt19937 random(seed);
  std::normal_distribution<double> gauss(0.0, amplitude(rms_dbfs));
  Pcm pcm(static_cast<std::size_t>(seconds * rate));
  for (auto& s : pcm) s = static_cast<std::int16_t>(std::clamp(gauss(random), -32768.0, 32767.0));
  return pcm;
}

/// A buzz of glottal pulses through three formants, four syllables a second: enough like speech for a voice detector.
inline Pcm voice(double rms_dbfs, double seconds, int rate = 8000, double pitch_hz = 120) {
  const auto n = static_cast<std::size_t>(seconds * rate);
  std::vector<double> x(n, 0.0);
  double phase = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const double t = static_cast<double>(i) / rate;
    phase += pitch_hz * (1 + 0.1 * std::sin(2 * std::numbers::pi * 1.3 * t)) / rate;
    if (phase >= 1) {
      phase -= 1;
      x[i] = 1.0;
    }
  }
  for (const double hz : {550.0, 1350.0, 2500.0}) {
    const double r = std::exp(-std::numbers::pi * 90 / rate), c = 2 * r * std::cos(2 * std::numbers::pi * hz / rate);
    double y1 = 0, y2 = 0;
    for (auto& s : x) {
      const double y = s + c * y1 - r * r * y2;
      y2 = y1;
      s = y1 = y;
    }
  }
  double power = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const double t = static_cast<double>(i) / rate;
    x[i] *= 0.25 + 0.75 * std::abs(std::sin(2 * std::numbers::pi * 2.0 * t));
    power += x[i] * x[i];
  }
  const double gain = amplitude(rms_dbfs) / std::sqrt(power / static_cast<double>(n));
  Pcm pcm(n);
  for (std::size_t i = 0; i < n; ++i) pcm[i] = static_cast<std::int16_t>(std::clamp(x[i] * gain, -32768.0, 32767.0));
  return pcm;
}

inline Pcm operator+(Pcm a, const Pcm& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

inline Pcm mix(Pcm a, const Pcm& b) {
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    a[i] = static_cast<std::int16_t>(std::clamp(a[i] + b[i], -32768, 32767));
  }
  return a;
}

inline std::vector<std::uint8_t> wire(const Pcm& pcm, Encoding encoding = Encoding::mulaw) {
  std::vector<std::uint8_t> bytes(AudioFormat{encoding}.bytes_of(pcm.size()));
  encode(encoding, pcm, bytes);
  return bytes;
}

}  // namespace voxgate::audio::test
