#pragma once
// WebSocket framing (RFC 6455 section 5), without I/O: bytes to messages, messages to bytes.

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace voxgate::net {

enum Opcode : std::uint8_t {
  kOpContinuation = 0x0,
  kOpText = 0x1,
  kOpBinary = 0x2,
  kOpClose = 0x8,
  kOpPing = 0x9,
  kOpPong = 0xA,
};

/// Close codes we send ourselves (RFC 6455 section 7.4.1).
enum CloseCode : std::uint16_t {
  kCloseNormal = 1000,
  kCloseProtocolError = 1002,
  kCloseNoStatus = 1005,  // never on the wire
  kCloseAbnormal = 1006,  // never on the wire
  kCloseInvalidPayload = 1007,
  kCloseTooBig = 1009,
  kCloseInternal = 1011,
};

/// True for codes a peer may put in a close frame.
bool valid_close_code(std::uint16_t code);

/// Checks UTF-8 piece by piece and fails at the first byte that cannot be right.
class Utf8Check {
 public:
  bool feed(std::span<const std::uint8_t> bytes);
  /// Not inside a character.
  bool complete() const { return need_ == 0; }
  void reset() { *this = {}; }

 private:
  std::uint8_t need_ = 0;                  // continuation bytes still to come
  std::uint8_t low_ = 0x80, high_ = 0xBF;  // what the next one may be
};

/// Applies `key` (as on the wire, first byte lowest) to `bytes`; `offset` bytes of the frame came before.
void apply_mask(std::span<std::uint8_t> bytes, std::uint32_t key, std::size_t offset = 0);

/// Puts the header of an unfragmented frame in front of the payload that `bytes` holds; with a key, masks the payload.
void make_frame(std::string& bytes, std::uint8_t opcode, const std::uint32_t* mask_key);

/// The payload of a close frame; the reason is cut at a character so that it fits a control frame.
std::string close_payload(std::uint16_t code, std::string_view reason);

/// Reads frames. A message that lies whole in the input is unmasked there and not copied.
/// Owner: one WebSocket. Memory: nothing between messages.
class FrameReader {
 public:
  FrameReader(bool expect_masked, std::size_t message_limit, std::size_t fragment_limit)
      : expect_masked_(expect_masked), message_limit_(message_limit), fragment_limit_(fragment_limit) {}

  enum class Event { need_more, message, ping, pong, close, failed };
  /// Takes bytes from the front of `input` (which it may overwrite) until something is complete. payload() is valid
  /// until the next call.
  Event next(std::span<std::uint8_t>& input);

  std::span<const std::uint8_t> payload() const { return payload_; }
  bool is_text() const { return message_opcode_ == kOpText; }
  /// After `failed`: what to close with. The reader is not to be used again.
  std::uint16_t failure() const { return failure_; }
  /// After `close`: 1005 when the peer gave none.
  std::uint16_t close_code() const { return close_code_; }
  std::string_view close_reason() const {
    if (payload_.size() < 2) return {};
    return {reinterpret_cast<const char*>(payload_.data()) + 2, payload_.size() - 2};
  }

 private:
  Event fail(std::uint16_t code) {
    failure_ = code;
    return Event::failed;
  }
  Event read_header(std::span<std::uint8_t>& input);
  Event check_header(std::uint8_t first, std::uint8_t second);
  Event read_data(std::span<std::uint8_t>& input);
  Event read_control(std::span<std::uint8_t>& input);
  Event finish_control();

  bool expect_masked_;
  std::size_t message_limit_, fragment_limit_;
  // The frame being read:
  std::array<std::uint8_t, 14> header_{};
  std::uint8_t header_have_ = 0;
  bool in_frame_ = false, final_ = false, masked_ = false;
  std::uint8_t opcode_ = 0;
  std::uint32_t key_ = 0;
  std::uint64_t length_ = 0, done_ = 0;  // bytes of its payload
  // The message being read:
  bool in_message_ = false, delivered_ = false;
  std::uint8_t message_opcode_ = 0;
  std::size_t fragments_ = 0;
  std::string message_;
  Utf8Check utf8_;
  std::array<std::uint8_t, 125> control_{};
  std::span<const std::uint8_t> payload_;
  std::uint16_t failure_ = 0, close_code_ = kCloseNoStatus;
};

}  // namespace voxgate::net
