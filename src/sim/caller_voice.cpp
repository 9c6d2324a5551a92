#include "voxgate/sim/caller_voice.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <stdexcept>

#include "voxgate/audio/g711.hpp"
#include "voxgate/audio/resampler.hpp"
#include "voxgate/engines/voice.hpp"

namespace voxgate::sim {
namespace {

constexpr int kRate = 8000;
constexpr std::size_t kWindow = kRate / 100;  // 10 ms
constexpr double kSpeechRangeDb = 28.0;       // windows so far below the loudest are no speech
constexpr double kFloorDbfs = -48.0;          // nor are those below this

double power_of_dbfs(double dbfs) {
  return std::pow(10.0, dbfs / 10.0) * 32768.0 * 32768.0;
}

/// Second-order section in direct form 1. Source: R. Bristow-Johnson, Audio EQ Cookbook.
class Section {
 public:
  static Section low_pass(double hz, double q) {
    const auto [c, a] = angle(hz, q);
    return Section((1 - c) / 2, 1 - c, (1 - c) / 2, 1 + a, -2 * c, 1 - a);
  }
  static Section high_pass(double hz, double q) {
    const auto [c, a] = angle(hz, q);
    return Section((1 + c) / 2, -(1 + c), (1 + c) / 2, 1 + a, -2 * c, 1 - a);
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
  static std::pair<double, double> angle(double hz, double q) {
    const double w = 2 * M_PI * hz / kRate;
    return {std::cos(w), std::sin(w) / (2 * q)};
  }
  Section(double b0, double b1, double b2, double a0, double a1, double a2)
      : b0_(b0 / a0), b1_(b1 / a0), b2_(b2 / a0), a1_(a1 / a0), a2_(a2 / a0) {}
  double b0_, b1_, b2_, a1_, a2_;
  double x1_ = 0, x2_ = 0, y1_ = 0, y2_ = 0;
};

/// Uniform noise in -1 .. 1; its RMS is 1 / sqrt(3).
class Noise {
 public:
  explicit Noise(std::uint32_t seed) : state_(seed * 2654435761u + 1u) {}
  double next() {
    state_ = state_ * 1664525u + 1013904223u;
    return static_cast<double>(state_ >> 8) / 8388608.0 - 1.0;
  }

 private:
  std::uint32_t state_;
};

double noise_peak() {
  return std::sqrt(power_of_dbfs(kNoiseDbfs) * 3.0);
}

struct Extent {
  std::size_t begin = 0, end = 0;
  double power = 0;  // mean over the windows with speech
};

// Windows of 10 ms by their energy, against the loudest.
Extent find_speech(std::span<const double> pcm) {
  std::vector<double> power;
  for (std::size_t at = 0; at < pcm.size(); at += kWindow) {
    const auto window = pcm.subspan(at, std::min(kWindow, pcm.size() - at));
    double sum = 0;
    for (const double x : window) sum += x * x;
    power.push_back(sum / static_cast<double>(window.size()));
  }
  if (power.empty()) return {};
  const double loudest = *std::max_element(power.begin(), power.end());
  const double threshold = std::max(loudest / std::pow(10.0, kSpeechRangeDb / 10.0), power_of_dbfs(kFloorDbfs));
  Extent out;
  double sum = 0;
  std::size_t windows = 0;
  for (std::size_t i = 0; i < power.size(); ++i) {
    if (power[i] < threshold) continue;
    if (windows == 0) out.begin = i * kWindow;
    out.end = std::min((i + 1) * kWindow, pcm.size());
    sum += power[i];
    ++windows;
  }
  if (windows > 0) out.power = sum / static_cast<double>(windows);
  return out;
}

}  // namespace

Clip clip_of_ulaw(std::vector<std::uint8_t> ulaw) {
  std::vector<double> pcm(ulaw.size());
  std::transform(ulaw.begin(), ulaw.end(), pcm.begin(), [](std::uint8_t b) { return audio::g711::ulaw_to_linear(b); });
  const Extent speech = find_speech(pcm);
  return {std::move(ulaw), speech.begin, speech.end};
}

Clip clip_of_pcm(std::span<const std::int16_t> pcm, int rate_hz, std::uint32_t seed) {
  const std::vector<std::int16_t> narrow = audio::resample(pcm, rate_hz, kRate);
  std::array sections{Section::high_pass(200, 0.5412), Section::high_pass(200, 1.3066), Section::low_pass(3500, 0.5412),
                      Section::low_pass(3500, 1.3066)};
  std::vector<double> filtered(narrow.begin(), narrow.end());
  for (double& x : filtered) {
    for (Section& section : sections) x = section(x);
  }
  const double power = find_speech(filtered).power;
  const double gain = power > 0 ? std::sqrt(power_of_dbfs(kSpeechDbfs) / power) : 1.0;
  for (double& x : filtered) x *= gain;
  const Extent speech = find_speech(filtered);
  Noise noise(seed);
  std::vector<std::uint8_t> ulaw(filtered.size());
  for (std::size_t i = 0; i < filtered.size(); ++i) {
    const double x = std::clamp(filtered[i] + noise.next() * noise_peak(), -32768.0, 32767.0);
    ulaw[i] = audio::g711::linear_to_ulaw(static_cast<std::int16_t>(std::lrint(x)));
  }
  return {std::move(ulaw), speech.begin, speech.end};
}

void LineNoise::fill(std::span<std::uint8_t> ulaw) {
  static const std::array<std::uint8_t, 16384> table = [] {
    std::array<std::uint8_t, 16384> out;
    Noise noise(7);
    for (auto& b : out) {
      b = audio::g711::linear_to_ulaw(static_cast<std::int16_t>(std::lrint(noise.next() * noise_peak())));
    }
    return out;
  }();
  for (auto& b : ulaw) b = table[at_++ % table.size()];
}

struct CallerVoice::Impl {
  explicit Impl(std::string n)
      : name(std::move(n)), voice(engines::VoiceConfig{.cache_bytes = 0}, [](std::uint64_t, std::function<void()> job) {
          job();
          return true;
        }) {}
  std::string name;
  engines::Voice voice;
  std::uint32_t clips = 0;
};

CallerVoice::CallerVoice(std::string name) {
  if (!engines::Voice::has(name)) throw std::invalid_argument("no voice '" + name + "' (there are rms, awb and slt)");
  impl_ = std::make_unique<Impl>(std::move(name));
}

CallerVoice::~CallerVoice() = default;

Clip CallerVoice::say(std::string_view text) {
  const std::vector<std::int16_t> pcm = impl_->voice.synthesize(impl_->name, text);
  if (pcm.empty()) return {};
  return clip_of_pcm(pcm, 16000, ++impl_->clips);
}

}  // namespace voxgate::sim
