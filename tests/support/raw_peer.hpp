#pragma once
// The far end of a connection, byte by byte: what a well-behaved client library hides (fragments, reserved bits, half a
// handshake, a reset) is exactly what the integration tests send and check.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "voxgate/base/time.hpp"

namespace voxgate::test {

inline constexpr std::chrono::seconds kPatience{20};

using HeaderList = std::vector<std::pair<std::string, std::string>>;

struct HttpAnswer {
  int status = 0;  // 0: none came
  HeaderList headers;
  std::string body;
  /// The first value of a header, without case; empty if there is none.
  std::string header(std::string_view name) const;
};

struct WsFrame {
  bool fin = true;
  int reserved = 0;  // RSV1-3 as bits 2-0
  int opcode = 0;
  bool masked = false;
  std::string payload;
  bool is_close() const { return opcode == 8; }
  /// The code of a close frame; 1005 if it has none.
  int close_code() const;
};

/// One TCP connection to 127.0.0.1, driven by the test's thread.
class RawPeer {
 public:
  RawPeer() = default;
  explicit RawPeer(std::uint16_t port);
  ~RawPeer();
  RawPeer(RawPeer&& other) noexcept { *this = std::move(other); }
  RawPeer& operator=(RawPeer&& other) noexcept;

  int fd() const { return fd_; }
  bool ended() const { return ended_; }  // the other side is gone: end of stream or reset

  /// Sends everything; false if the connection broke.
  bool send(std::string_view bytes);
  bool send_frame(int opcode, std::string_view payload, bool fin = true);
  bool text(std::string_view payload) { return send_frame(1, payload); }
  bool close_frame(int code);

  void send_request(const std::string& method, const std::string& target, const HeaderList& headers = {},
                    const std::string& body = {});
  void send_upgrade(const std::string& target, const HeaderList& headers = {});
  HttpAnswer read_answer(Duration limit = kPatience);

  /// The next frame; nullopt after `limit` or when the connection ended first.
  std::optional<WsFrame> read_frame(Duration limit = kPatience);
  /// The next frame that is already here.
  std::optional<WsFrame> poll_frame() { return read_frame(Duration{}); }
  /// Reads on to the close frame and returns its code; 0: the connection ended without one; -1: neither came in time.
  int read_close(Duration limit = kPatience);
  /// True when the other side ended the connection within `limit`.
  bool wait_end(Duration limit = kPatience);

  void finish_writing();  // FIN, reading goes on
  void reset();           // RST
  void shut();

 private:
  bool fill(Instant deadline);
  std::optional<WsFrame> take_frame();
  int fd_ = -1;
  bool ended_ = false;
  std::string in_;
};

/// One request on a connection of its own.
HttpAnswer http(std::uint16_t port, const std::string& method, const std::string& target,
                const HeaderList& headers = {}, const std::string& body = {});

}  // namespace voxgate::test
