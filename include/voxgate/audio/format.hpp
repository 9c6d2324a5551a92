#pragma once
// What audio on a wire looks like: encoding and rate, always mono.

#include <cstddef>
#include <cstdint>
#include <string>

namespace voxgate::audio {

enum class Encoding : std::uint8_t { mulaw, alaw, s16le };

/// One mono audio format. Whole samples only: a byte count that is not a multiple of bytes_per_sample() is the caller's
/// bug.
struct AudioFormat {
  Encoding encoding = Encoding::mulaw;
  int rate_hz = 8000;

  constexpr std::size_t bytes_per_sample() const { return encoding == Encoding::s16le ? 2 : 1; }
  constexpr std::size_t bytes_per_second() const { return bytes_per_sample() * static_cast<std::size_t>(rate_hz); }
  constexpr std::size_t samples_for_ms(std::int64_t ms) const { return static_cast<std::size_t>(ms * rate_hz / 1000); }
  constexpr std::size_t bytes_for_ms(std::int64_t ms) const { return samples_for_ms(ms) * bytes_per_sample(); }
  constexpr std::size_t samples_in(std::size_t bytes) const { return bytes / bytes_per_sample(); }
  /// Milliseconds, rounded down.
  constexpr std::int64_t ms_in(std::size_t bytes) const {
    return static_cast<std::int64_t>(samples_in(bytes)) * 1000 / rate_hz;
  }
  /// The byte that, repeated, is silence.
  constexpr std::uint8_t silence_byte() const {
    switch (encoding) {
      case Encoding::mulaw:
        return 0xFF;
      case Encoding::alaw:
        return 0xD5;
      case Encoding::s16le:
        return 0x00;
    }
    return 0;
  }

  friend constexpr bool operator==(const AudioFormat&, const AudioFormat&) = default;
};

inline constexpr AudioFormat kMulaw8k{Encoding::mulaw, 8000};

/// "mulaw/8000", "alaw/8000", "s16le/16000"; for logs and reports.
inline std::string to_string(const AudioFormat& f) {
  const char* name = f.encoding == Encoding::mulaw ? "mulaw" : f.encoding == Encoding::alaw ? "alaw" : "s16le";
  return std::string(name) + '/' + std::to_string(f.rate_hz);
}

}  // namespace voxgate::audio
