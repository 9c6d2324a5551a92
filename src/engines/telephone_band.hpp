#pragma once
// Wire audio to what the acoustic model was trained on: PCM16 at 16 kHz with something in the upper half band.

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "voxgate/audio/format.hpp"
#include "voxgate/audio/resampler.hpp"

namespace voxgate::engines {

/// 8 kHz input is interpolated to 16 kHz and then folded: even samples times (1 + g), odd samples times (1 - g), which
/// mirrors 0..4 kHz into 4..8 kHz at g. With g = -3 dB a wide-band model makes 4 % word errors on telephone speech,
/// where plain interpolation makes 77 %. 16 kHz input passes. Loud input is halved (for good) so that the fold does not
/// clip; one bit of noise keeps the model from meeting digital silence. Threads: one at a time.
class TelephoneBand {
 public:
  explicit TelephoneBand(audio::AudioFormat wire);

  /// Whole samples. The result is valid until the next call.
  std::span<const std::int16_t> convert(std::span<const std::uint8_t> wire_bytes);
  std::span<const std::int16_t> convert(std::span<const std::int16_t> pcm);
  /// A new utterance: nothing of the last one may ring on.
  void restart();

 private:
  audio::AudioFormat wire_;
  audio::Resampler resampler_;
  std::vector<std::int16_t> linear_, wide_;
  bool halved_ = false;
  bool odd_ = false;
  std::uint32_t noise_ = 0x9E3779B9u;
};

}  // namespace voxgate::engines
