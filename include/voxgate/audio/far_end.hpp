#pragma once
// What the agent is saying, as the caller's line may echo it: the level gate and the echo's delay.

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "voxgate/audio/format.hpp"
#include "voxgate/base/time.hpp"

namespace voxgate::audio {

/// Loudest 10 ms of what was played to the caller in the last 400 ms. Audio goes in at the pace it is *played*, not
/// sent (or shifted by a known path delay); time without audio goes in as skip(). Owner: one call. Threads: its loop.
/// Memory: about 750 bytes, fixed.
class FarEndTracker {
 public:
  static constexpr Millis kStep{10};
  static constexpr Millis kWindow{400};
  static constexpr Millis kMaxDelay{1200};

  explicit FarEndTracker(AudioFormat format = kMulaw8k) : format_(format) { reset(); }

  /// Wire bytes, any length.
  void push(std::span<const std::uint8_t> wire);
  /// Nothing was played for `samples`.
  void skip(std::size_t samples);

  /// dBFS, the maximum over [delay, delay + 400 ms) ago; -100 when the agent was silent. `delay` up to 1.2 s.
  float max_db(Millis delay = 0ms) const;
  /// Level of the 10 ms step `steps_ago` (0 = the newest complete one).
  float step_db(std::size_t steps_ago) const;
  /// Steps completed since reset().
  std::uint64_t steps() const { return steps_; }

  void reset() noexcept;
  void reset(AudioFormat format) noexcept {
    format_ = format;
    reset();
  }

 private:
  static constexpr std::size_t kSteps = static_cast<std::size_t>((kMaxDelay + kWindow) / kStep);
  void finish_step(float db);

  AudioFormat format_;
  std::array<float, kSteps> ring_;
  std::uint64_t steps_ = 0;
  std::array<std::uint8_t, 480> partial_;  // up to 10 ms at 24 kHz, 16 bit
  std::size_t fill_ = 0;
};

/// Finds how much later the agent's own voice comes back, by correlating 10 ms level envelopes over lags of 0 to 1.2 s.
/// Owner: one call, while it looks for echo. Threads: its loop. Memory: about 3.5 KB, fixed. Cost: 121 short steps
/// per 10 ms.
class EchoDelayEstimator {
 public:
  static constexpr std::size_t kLags = 121;

  EchoDelayEstimator() { reset(); }

  /// One 10 ms step: level of what was played and of what came in, both in dBFS.
  void step(float far_db, float near_db);

  struct Estimate {
    Millis delay{0};
    float correlation = 0.0F;  // of the levels at that lag, -1 to 1
  };
  /// The best lag so far; correlation 0 until the agent has been heard for a second.
  Estimate best() const;
  void reset() noexcept;

 private:
  std::array<float, kLags> far_{};  // levels above silence, newest at far_at_
  std::array<float, kLags> product_{}, far_sum_{}, far_square_{}, near_sum_{}, near_square_{}, weight_{};
  std::size_t far_at_ = 0;
  std::uint64_t steps_ = 0;
  std::uint64_t loud_steps_ = 0;
};

}  // namespace voxgate::audio
