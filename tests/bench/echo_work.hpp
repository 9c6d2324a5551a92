#pragma once
// What every echo peer does with a message: find event and payload by hand scan, base64 to mu-law, mu-law to linear,
// energy, linear to mu-law, base64, and a Twilio media message around it.

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include "voxgate/base/base64.hpp"

namespace voxgate::bench {

/// G.711 mu-law by tables.
struct Mulaw {
  std::array<std::int16_t, 256> decode;
  std::array<std::uint8_t, 16384> encode;  // index: 14-bit sample + 8192

  Mulaw() {
    for (int code = 0; code < 256; ++code) {
      const int u = ~code & 0xFF;
      const int magnitude = (((u & 0x0F) << 3) + 0x84) << ((u & 0x70) >> 4);
      decode[static_cast<std::size_t>(code)] =
          static_cast<std::int16_t>((u & 0x80) != 0 ? 0x84 - magnitude : magnitude - 0x84);
    }
    for (int index = 0; index < 16384; ++index) {
      const int sample = (index - 8192) * 4;
      int magnitude = (sample < 0 ? -sample : sample) + 0x84;
      if (magnitude > 32635) magnitude = 32635;
      int exponent = 7;
      while (exponent > 0 && (magnitude & (0x80 << exponent)) == 0) --exponent;
      const int mantissa = magnitude >> (exponent + 3) & 0x0F;
      encode[static_cast<std::size_t>(index)] =
          static_cast<std::uint8_t>(~((sample < 0 ? 0x80 : 0) | exponent << 4 | mantissa));
    }
  }
};

inline const Mulaw& mulaw() {
  static const Mulaw tables;
  return tables;
}

/// The string value of `key` (given with quotes and colon), or empty. Enough for messages of a known shape.
inline std::string_view string_after(std::string_view json, std::string_view key) {
  const std::size_t at = json.find(key);
  if (at == std::string_view::npos) return {};
  const std::size_t begin = json.find('"', at + key.size());
  if (begin == std::string_view::npos) return {};
  const std::size_t end = json.find('"', begin + 1);
  return end == std::string_view::npos ? std::string_view{} : json.substr(begin + 1, end - begin - 1);
}

/// One call of an echo peer.
class EchoCall {
 public:
  /// Appends the answer to `reply` and returns true if there is one.
  bool on_message(std::string_view json, std::string& reply) {
    const std::string_view event = string_after(json, "\"event\":");
    if (event == "start") {
      stream_ = string_after(json, "\"streamSid\":");
      return false;
    }
    if (event != "media") return false;
    const std::string_view payload = string_after(json, "\"payload\":");
    std::array<std::uint8_t, 1024> bytes;
    if (payload.empty() || base64::max_decoded_size(payload.size()) > bytes.size()) return false;
    const auto n = base64::decode(payload, bytes.data());
    if (!n) return false;
    std::array<std::int16_t, 1024> linear;
    std::uint64_t energy = 0;
    const Mulaw& table = mulaw();
    for (std::size_t i = 0; i < *n; ++i) {
      const std::int16_t sample = table.decode[bytes[i]];
      linear[i] = sample;
      energy += static_cast<std::uint64_t>(sample * sample);
    }
    energy_ += energy / (*n + 1);
    for (std::size_t i = 0; i < *n; ++i) bytes[i] = table.encode[static_cast<std::size_t>((linear[i] >> 2) + 8192)];
    reply.append(R"({"event":"media","streamSid":")").append(stream_).append(R"(","media":{"payload":")");
    const std::size_t at = reply.size();
    reply.resize(at + base64::encoded_size(*n));
    base64::encode({bytes.data(), *n}, reply.data() + at);
    reply.append("\"}}");
    return true;
  }
  std::uint64_t energy() const { return energy_; }

 private:
  std::string stream_;
  std::uint64_t energy_ = 0;
};

/// Peers print this line once they listen; the script reads the port from it.
inline void announce(unsigned port) {
  std::printf("listening %u\n", port);
  std::fflush(stdout);
}

}  // namespace voxgate::bench
