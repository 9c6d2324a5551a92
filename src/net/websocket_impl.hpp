#pragma once
// The inside of a WebSocket.

#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "net/loop_io.hpp"
#include "net/ws_frame.hpp"
#include "voxgate/net/task_scope.hpp"
#include "voxgate/net/websocket.hpp"

namespace voxgate::net {

/// Owner:   the WebSocket and every wait that is outstanding (counted by `refs`; one loop, so not atomically).
/// Threads: the loop only.
struct WebSocket::Impl final : Tickable, Flushable {
  Impl(Loop& l, Socket s, Role r, WebSocketOptions o, std::string first, std::string protocol);
  ~Impl();

  void start();
  void tick(Instant now) override;
  void flush() override;

  void arm_read();
  void on_readable();
  void consume(std::span<std::uint8_t> bytes);
  void deliver();
  void on_peer_close();
  void on_protocol_failure(std::uint16_t code);

  bool can_send() const;
  bool commit(OutMessage* message);
  ssize_t write_some();
  void advance(std::size_t sent);
  void pop_front();
  void wait_writable();
  void on_write_error(ErrorCode ec);
  void on_close_sent();
  void drop_aged(Instant now);
  void shed();
  template <class Predicate>
  void drop_if(Predicate predicate);
  void drop_unsent();
  void discard_queue() noexcept;
  void queue_control(std::uint8_t opcode, std::string_view payload);
  void queue_pong(std::span<const std::uint8_t> payload);
  void queue_close(std::uint16_t code, std::string_view reason);

  void end(ErrorCode ec);
  void cut(ErrorCode why);
  void settle();

  int refs = 1;
  Loop& loop;
  Loop::Io& io;
  Socket socket;
  const Role role;
  const WebSocketOptions options;
  std::string subprotocol;
  std::string early;  // bytes read behind the handshake
  MessageHandler* handler = nullptr;
  FrameReader reader;
  Event done;
  CloseInfo info;
  Counters counters;
  Subscription sweep;

  OutMessage* building = nullptr;  // between begin_message() and commit_message()
  OutMessage* head = nullptr;      // queued, oldest first
  OutMessage* tail = nullptr;
  std::size_t head_sent = 0;  // bytes of the head that are on the wire
  std::size_t queued_bytes = 0, queued_messages = 0;

  bool in_run = false, ended = false;
  bool read_waiting = false, write_waiting = false;
  bool write_failed = false;
  bool close_queued = false, close_sent = false, close_received = false;
  bool discard_input = false;  // after a close or a failure: read on, but only to see the end
  bool lingering = false;      // we failed the connection and give the peer time to read why
  bool heard = false, pinged = false;
  Instant last_alive{}, progress_at{}, close_deadline{};
};

/// A reference of a wait, not atomic.
class Ref {
 public:
  explicit Ref(WebSocket::Impl* impl) : impl_(impl) { ++impl_->refs; }
  Ref(Ref&& other) noexcept : impl_(std::exchange(other.impl_, nullptr)) {}
  Ref(const Ref& other) : impl_(other.impl_) {
    if (impl_ != nullptr) ++impl_->refs;
  }
  Ref& operator=(const Ref&) = delete;
  ~Ref() {
    if (impl_ != nullptr) release(impl_);
  }
  WebSocket::Impl* operator->() const { return impl_; }

  static void release(WebSocket::Impl* impl) {
    if (--impl->refs == 0) delete impl;
  }

 private:
  WebSocket::Impl* impl_;
};

}  // namespace voxgate::net
