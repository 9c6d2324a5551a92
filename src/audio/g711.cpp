#include "voxgate/audio/g711.hpp"

#include <algorithm>
#include <bit>

namespace voxgate::audio {
namespace g711 {
namespace {

// ITU-T G.711: sign, 3-bit segment, 4-bit step. Mu-law adds a bias of 132 so that every segment starts at a power of
// two, and sends the complement; A-law inverts every other bit.
constexpr int kUlawBias = 132;
constexpr int kAlawMask = 0x55;

constexpr std::int16_t expand_ulaw(int code) {
  const int u = ~code & 0xFF;
  const int magnitude = ((((u & 0x0F) << 3) + kUlawBias) << ((u & 0x70) >> 4)) - kUlawBias;
  return static_cast<std::int16_t>((u & 0x80) != 0 ? -magnitude : magnitude);
}

constexpr std::int16_t expand_alaw(int code) {
  const int a = code ^ kAlawMask;
  const int segment = (a & 0x70) >> 4;
  const int step = (a & 0x0F) << 4;
  const int magnitude = segment == 0 ? step + 8 : (step + 0x108) << (segment - 1);
  return static_cast<std::int16_t>((a & 0x80) != 0 ? magnitude : -magnitude);
}

constexpr int segment_of(int biased) {
  return static_cast<int>(std::bit_width(static_cast<unsigned>(biased | 0xFF))) - 8;
}

constexpr std::uint8_t compress_ulaw(int sample) {
  const int sign_mask = sample >= 0 ? 0xFF : 0x7F;
  const int biased = kUlawBias + (sample >= 0 ? sample : -sample);
  const int segment = segment_of(biased);
  const int code = segment >= 8 ? 0x7F : (segment << 4) | ((biased >> (segment + 3)) & 0x0F);
  return static_cast<std::uint8_t>(code ^ sign_mask);
}

constexpr std::uint8_t compress_alaw(int sample) {
  const int sign_mask = sample >= 0 ? kAlawMask | 0x80 : kAlawMask;
  const int magnitude = sample >= 0 ? sample : -sample - 1;
  const int segment = segment_of(magnitude);
  const int code = (segment << 4) | ((magnitude >> (segment == 0 ? 4 : segment + 3)) & 0x0F);
  return static_cast<std::uint8_t>(code ^ sign_mask);
}

template <class T, std::size_t N, class F>
constexpr std::array<T, N> tabulate(F f) {
  std::array<T, N> table{};
  for (std::size_t i = 0; i < N; ++i) table[i] = f(static_cast<int>(i));
  return table;
}

constexpr int as_sample(int index) {
  return index < 32768 ? index : index - 65536;
}

}  // namespace

namespace tables {
constinit const std::array<std::int16_t, 256> ulaw_decode = tabulate<std::int16_t, 256>(expand_ulaw);
constinit const std::array<std::int16_t, 256> alaw_decode = tabulate<std::int16_t, 256>(expand_alaw);
constinit const std::array<std::uint8_t, 65536> ulaw_encode =
    tabulate<std::uint8_t, 65536>([](int i) { return compress_ulaw(as_sample(i)); });
constinit const std::array<std::uint8_t, 65536> alaw_encode =
    tabulate<std::uint8_t, 65536>([](int i) { return compress_alaw(as_sample(i)); });
}  // namespace tables

std::size_t decode_ulaw(std::span<const std::uint8_t> in, std::span<std::int16_t> out) {
  const std::size_t n = std::min(in.size(), out.size());
  for (std::size_t i = 0; i < n; ++i) out[i] = tables::ulaw_decode[in[i]];
  return n;
}

std::size_t decode_alaw(std::span<const std::uint8_t> in, std::span<std::int16_t> out) {
  const std::size_t n = std::min(in.size(), out.size());
  for (std::size_t i = 0; i < n; ++i) out[i] = tables::alaw_decode[in[i]];
  return n;
}

std::size_t encode_ulaw(std::span<const std::int16_t> in, std::span<std::uint8_t> out) {
  const std::size_t n = std::min(in.size(), out.size());
  for (std::size_t i = 0; i < n; ++i) out[i] = linear_to_ulaw(in[i]);
  return n;
}

std::size_t encode_alaw(std::span<const std::int16_t> in, std::span<std::uint8_t> out) {
  const std::size_t n = std::min(in.size(), out.size());
  for (std::size_t i = 0; i < n; ++i) out[i] = linear_to_alaw(in[i]);
  return n;
}

}  // namespace g711

std::size_t decode(Encoding encoding, std::span<const std::uint8_t> in, std::span<std::int16_t> out) {
  if (encoding == Encoding::mulaw) return g711::decode_ulaw(in, out);
  if (encoding == Encoding::alaw) return g711::decode_alaw(in, out);
  const std::size_t n = std::min(in.size() / 2, out.size());
  for (std::size_t i = 0; i < n; ++i) {
    out[i] = static_cast<std::int16_t>(static_cast<std::uint16_t>(in[2 * i] | (in[2 * i + 1] << 8)));
  }
  return n;
}

std::size_t encode(Encoding encoding, std::span<const std::int16_t> in, std::span<std::uint8_t> out) {
  if (encoding == Encoding::mulaw) return g711::encode_ulaw(in, out);
  if (encoding == Encoding::alaw) return g711::encode_alaw(in, out);
  const std::size_t n = std::min(in.size(), out.size() / 2);
  for (std::size_t i = 0; i < n; ++i) {
    const auto u = static_cast<std::uint16_t>(in[i]);
    out[2 * i] = static_cast<std::uint8_t>(u & 0xFF);
    out[2 * i + 1] = static_cast<std::uint8_t>(u >> 8);
  }
  return 2 * n;
}

}  // namespace voxgate::audio
