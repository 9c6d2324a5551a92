#pragma once
// What to play where media is missing: the last pitch period for a moment, then next to nothing.

#include <cstdint>
#include <memory>
#include <span>

namespace voxgate::audio {

/// Packet loss concealment for 8 kHz PCM16 (spandsp plc: repeats the pitch period, fades out within 50 ms).
/// Use it for gaps of at most 60 ms. Owner: one stream. Memory: about 1 KB at construction, none afterwards.
class Concealer {
 public:
  Concealer();
  ~Concealer();
  Concealer(Concealer&&) noexcept;
  Concealer& operator=(Concealer&&) noexcept;

  /// Every good frame passes through here; the first one after a gap is cross-faded in place.
  void received(std::span<std::int16_t> pcm);
  /// Writes made-up samples.
  void conceal(std::span<std::int16_t> pcm);
  void reset();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Quiet white noise (-70 dBFS by default): recognisers and people dislike digital silence. The same seed gives the
/// same noise, so a replay hears what the call heard.
class ComfortNoise {
 public:
  explicit ComfortNoise(double level_dbfs = -70.0, std::uint32_t seed = 1);
  void fill(std::span<std::int16_t> pcm);
  void reset(std::uint32_t seed = 1) { state_ = seed == 0 ? 1 : seed; }

 private:
  std::uint32_t state_;
  std::int32_t amplitude_;  // uniform in [-amplitude, amplitude]
};

}  // namespace voxgate::audio
