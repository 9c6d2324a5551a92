#include "voxgate/audio/far_end.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "voxgate/audio/energy_meter.hpp"

namespace voxgate::audio {

void FarEndTracker::reset() noexcept {
  ring_.fill(kMinDb);
  steps_ = 0;
  fill_ = 0;
}

void FarEndTracker::finish_step(float db) {
  ring_[steps_++ % kSteps] = db;
  fill_ = 0;
}

void FarEndTracker::push(std::span<const std::uint8_t> wire) {
  const std::size_t step = std::min(format_.bytes_for(kStep), partial_.size());
  while (!wire.empty()) {
    if (fill_ == 0 && wire.size() >= step) {
      finish_step(level_db(format_.encoding, wire.first(step)));
      wire = wire.subspan(step);
      continue;
    }
    const std::size_t n = std::min(wire.size(), step - fill_);
    std::memcpy(partial_.data() + fill_, wire.data(), n);
    fill_ += n;
    wire = wire.subspan(n);
    if (fill_ == step) finish_step(level_db(format_.encoding, std::span(partial_).first(step)));
  }
}

void FarEndTracker::skip(std::size_t samples) {
  const std::size_t step = std::min(format_.bytes_for(kStep), partial_.size());
  std::size_t bytes = format_.bytes_of(samples);
  const std::size_t whole = bytes / step;
  if (fill_ == 0 && whole >= kSteps) {  // longer than what is remembered
    ring_.fill(kMinDb);
    steps_ += whole;
    bytes -= whole * step;
  }
  while (bytes != 0) {
    const std::size_t n = std::min(bytes, step - fill_);
    std::memset(partial_.data() + fill_, format_.silence_byte(), n);
    fill_ += n;
    bytes -= n;
    if (fill_ == step) finish_step(level_db(format_.encoding, std::span(partial_).first(step)));
  }
}

float FarEndTracker::step_db(std::size_t steps_ago) const {
  if (steps_ago >= kSteps || steps_ago >= steps_) return kMinDb;
  return ring_[(steps_ - 1 - steps_ago) % kSteps];
}

float FarEndTracker::max_db(Millis delay) const {
  const auto from = static_cast<std::size_t>(std::clamp(delay, 0ms, kMaxDelay) / kStep);
  const auto steps = static_cast<std::size_t>(kWindow / kStep);
  float loudest = kMinDb;
  for (std::size_t i = 0; i < steps; ++i) loudest = std::max(loudest, step_db(from + i));
  return loudest;
}

namespace {

constexpr float kSilenceDb = -55.0F;  // levels below this carry no shape
constexpr float kForget = 0.999F;     // per 10 ms: 10 s of memory
constexpr std::uint64_t kMinLoudSteps = 100;

}  // namespace

void EchoDelayEstimator::reset() noexcept {
  for (auto* sums : {&far_, &product_, &far_sum_, &far_square_, &near_sum_, &near_square_, &weight_}) sums->fill(0.0F);
  far_at_ = 0;
  steps_ = loud_steps_ = 0;
}

void EchoDelayEstimator::step(float far_db, float near_db) {
  const float far = std::max(0.0F, far_db - kSilenceDb);
  const float near = std::max(0.0F, near_db - kSilenceDb);
  far_at_ = (far_at_ + 1) % kLags;
  far_[far_at_] = far;
  ++steps_;
  if (far > 0.0F) ++loud_steps_;
  const std::size_t known = static_cast<std::size_t>(std::min<std::uint64_t>(steps_, kLags));
  for (std::size_t lag = 0; lag < known; ++lag) {
    const float x = far_[(far_at_ + kLags - lag) % kLags];
    product_[lag] = kForget * product_[lag] + x * near;
    far_sum_[lag] = kForget * far_sum_[lag] + x;
    far_square_[lag] = kForget * far_square_[lag] + x * x;
    near_sum_[lag] = kForget * near_sum_[lag] + near;
    near_square_[lag] = kForget * near_square_[lag] + near * near;
    weight_[lag] = kForget * weight_[lag] + 1.0F;
  }
}

EchoDelayEstimator::Estimate EchoDelayEstimator::best() const {
  Estimate estimate;
  if (loud_steps_ < kMinLoudSteps) return estimate;
  for (std::size_t lag = 0; lag < kLags; ++lag) {
    const float n = weight_[lag];
    if (n < static_cast<float>(kMinLoudSteps) / 2) continue;
    const float covariance = product_[lag] - far_sum_[lag] * near_sum_[lag] / n;
    const float far_variance = far_square_[lag] - far_sum_[lag] * far_sum_[lag] / n;
    const float near_variance = near_square_[lag] - near_sum_[lag] * near_sum_[lag] / n;
    if (far_variance < 1.0F || near_variance < 1.0F) continue;
    const float correlation = covariance / std::sqrt(far_variance * near_variance);
    if (correlation > estimate.correlation) {
      estimate = {static_cast<int>(lag) * FarEndTracker::kStep, correlation};
    }
  }
  return estimate;
}

}  // namespace voxgate::audio
