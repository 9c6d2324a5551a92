#include "voxgate/net/websocket.hpp"

#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cerrno>
#include <utility>

#include "net/websocket_impl.hpp"
#include "voxgate/base/assert.hpp"
#include "voxgate/base/log.hpp"

// Invariants: at most one wait for reading and one for writing are outstanding; messages leave in the order in which
// they were committed; nothing is queued behind a close frame; `done` is set only when no wait is outstanding.

namespace voxgate::net {
namespace {

constexpr std::size_t kMaxIovecs = 32;  // messages sent in one system call

ErrorCode last_error() {
  return {errno, boost::system::system_category()};
}

}  // namespace

WebSocket::Impl::Impl(Loop& l, Socket s, Role r, WebSocketOptions o, std::string first, std::string protocol)
    : loop(l),
      io(l.io()),
      socket(std::move(s)),
      role(r),
      options(o),
      subprotocol(std::move(protocol)),
      reader(r == Role::server, o.message_limit, o.fragment_limit),
      done(l.executor()),
      last_alive(Clock::now()) {
  if (!first.empty()) early = std::move(first);  // an empty one may still hold a buffer
  sweep = loop.add_sweep(*this);
}

WebSocket::Impl::~Impl() {
  io.forget(*this);
  discard_queue();
  if (building != nullptr) io.recycle(building);
}

// ---- reading ----

void WebSocket::Impl::arm_read() {
  read_waiting = true;
  socket.async_wait(Socket::wait_read, [self = Ref(this)](ErrorCode ec) {
    self->read_waiting = false;
    if (!ec && !self->ended) self->on_readable();
    if (ec && !self->ended) self->end(ec);
    self->settle();
  });
}

void WebSocket::Impl::on_readable() {
  std::uint8_t* const scratch = io.scratch();
  ssize_t n;
  do {
    n = ::recv(socket.native_handle(), scratch, Loop::Io::kScratchBytes, MSG_DONTWAIT);
  } while (n < 0 && errno == EINTR);
  if (n == 0) return end(make_error_code(Errc::closed));
  if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK) return end(last_error());
  if (n > 0) {
    Loop::Io::Batch batch(io);
    consume({scratch, static_cast<std::size_t>(n)});
  }
  // The wait re-arms the descriptor, which reports again whatever is still unread: no second recv() to find out.
  if (!ended) arm_read();
}

void WebSocket::Impl::consume(std::span<std::uint8_t> bytes) {
  heard = true;
  counters.bytes_in += bytes.size();
  while (!ended && !discard_input) {
    switch (reader.next(bytes)) {
      case FrameReader::Event::need_more:
        return;
      case FrameReader::Event::message:
        ++counters.messages_in;
        if (!close_queued) deliver();
        break;
      case FrameReader::Event::ping:
        ++counters.pings_in;
        queue_pong(reader.payload());
        break;
      case FrameReader::Event::pong:
        ++counters.pongs_in;
        break;
      case FrameReader::Event::close:
        return on_peer_close();
      case FrameReader::Event::failed:
        return on_protocol_failure(reader.failure());
    }
  }
}

void WebSocket::Impl::deliver() {
  try {
    handler->on_message(reader.is_text(), reader.payload());
  } catch (const std::exception& e) {
    log::error("websocket.handler_failed", {{"error", e.what()}});
    queue_close(kCloseInternal, {});
  }
}

void WebSocket::Impl::on_peer_close() {
  discard_input = true;
  close_received = true;
  if (close_sent || write_failed) return end({});
  if (!close_queued) {
    info.peer_closed = true;
    info.code = reader.close_code();
    info.reason = reader.close_reason();
    drop_unsent();  // the peer reads no more messages
    queue_close(reader.close_code(), {});
  }
}

void WebSocket::Impl::on_protocol_failure(std::uint16_t code) {
  discard_input = true;
  lingering = true;
  if (!close_queued) {
    info.code = code;
    info.error = make_error_code(code == kCloseTooBig ? Errc::too_large : Errc::bad_input);
  }
  drop_unsent();
  queue_close(code, {});
}

// ---- writing ----

bool WebSocket::Impl::can_send() const {
  return !ended && !write_failed && !close_queued;
}

bool WebSocket::Impl::commit(OutMessage* message) {
  if (role == Role::client) {
    const std::uint32_t key = io.mask_key();
    make_frame(message->bytes, message->opcode, &key);
  } else {
    make_frame(message->bytes, message->opcode, nullptr);
  }
  queued_bytes += message->bytes.size();
  ++queued_messages;
  (tail != nullptr ? tail->next : head) = message;
  tail = message;
  const bool is_close = message->opcode == kOpClose;
  if (write_waiting) {
    message->queued_at = Clock::now();
    drop_aged(message->queued_at);
  } else if (!io.batching()) {
    flush();
  } else {
    if (queued_bytes > options.outbox_limit) flush();
    if (head != nullptr && !ended) io.flush_later(*this);
  }
  if (queued_bytes > options.outbox_limit && !is_close) shed();
  return !ended;
}

void WebSocket::Impl::flush() {
  if (ended || write_waiting || write_failed) return;
  while (head != nullptr) {
    const ssize_t n = write_some();
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return wait_writable();
    if (n < 0) return on_write_error(last_error());
    counters.bytes_out += static_cast<std::uint64_t>(n);
    advance(static_cast<std::size_t>(n));
  }
  if (close_queued) on_close_sent();
}

ssize_t WebSocket::Impl::write_some() {
  if (head->next == nullptr) {
    return ::send(socket.native_handle(), head->bytes.data() + head_sent, head->bytes.size() - head_sent,
                  MSG_DONTWAIT | MSG_NOSIGNAL);
  }
  std::array<iovec, kMaxIovecs> parts;
  std::size_t count = 0;
  std::size_t skip = head_sent;
  for (OutMessage* m = head; m != nullptr && count < parts.size(); m = m->next) {
    parts[count++] = {m->bytes.data() + skip, m->bytes.size() - skip};
    skip = 0;
  }
  msghdr message{};
  message.msg_iov = parts.data();
  message.msg_iovlen = count;
  return ::sendmsg(socket.native_handle(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

void WebSocket::Impl::advance(std::size_t sent) {
  progress_at = {};
  while (sent > 0) {
    const std::size_t left = head->bytes.size() - head_sent;
    if (sent < left) {
      head_sent += sent;
      return;
    }
    sent -= left;
    head_sent = 0;
    pop_front();
  }
}

void WebSocket::Impl::pop_front() {
  OutMessage* message = head;
  head = message->next;
  if (head == nullptr) tail = nullptr;
  queued_bytes -= message->bytes.size();
  --queued_messages;
  io.recycle(message);
}

void WebSocket::Impl::wait_writable() {
  const Instant now = Clock::now();
  if (progress_at == Instant{}) progress_at = now;
  for (OutMessage* m = head; m != nullptr; m = m->next) {
    if (m->queued_at == Instant{}) m->queued_at = now;
  }
  write_waiting = true;
  socket.async_wait(Socket::wait_write, [self = Ref(this)](ErrorCode ec) {
    self->write_waiting = false;
    if (!ec && !self->ended) {
      self->drop_aged(Clock::now());
      self->flush();
    }
    self->settle();
  });
}

/// What cannot be written any more may still be read: the peer's close frame is often right behind the error.
void WebSocket::Impl::on_write_error(ErrorCode ec) {
  write_failed = true;
  if (!info.error) info.error = ec;
  discard_queue();
  if (close_received) return end({});
  if (!in_run) return end(ec);
  close_deadline = Clock::now() + 1s;
}

void WebSocket::Impl::on_close_sent() {
  if (close_sent) return;
  close_sent = true;
  if (close_received) return end({});
  if (lingering) {  // let the peer read the close frame before a reset could destroy it
    ErrorCode ignored;
    socket.shutdown(Socket::shutdown_send, ignored);
  }
}

/// Removes droppable messages that wait for longer than they are worth, oldest first.
void WebSocket::Impl::drop_aged(Instant now) {
  drop_if([&](const OutMessage& m) { return m.droppable && now - m.queued_at >= options.outbox_age; });
}

/// Over the limit: droppable messages go, oldest first, until it fits; if it cannot, the peer is too slow to keep.
void WebSocket::Impl::shed() {
  drop_if([&](const OutMessage& m) { return m.droppable && queued_bytes > options.outbox_limit; });
  if (queued_bytes > options.outbox_limit) cut(make_error_code(Errc::full));
}

template <class Predicate>
void WebSocket::Impl::drop_if(Predicate predicate) {
  // The head is spared once part of it is on the wire.
  OutMessage* previous = head_sent > 0 ? head : nullptr;
  OutMessage* m = previous != nullptr ? previous->next : head;
  while (m != nullptr) {
    OutMessage* const following = m->next;
    if (predicate(*m)) {
      (previous != nullptr ? previous->next : head) = following;
      if (tail == m) tail = previous;
      queued_bytes -= m->bytes.size();
      --queued_messages;
      ++counters.dropped;
      io.recycle(m);
    } else {
      previous = m;
    }
    m = following;
  }
}

void WebSocket::Impl::drop_unsent() {
  const std::uint64_t dropped = counters.dropped;
  drop_if([](const OutMessage&) { return true; });
  counters.dropped = dropped;  // that counts what a slow peer cost, not what an ending one did
}

void WebSocket::Impl::discard_queue() noexcept {
  while (head != nullptr) pop_front();
  head_sent = 0;
}

void WebSocket::Impl::queue_control(std::uint8_t opcode, std::string_view payload) {
  OutMessage* message = io.take_message();
  message->opcode = opcode;
  message->droppable = false;
  message->bytes.assign(payload);
  commit(message);
}

void WebSocket::Impl::queue_pong(std::span<const std::uint8_t> payload) {
  if (!can_send()) return;
  const std::string_view text(reinterpret_cast<const char*>(payload.data()), payload.size());
  // Only the latest of unanswered pings needs its answer (RFC 6455 section 5.5.3); a flood cannot fill the outbox.
  if (head != nullptr) {
    OutMessage* last = tail;
    const bool on_the_wire = last == head && head_sent > 0;
    if (last->opcode == kOpPong && !on_the_wire) {
      queued_bytes -= last->bytes.size();
      last->bytes.assign(text);
      const std::uint32_t key = role == Role::client ? io.mask_key() : 0;
      make_frame(last->bytes, kOpPong, role == Role::client ? &key : nullptr);
      queued_bytes += last->bytes.size();
      return;
    }
  }
  queue_control(kOpPong, text);
}

void WebSocket::Impl::queue_close(std::uint16_t code, std::string_view reason) {
  if (ended || close_queued) return;
  close_queued = true;
  close_deadline = Clock::now() + options.close_timeout;
  if (write_failed) return;
  queue_control(kOpClose, close_payload(code, reason));
}

// ---- ending ----

void WebSocket::Impl::end(ErrorCode ec) {
  if (ended) return;
  ended = true;
  if (ec && !info.error) info.error = ec;
  if (!ec) info.error = close_received && !lingering ? ErrorCode{} : info.error;
  io.forget(*this);
  discard_queue();
  sweep.reset();
  ErrorCode ignored;
  socket.close(ignored);
  settle();
}

void WebSocket::Impl::cut(ErrorCode why) {
  if (ended) return;
  // A reset at once frees what the kernel still holds for a peer that does not read.
  ErrorCode ignored;
  socket.set_option(asio::socket_base::linger(true, 0), ignored);
  end(why);
}

void WebSocket::Impl::settle() {
  if (ended && !read_waiting && !write_waiting) done.set();
}

void WebSocket::Impl::tick(Instant now) {
  if (heard) {
    heard = false;
    pinged = false;
    last_alive = now;
  }
  if (close_deadline != Instant{} && now >= close_deadline) return cut(make_error_code(Errc::timed_out));
  if (write_waiting) {
    if (now - progress_at >= options.write_timeout) return cut(make_error_code(Errc::timed_out));
    drop_aged(now);
  }
  if (!in_run) return;
  if (now - last_alive >= options.idle_timeout) return cut(make_error_code(Errc::timed_out));
  if (!pinged && can_send() && now - last_alive >= options.idle_timeout / 2) {
    pinged = true;
    queue_control(kOpPing, {});
  }
}

// ---- the public face ----

WebSocket::WebSocket(Loop& loop, Socket socket, Role role, WebSocketOptions options, std::string early,
                     std::string subprotocol)
    : impl_(new Impl(loop, std::move(socket), role, options, std::move(early), std::move(subprotocol))) {}

WebSocket::~WebSocket() {
  impl_->end(make_error_code(Errc::cancelled));
  impl_->handler = nullptr;
  Ref::release(impl_);
}

Awaitable<CloseInfo> WebSocket::run(MessageHandler& handler) {
  VOXGATE_ASSERT(impl_->handler == nullptr);
  Ref self(impl_);
  self->handler = &handler;
  self->in_run = true;
  self->last_alive = Clock::now();
  if (!self->ended) self->start();
  self->settle();
  const bool throws = co_await asio::this_coro::throw_if_cancelled();
  co_await asio::this_coro::throw_if_cancelled(false);
  const bool by_itself = co_await self->done.wait();
  if (!by_itself) {
    self->cut(make_error_code(Errc::cancelled));
    co_await self->done.wait_uncancelled();
  }
  co_await asio::this_coro::throw_if_cancelled(throws);
  self->in_run = false;
  co_return self->info;
}

bool WebSocket::was_run() const {
  return impl_->handler != nullptr;
}

void WebSocket::Impl::start() {
  if (!early.empty()) {
    Loop::Io::Batch batch(io);
    std::string bytes = std::exchange(early, {});
    consume({reinterpret_cast<std::uint8_t*>(bytes.data()), bytes.size()});
  }
  if (!ended) arm_read();
}

std::string& WebSocket::begin_message(bool text, Delivery delivery) {
  OutMessage*& message = impl_->building;
  if (message == nullptr) message = impl_->io.take_message();
  message->bytes.clear();
  message->opcode = text ? kOpText : kOpBinary;
  message->droppable = delivery == Delivery::droppable;
  return message->bytes;
}

bool WebSocket::commit_message() {
  OutMessage* message = std::exchange(impl_->building, nullptr);
  if (message == nullptr) return false;
  if (!impl_->can_send()) {
    impl_->io.recycle(message);
    return false;
  }
  ++impl_->counters.messages_out;
  return impl_->commit(message);
}

bool WebSocket::send(bool text, std::string_view payload, Delivery delivery) {
  begin_message(text, delivery).assign(payload);
  return commit_message();
}

void WebSocket::close(std::uint16_t code, std::string_view reason) {
  if (impl_->ended || impl_->close_queued) return;
  impl_->info.code = code;
  impl_->info.reason = reason;
  impl_->queue_close(code, reason);
}

void WebSocket::abort(Errc why) {
  impl_->cut(make_error_code(why));
}

void WebSocket::ping() {
  if (impl_->can_send()) impl_->queue_control(kOpPing, {});
}

bool WebSocket::is_open() const {
  return impl_->can_send() && !impl_->close_received;
}

Loop& WebSocket::loop() {
  return impl_->loop;
}

const std::string& WebSocket::subprotocol() const {
  return impl_->subprotocol;
}

const WebSocket::Counters& WebSocket::counters() const {
  return impl_->counters;
}

std::size_t WebSocket::queued_bytes() const {
  return impl_->queued_bytes;
}

std::size_t WebSocket::queued_messages() const {
  return impl_->queued_messages;
}

Instant WebSocket::last_alive() const {
  return impl_->last_alive;
}

}  // namespace voxgate::net
