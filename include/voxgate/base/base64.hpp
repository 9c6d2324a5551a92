#pragma once
// Base64, standard alphabet with padding (RFC 4648 section 4), for the media path: no allocation.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace voxgate::base64 {

constexpr std::size_t encoded_size(std::size_t bytes) {
  return (bytes + 2) / 3 * 4;
}
constexpr std::size_t max_decoded_size(std::size_t chars) {
  return (chars + 3) / 4 * 3;
}

/// Writes encoded_size(in.size()) characters to `out` and returns that number.
std::size_t encode(std::span<const std::uint8_t> in, char* out);

/// Decodes into `out` (at least max_decoded_size(in.size()) bytes). Missing padding is accepted; any other character,
/// padding inside, or a dangling single character is not: nullopt.
std::optional<std::size_t> decode(std::string_view in, std::uint8_t* out);

}  // namespace voxgate::base64
