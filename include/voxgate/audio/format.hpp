#pragma once
// What a run of audio bytes is: one encoding, one rate, mono. Small, constexpr, passed by value everywhere.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace voxgate::audio {

enum class Encoding : std::uint8_t { mulaw, alaw, s16le };

/// Mono audio. Sizes are in bytes, lengths in samples (at rate_hz) or chrono durations; conversions round down to
/// whole samples.
struct AudioFormat {
  Encoding encoding = Encoding::mulaw;
  int rate_hz = 8000;

  constexpr std::size_t bytes_per_sample() const { return encoding == Encoding::s16le ? 2 : 1; }
  constexpr std::size_t bytes_per_second() const { return static_cast<std::size_t>(rate_hz) * bytes_per_sample(); }

  constexpr std::size_t samples_for(std::chrono::microseconds d) const {
    return d.count() <= 0
               ? 0
               : static_cast<std::size_t>(d.count()) * static_cast<std::size_t>(rate_hz) / std::size_t{1'000'000};
  }
  constexpr std::size_t bytes_for(std::chrono::microseconds d) const { return samples_for(d) * bytes_per_sample(); }
  constexpr std::size_t samples_in(std::size_t bytes) const { return bytes / bytes_per_sample(); }
  constexpr std::size_t bytes_of(std::size_t samples) const { return samples * bytes_per_sample(); }

  constexpr std::size_t samples_for_ms(std::int64_t ms) const { return samples_for(std::chrono::milliseconds(ms)); }
  constexpr std::size_t bytes_for_ms(std::int64_t ms) const { return bytes_of(samples_for_ms(ms)); }
  /// Milliseconds, rounded down.
  constexpr std::int64_t ms_in(std::size_t bytes) const {
    return static_cast<std::int64_t>(samples_in(bytes)) * 1000 / rate_hz;
  }
  constexpr std::chrono::microseconds duration_of_samples(std::size_t samples) const {
    return std::chrono::microseconds(static_cast<std::int64_t>(samples) * 1'000'000 / rate_hz);
  }
  constexpr std::chrono::microseconds duration_of_bytes(std::size_t bytes) const {
    return duration_of_samples(samples_in(bytes));
  }

  /// The byte that, repeated, is silence.
  constexpr std::uint8_t silence_byte() const {
    return encoding == Encoding::mulaw ? 0xFF : encoding == Encoding::alaw ? 0xD5 : 0x00;
  }

  friend constexpr bool operator==(const AudioFormat&, const AudioFormat&) = default;
};

inline constexpr AudioFormat kMulaw8k{Encoding::mulaw, 8000};
inline constexpr AudioFormat kAlaw8k{Encoding::alaw, 8000};
inline constexpr AudioFormat kLinear8k{Encoding::s16le, 8000};
inline constexpr AudioFormat kLinear16k{Encoding::s16le, 16000};
inline constexpr AudioFormat kLinear24k{Encoding::s16le, 24000};

constexpr std::string_view to_string(Encoding e) {
  return e == Encoding::mulaw ? "mulaw" : e == Encoding::alaw ? "alaw" : "s16le";
}

/// "mulaw/8000"
inline std::string to_string(AudioFormat f) {
  return std::string(to_string(f.encoding)) + '/' + std::to_string(f.rate_hz);
}

}  // namespace voxgate::audio
