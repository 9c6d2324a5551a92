#include "voxgate/base/base64.hpp"

#include <array>
#include <cstring>

namespace voxgate::base64 {
namespace {

constexpr char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::uint32_t kBad = 0x01000000;  // above any 24-bit group: one test finds a bad character among four

// Four tables of 256 entries, one per position in a group, already shifted into place.
struct DecodeTables {
  std::array<std::array<std::uint32_t, 256>, 4> at{};
  constexpr DecodeTables() {
    for (auto& table : at) table.fill(kBad);
    for (std::uint32_t i = 0; i < 64; ++i) {
      const auto c = static_cast<unsigned char>(kAlphabet[i]);
      at[0][c] = i << 18;
      at[1][c] = i << 12;
      at[2][c] = i << 6;
      at[3][c] = i;
    }
  }
};
constexpr DecodeTables kDecode;

// Two characters for every 12-bit value.
struct EncodeTable {
  std::array<std::array<char, 2>, 4096> at{};
  constexpr EncodeTable() {
    for (std::size_t i = 0; i < 4096; ++i) at[i] = {kAlphabet[i >> 6], kAlphabet[i & 63]};
  }
};
constexpr EncodeTable kEncode;

}  // namespace

std::size_t encode(std::span<const std::uint8_t> in, char* out) {
  const std::uint8_t* p = in.data();
  char* o = out;
  std::size_t left = in.size();
  for (; left >= 3; left -= 3, p += 3, o += 4) {
    const std::uint32_t v = std::uint32_t{p[0]} << 16 | std::uint32_t{p[1]} << 8 | p[2];
    std::memcpy(o, kEncode.at[v >> 12].data(), 2);
    std::memcpy(o + 2, kEncode.at[v & 0xFFF].data(), 2);
  }
  if (left != 0) {
    const std::uint32_t v = std::uint32_t{p[0]} << 16 | (left == 2 ? std::uint32_t{p[1]} << 8 : 0);
    o[0] = kAlphabet[v >> 18];
    o[1] = kAlphabet[v >> 12 & 63];
    o[2] = left == 2 ? kAlphabet[v >> 6 & 63] : '=';
    o[3] = '=';
    o += 4;
  }
  return static_cast<std::size_t>(o - out);
}

std::optional<std::size_t> decode(std::string_view in, std::uint8_t* out) {
  while (!in.empty() && in.back() == '=' && in.size() % 4 == 0) {
    in.remove_suffix(1);
    if (!in.empty() && in.back() == '=') in.remove_suffix(1);
    break;
  }
  const auto* p = reinterpret_cast<const unsigned char*>(in.data());
  std::size_t left = in.size();
  std::uint8_t* o = out;
  for (; left >= 4; left -= 4, p += 4, o += 3) {
    const std::uint32_t v = kDecode.at[0][p[0]] | kDecode.at[1][p[1]] | kDecode.at[2][p[2]] | kDecode.at[3][p[3]];
    if (v & kBad) return std::nullopt;
    o[0] = static_cast<std::uint8_t>(v >> 16);
    o[1] = static_cast<std::uint8_t>(v >> 8);
    o[2] = static_cast<std::uint8_t>(v);
  }
  if (left == 1) return std::nullopt;
  if (left >= 2) {
    const std::uint32_t v = kDecode.at[0][p[0]] | kDecode.at[1][p[1]] | (left == 3 ? kDecode.at[2][p[2]] : 0);
    if (v & kBad) return std::nullopt;
    *o++ = static_cast<std::uint8_t>(v >> 16);
    if (left == 3) *o++ = static_cast<std::uint8_t>(v >> 8);
  }
  return static_cast<std::size_t>(o - out);
}

}  // namespace voxgate::base64
