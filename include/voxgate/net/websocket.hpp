#pragma once
// One WebSocket (RFC 6455), server or client, owned by one loop: bounded in what it reads, in what it queues, and in
// how long it waits for the peer.

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "voxgate/net/loop.hpp"
#include "voxgate/net/types.hpp"

namespace voxgate::net {

struct WebSocketOptions {
  std::size_t message_limit = 64 * 1024;  // bytes of an inbound message; more is answered with 1009 at the header
  std::size_t fragment_limit = 1024;      // frames of an inbound message; more is answered with 1009
  Duration idle_timeout = 30s;   // no byte of any kind for so long: transport lost. A ping goes out at half of it
  Duration write_timeout = 10s;  // a write that makes no progress for so long: cut
  Duration close_timeout = 5s;   // from close() to the cut, whatever the peer does
  std::size_t outbox_limit = 256 * 1024;  // bytes queued; over it droppable messages go, oldest first, else cut
  Duration outbox_age = 500ms;            // a droppable message that has waited so long is dropped
};

/// How a WebSocket ended.
struct CloseInfo {
  CloseInfo() = default;
  std::uint16_t code = 1006;  // the peer's code (1005: it gave none); ours if we closed first; 1006: no close at all
  std::string reason;
  ErrorCode error;           // unset after a close handshake; else why the transport ended
  bool peer_closed = false;  // the peer's close frame came before any of ours
};

/// What a message may do when the peer reads too slowly.
enum class Delivery { keep, droppable };

class WebSocket;

/// Receives what a WebSocket reads. Called on the loop; must not destroy the WebSocket.
struct MessageHandler {
  /// The span is valid during the call. Text has been checked to be UTF-8.
  virtual void on_message(bool is_text, std::span<const std::uint8_t> payload) = 0;

 protected:
  ~MessageHandler() = default;
};

/// Owner:   the session coroutine that runs it. Threads: its loop only.
/// Memory:  no buffer of its own while nothing is in flight: reads land in the loop's scratch space, queued messages
/// are
///          recycled per loop. Steady state does not allocate.
/// Errors:  everything the peer can do ends up in CloseInfo.
class WebSocket {
 public:
  enum class Role { server, client };

  /// `socket` has finished its handshake; `early` are bytes that were read behind it.
  WebSocket(Loop& loop, Socket socket, Role role, WebSocketOptions options, std::string early = {},
            std::string subprotocol = {});
  /// Cuts the connection if it is still open.
  ~WebSocket();
  WebSocket(const WebSocket&) = delete;
  WebSocket& operator=(const WebSocket&) = delete;

  /// Reads until the end; afterwards nothing of this WebSocket runs any more and the descriptor is closed. Cancelling
  /// the awaiting coroutine cuts the connection. To be awaited once.
  Awaitable<CloseInfo> run(MessageHandler& handler);
  /// run() has been called.
  bool was_run() const;

  /// The payload of the next message, empty, to be filled in place; then commit_message(). Messages of one tick or one
  /// read leave in one system call. Not to be held across an await.
  std::string& begin_message(bool text, Delivery delivery = Delivery::keep);
  /// False when the socket is closing or was cut by this message (outbox over its limit).
  bool commit_message();
  bool send(bool text, std::string_view payload, Delivery delivery = Delivery::keep);

  /// Queues the goodbye behind what is already queued; nothing can be sent after it, and inbound messages are no longer
  /// delivered. The first call counts. `reason` is cut at 123 bytes.
  void close(std::uint16_t code, std::string_view reason = {});
  /// Cuts the connection now; run() ends with `why`.
  void abort(Errc why = Errc::cancelled);
  void ping();

  /// No close was sent or received and the transport is up.
  bool is_open() const;
  Loop& loop();
  const std::string& subprotocol() const;

  /// Plain numbers; read on the loop.
  struct Counters {
    std::uint64_t messages_in = 0, messages_out = 0;
    std::uint64_t bytes_in = 0, bytes_out = 0;  // on the wire, without the upgrade
    std::uint64_t pings_in = 0, pongs_in = 0;
    std::uint64_t dropped = 0;  // droppable messages dropped
  };
  const Counters& counters() const;
  std::size_t queued_bytes() const;
  std::size_t queued_messages() const;
  /// When a byte of any kind last came, to about 100 ms.
  Instant last_alive() const;

  struct Impl;

 private:
  Impl* impl_;
};

}  // namespace voxgate::net
