#include "audio/band_meter.hpp"

#include <algorithm>
#include <cmath>
#include <functional>

namespace voxgate::audio {
namespace {

constexpr int kLearnFrames = 10;
constexpr float kDown = 0.25F;    // of the difference, per frame
constexpr float kUpIdle = 0.05F;  // of min(difference, 1 dB), per frame
constexpr float kUpSpeaking = 0.012F;
constexpr float kQuantile = 0.3F;                                   // of restlessness
constexpr float kQuantileStep = 0.03F;                              // dB per frame
constexpr float kCoefficientEven = 0.64F, kCoefficientOdd = 0.17F;  // half-band pair of first-order all-passes

float mean_power(const float* x, std::size_t n) {
  float sum = 0.0F;
  for (std::size_t i = 0; i < n; ++i) sum += x[i] * x[i];
  return sum / static_cast<float>(n) + 1.0F;  // one unit: digital silence has a level, too
}

}  // namespace

void BandMeter::Split::run(const float* in, std::size_t n, float* low, float* high) {
  for (std::size_t i = 0; i < n / 2; ++i) {
    const float a = in[2 * i], b = in[2 * i + 1];
    const float x = kCoefficientEven * a + even;
    even = a - kCoefficientEven * x;
    const float y = kCoefficientOdd * b + odd;
    odd = b - kCoefficientOdd * y;
    low[i] = 0.5F * (x + y);
    high[i] = 0.5F * (x - y);
  }
}

void BandMeter::track(std::size_t band, float power, bool speaking) {
  power_[band] = frames_ == 0 ? power : 0.5F * (power_[band] + power);
  const float db = 10.0F * std::log10(power_[band]);
  float& floor = floor_db_[band];
  if (frames_ == 0 || (frames_ < kLearnFrames && db < floor)) {
    floor = db;
  } else if (frames_ >= kLearnFrames) {
    floor += db < floor ? kDown * (db - floor) : std::min(db - floor, 1.0F) * (speaking ? kUpSpeaking : kUpIdle);
  }
  excess_[band] = std::max(0.0F, db - floor);
}

float BandMeter::excess_db(std::span<const std::int16_t> pcm, bool speaking) {
  std::array<float, 320> x;
  std::array<float, 160> half, unused;
  const std::size_t n = std::min(pcm.size(), x.size());
  std::copy_n(pcm.begin(), n, x.begin());
  const float* telephone = x.data();
  if (n > 160) {  // 16 kHz: the upper half band says nothing more
    splits_[5].run(x.data(), n, half.data(), unused.data());
    telephone = half.data();
  }
  std::array<float, 80> low, high;
  std::array<float, 40> low_low, low_high, high_low, high_high;
  std::array<float, 20> b0, b1, b2, b3;
  splits_[0].run(telephone, 160, low.data(), high.data());
  splits_[1].run(low.data(), 80, low_low.data(), low_high.data());
  splits_[2].run(high.data(), 80, high_low.data(), high_high.data());
  splits_[3].run(low_low.data(), 40, b0.data(), b1.data());
  splits_[4].run(low_high.data(), 40, b2.data(), b3.data());
  track(0, mean_power(b0.data(), 20), speaking);
  track(1, mean_power(b1.data(), 20), speaking);
  track(2, mean_power(b2.data(), 20), speaking);
  track(3, mean_power(b3.data(), 20), speaking);
  track(4, mean_power(high_low.data(), 40), speaking);
  track(5, mean_power(high_high.data(), 40), speaking);
  ++frames_;
  auto sorted = excess_;
  std::partial_sort(sorted.begin(), sorted.begin() + 3, sorted.end(), std::greater<>());
  const float excess = (sorted[0] + sorted[1] + sorted[2]) / 3.0F;
  restless_db_ = std::max(0.0F, restless_db_ + kQuantileStep * (excess > restless_db_ ? kQuantile : kQuantile - 1.0F));
  return excess;
}

}  // namespace voxgate::audio
