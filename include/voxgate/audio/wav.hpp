#pragma once
// WAV files as bytes: no file I/O here.

#include <cstdint>
#include <span>
#include <vector>

#include "voxgate/audio/format.hpp"
#include "voxgate/base/result.hpp"

namespace voxgate::audio {

struct WavFormat {
  AudioFormat audio = kLinear8k;  // of each channel
  int channels = 1;               // interleaved
  friend bool operator==(const WavFormat&, const WavFormat&) = default;
};

/// A parsed file; `data` points into the bytes that were parsed.
struct WavView {
  WavFormat format;
  std::span<const std::uint8_t> data;
  std::size_t frames() const {
    return data.size() / (format.audio.bytes_per_sample() * static_cast<std::size_t>(format.channels));
  }
};

/// Accepts PCM16, mu-law and A-law with one or two channels (also inside WAVE_FORMAT_EXTENSIBLE), chunks in any order
/// and unknown ones, and data sizes of a file that was never finished (0, 0xFFFFFFFF, or beyond the end: to the end).
/// Errors: bad_input (no WAV, or broken), unsupported (a codec, width or channel count that is not offered).
Result<WavView> parse_wav(std::span<const std::uint8_t> file);

/// The header for `data_bytes` of audio: 44 bytes for PCM, 58 for the companded laws. Write it again with the final
/// size when the length was not known; sizes beyond 4 GiB are capped.
std::vector<std::uint8_t> wav_header(const WavFormat& format, std::uint64_t data_bytes);

/// A whole file.
std::vector<std::uint8_t> encode_wav(const WavFormat& format, std::span<const std::uint8_t> data);
std::vector<std::uint8_t> encode_wav(std::span<const std::int16_t> mono, int rate_hz);

/// PCM16 of one channel (0-based); the mean of all channels for a negative one.
std::vector<std::int16_t> wav_samples(const WavView& wav, int channel = -1);

}  // namespace voxgate::audio
