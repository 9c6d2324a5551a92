#pragma once
// G.711: both laws, by table (256 entries to decode, 65,536 to encode). Agrees with spandsp for every input.

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "voxgate/audio/format.hpp"

namespace voxgate::audio::g711 {

namespace tables {
extern const std::array<std::int16_t, 256> ulaw_decode;
extern const std::array<std::int16_t, 256> alaw_decode;
extern const std::array<std::uint8_t, 65536> ulaw_encode;  // index: the sample as uint16_t
extern const std::array<std::uint8_t, 65536> alaw_encode;
}  // namespace tables

inline std::int16_t ulaw_to_linear(std::uint8_t code) {
  return tables::ulaw_decode[code];
}
inline std::int16_t alaw_to_linear(std::uint8_t code) {
  return tables::alaw_decode[code];
}
inline std::uint8_t linear_to_ulaw(std::int16_t sample) {
  return tables::ulaw_encode[static_cast<std::uint16_t>(sample)];
}
inline std::uint8_t linear_to_alaw(std::int16_t sample) {
  return tables::alaw_encode[static_cast<std::uint16_t>(sample)];
}

/// Converts as many samples as both spans hold and returns how many that was.
std::size_t decode_ulaw(std::span<const std::uint8_t> in, std::span<std::int16_t> out);
std::size_t decode_alaw(std::span<const std::uint8_t> in, std::span<std::int16_t> out);
std::size_t encode_ulaw(std::span<const std::int16_t> in, std::span<std::uint8_t> out);
std::size_t encode_alaw(std::span<const std::int16_t> in, std::span<std::uint8_t> out);

}  // namespace voxgate::audio::g711

namespace voxgate::audio {

/// Wire bytes of any encoding to PCM16; returns the samples written (as many as both hold).
std::size_t decode(Encoding encoding, std::span<const std::uint8_t> in, std::span<std::int16_t> out);

/// PCM16 to wire bytes of any encoding; returns the bytes written (whole samples, as many as both hold).
std::size_t encode(Encoding encoding, std::span<const std::int16_t> in, std::span<std::uint8_t> out);

}  // namespace voxgate::audio
