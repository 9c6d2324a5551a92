#pragma once
// Streaming sample rate conversion.

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace voxgate::audio {

/// speexdsp at quality 4: about 2 to 3 us per 20 ms, a fixed delay of some 4 ms, first output at once.
/// Owner: one stream (it keeps the filter's history). Threads: one at a time. Memory: a few KB at construction;
/// process() allocates only when `out` has to grow.
class Resampler {
 public:
  /// Any positive rates. Equal rates copy.
  Resampler(int in_hz, int out_hz);
  ~Resampler();
  Resampler(Resampler&&) noexcept;
  Resampler& operator=(Resampler&&) noexcept;

  /// Appends what `in` yields to `out` and returns how many samples that was.
  std::size_t process(std::span<const std::int16_t> in, std::vector<std::int16_t>& out);

  /// Writes into `out`, which must hold at least max_output(in.size()); returns the samples written.
  std::size_t process(std::span<const std::int16_t> in, std::span<std::int16_t> out);

  /// Upper bound of what `in_samples` can yield.
  std::size_t max_output(std::size_t in_samples) const;

  /// Samples (at the output rate) by which the output lags the input.
  std::size_t delay() const;

  /// Forgets the history: the next sample starts a new stream.
  void reset();

  int in_hz() const { return in_hz_; }
  int out_hz() const { return out_hz_; }

 private:
  struct Release {
    void operator()(void* state) const noexcept;
  };
  int in_hz_, out_hz_;
  std::unique_ptr<void, Release> state_;  // empty when the rates are equal
};

/// A whole recording at once, with the delay cut off: the result is as long as the input, in time.
std::vector<std::int16_t> resample(std::span<const std::int16_t> in, int in_hz, int out_hz);

}  // namespace voxgate::audio
