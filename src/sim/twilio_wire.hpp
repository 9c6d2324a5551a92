#pragma once
// The carrier's side of Twilio Media Streams: what Twilio sends, and what it understands. Source: telephony.md
// section 1.4 and 1.5.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace voxgate::sim {

struct StreamIds {
  std::string account, call, stream;
};

/// Random ids of the provider's shape: AC, CA and MZ with 32 hexadecimal digits.
StreamIds random_ids(std::uint64_t seed);

/// Writes messages; each appends to `out`. Numbers count as the provider's do.
class TwilioSender {
 public:
  explicit TwilioSender(StreamIds ids) : ids_(std::move(ids)) {}

  void connected(std::string& out) const;
  void start(std::string& out, const std::vector<std::pair<std::string, std::string>>& params);
  void media(std::string& out, std::int64_t timestamp_ms, std::span<const std::uint8_t> ulaw);
  void dtmf(std::string& out, char digit);
  void mark(std::string& out, std::string_view name);
  void stop(std::string& out);
  const StreamIds& ids() const { return ids_; }

 private:
  void head(std::string& out, std::string_view event);

  StreamIds ids_;
  std::uint64_t sequence_ = 0, chunk_ = 0;
};

/// A message of the gateway.
struct GatewayMessage {
  enum class Kind { media, mark, clear, wrong } kind = Kind::wrong;
  std::string mark;
  std::vector<std::uint8_t> audio;
};
/// `wrong` for everything the provider would drop: not JSON, another event, another stream, bad base64, empty mark.
GatewayMessage parse_gateway_message(std::string_view text, std::string_view stream_id);

}  // namespace voxgate::sim
