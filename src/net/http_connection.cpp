#include "net/http_connection.hpp"

#include <unistd.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/write.hpp>

#include "net/loop_io.hpp"
#include "net/ws_frame.hpp"
#include "voxgate/base/log.hpp"
#include "voxgate/base/text.hpp"
#include "voxgate/net/task_scope.hpp"

namespace voxgate::net {
namespace {

constexpr std::size_t kReadBytes = 4096;
constexpr Duration kLingerTime = 1s;
constexpr std::size_t kLingerBytes = 256 * 1024;

const char* const kClasses[] = {"other", "1xx", "2xx", "3xx", "4xx", "5xx"};

/// An IPv4 peer of an IPv6 listener is written as IPv4.
std::string textual(const asio::ip::address& address) {
  if (address.is_v6() && address.to_v6().is_v4_mapped()) {
    return asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6()).to_string();
  }
  return address.to_string();
}

/// 0 for an upgrade that may be decided on; else the status to refuse it with.
int upgrade_problem(const RequestReader& reader, const HttpRequest& request) {
  if (request.method != "GET" || !reader.is_http11() || reader.has_body()) return 400;
  if (text::trim(request.headers.get("Sec-WebSocket-Version")) != "13") return 426;
  if (!valid_websocket_key(text::trim(request.headers.get("Sec-WebSocket-Key")))) return 400;
  return 0;
}

/// Swallows what a session that never read leaves unread.
struct NullHandler final : MessageHandler {
  void on_message(bool, std::span<const std::uint8_t>) override {}
};

}  // namespace

// ---- what connections share ----

HttpShared::HttpShared(HttpHandler& h, HttpServerOptions o, metrics::Registry& registry, std::size_t loops)
    : handler(h),
      options(std::move(o)),
      open_gauge(registry.gauge("voxgate_sockets_open", "Open connections, WebSockets included",
                                {{"listener", options.name}})),
      websocket_gauge(registry.gauge("voxgate_websockets_open", "Open WebSockets", {{"listener", options.name}})),
      per_loop(loops) {
  for (const char* group : kClasses) {
    responses.push_back(&registry.counter("voxgate_http_responses_total", "Responses by class of status",
                                          {{"listener", options.name}, {"class", group}}));
  }
}

void HttpShared::connection_opened() {
  connections.fetch_add(1, std::memory_order_relaxed);
  open_gauge.add(1);
}

bool HttpShared::connection_closed() {
  open_gauge.add(-1);
  return connections.fetch_sub(1, std::memory_order_acq_rel) == 1;
}

void HttpShared::close_on(Loop& loop, bool all) {
  PerLoop& mine = per_loop[loop.index()];
  if (all) mine.closing = true;
  for (HttpConnection* connection : mine.open) {
    if (all || connection->waiting_for_request()) connection->cut();
  }
}

void HttpShared::count_response(int status) {
  const int group = status / 100;
  responses[group >= 1 && group <= 5 ? static_cast<std::size_t>(group) : 0]->add();
}

// ---- one connection ----

Awaitable<void> serve_connection(Loop& loop, HttpShared& shared, int descriptor, tcp::endpoint peer,
                                 Subscription load) {
  Socket socket(loop.executor());
  ErrorCode ec;
  socket.assign(peer.protocol(), descriptor, ec);
  if (ec) {
    ::close(descriptor);
    co_return;
  }
  socket.set_option(tcp::no_delay(true), ec);
  HttpConnection connection(loop, shared, std::move(socket), peer);
  std::optional<UpgradeDecision> accepted = co_await connection.serve_http();
  if (accepted) co_await connection.serve_websocket(std::move(*accepted));
  load.reset();
}

HttpConnection::HttpConnection(Loop& loop, HttpShared& shared, Socket socket, const tcp::endpoint& peer)
    : loop_(loop),
      shared_(shared),
      socket_(std::move(socket)),
      remote_address_(textual(peer.address())),
      remote_port_(peer.port()),
      sweep_(loop.add_sweep(*this)) {
  auto& mine = shared_.per_loop[loop_.index()];
  mine.open.insert(this);
  expect_within(shared_.options.header_timeout);
  if (mine.closing) cut();
}

HttpConnection::~HttpConnection() {
  shared_.per_loop[loop_.index()].open.erase(this);
}

void HttpConnection::tick(Instant now) {
  if (now >= deadline_) cut();
}

void HttpConnection::cut() {
  cut_ = true;
  deadline_ = Instant::max();
  if (websocket_ != nullptr) return websocket_->abort(Errc::cancelled);
  ErrorCode ignored;
  socket_.cancel(ignored);
  socket_.shutdown(Socket::shutdown_both, ignored);
}

Awaitable<bool> HttpConnection::read_more() {
  const std::size_t have = buffer_.size();
  buffer_.resize(have + kReadBytes);
  auto [ec, n] = co_await socket_.async_read_some(asio::buffer(buffer_.data() + have, kReadBytes), kTuple);
  buffer_.resize(have + (ec ? 0 : n));
  co_return !ec && !cut_;
}

Awaitable<bool> HttpConnection::write(std::string bytes) {
  if (cut_) co_return false;
  expect_within(shared_.options.write_timeout);
  auto [ec, n] = co_await asio::async_write(socket_, asio::buffer(bytes), kTuple);
  co_return !ec && !cut_;
}

/// Reads the head of a request. False: the connection is over (a refusal has been sent where one is due).
Awaitable<bool> HttpConnection::read_request(RequestReader& reader) {
  while (true) {
    const Parse state = buffer_.empty() ? Parse::need_more : reader.feed(buffer_);
    if (state == Parse::header_done) co_return true;
    if (state == Parse::failed) {
      co_await refuse(reader.failure());
      co_return false;
    }
    const bool more = co_await read_more();
    if (!more) co_return false;
    if (idle_) {  // the first byte of a further request
      idle_ = false;
      expect_within(shared_.options.header_timeout);
    }
  }
}

Awaitable<bool> HttpConnection::read_body(RequestReader& reader) {
  expect_within(shared_.options.body_timeout);
  Parse state = reader.feed(buffer_);
  if (state == Parse::need_more && reader.expects_continue()) {
    std::string interim = "HTTP/1.1 100 Continue\r\n\r\n";
    const bool sent = co_await write(std::move(interim));
    if (!sent) co_return false;
    expect_within(shared_.options.body_timeout);
  }
  while (state == Parse::need_more) {
    const bool more = co_await read_more();
    if (!more) co_return false;
    state = reader.feed(buffer_);
  }
  if (state == Parse::failed) {
    co_await refuse(reader.failure());
    co_return false;
  }
  co_return true;
}

Awaitable<std::optional<UpgradeDecision>> HttpConnection::serve_http() {
  Next next = cut_ ? Next::close : Next::again;
  while (next == Next::again) {
    RequestReader reader(shared_.options.header_limit, shared_.options.body_limit);
    const bool got_head = co_await read_request(reader);
    if (!got_head) break;
    const bool got_body = co_await read_body(reader);
    if (!got_body) break;
    deadline_ = Instant::max();  // the handler has deadlines of its own
    reader.request().remote_address = remote_address_;
    reader.request().remote_port = remote_port_;
    next = co_await answer(reader);
    idle_ = buffer_.empty();
    expect_within(idle_ ? shared_.options.idle_timeout : shared_.options.header_timeout);
  }
  idle_ = false;
  std::optional<UpgradeDecision> accepted;
  if (next == Next::upgrade) accepted.emplace(std::move(decision_));
  co_return accepted;
}

Awaitable<HttpConnection::Next> HttpConnection::answer(RequestReader& reader) {
  HttpRequest& request = reader.request();
  if (request.is_upgrade) {
    const int problem = upgrade_problem(reader, request);
    if (problem != 0) {
      co_await refuse(problem);
      co_return Next::close;
    }
    const Next next = co_await answer_upgrade(request);
    co_return next;
  }
  HttpResponse response(500, "internal error\n");
  try {
    response = co_await shared_.handler.handle(loop_, request);
  } catch (const std::exception& e) {
    log::error("http.handler_failed", {{"listener", shared_.options.name}, {"error", e.what()}});
  }
  const bool keep = reader.keep_alive() && !shared_.draining.load(std::memory_order_relaxed) && !cut_;
  shared_.count_response(response.status);
  std::string bytes = format_response(response, keep, request.method == "HEAD");
  const bool sent = co_await write(std::move(bytes));
  if (sent && !keep) co_await linger();
  co_return sent&& keep ? Next::again : Next::close;
}

Awaitable<HttpConnection::Next> HttpConnection::answer_upgrade(HttpRequest& request) {
  try {
    decision_ = co_await shared_.handler.upgrade(loop_, request);
  } catch (const std::exception& e) {
    log::error("http.upgrade_failed", {{"listener", shared_.options.name}, {"error", e.what()}});
    decision_ = UpgradeDecision(HttpResponse(500, "internal error\n"));
  }
  if (!decision_.session) {
    HttpResponse refusal = std::move(decision_.refusal);
    co_await refuse_with(std::move(refusal));
    co_return Next::close;
  }
  std::string bytes =
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ";
  bytes.append(websocket_accept(text::trim(request.headers.get("Sec-WebSocket-Key")))).append("\r\n");
  if (!decision_.subprotocol.empty()) {
    bytes.append("Sec-WebSocket-Protocol: ").append(decision_.subprotocol).append("\r\n");
  }
  bytes.append("\r\n");
  shared_.count_response(101);
  const bool sent = co_await write(std::move(bytes));
  if (sent) co_return Next::upgrade;
  decision_.session.reset();
  co_return Next::close;
}

Awaitable<void> HttpConnection::refuse(int status) {
  HttpResponse response(status, std::string(http_reason(status)) + "\n");
  if (status == 426) response.headers.add("Sec-WebSocket-Version", "13");
  co_await refuse_with(std::move(response));
}

Awaitable<void> HttpConnection::refuse_with(HttpResponse response) {
  shared_.count_response(response.status);
  std::string bytes = format_response(response, false, false);
  const bool sent = co_await write(std::move(bytes));
  if (sent) co_await linger();
}

/// Half-closes and discards what still comes for a moment: closing with unread bytes would reset the connection, and
/// the peer might never see the answer.
Awaitable<void> HttpConnection::linger() {
  ErrorCode ec;
  socket_.shutdown(Socket::shutdown_send, ec);
  if (ec) co_return;
  expect_within(kLingerTime);
  std::size_t discarded = 0;
  bool more = true;
  while (more && discarded < kLingerBytes) {
    buffer_.clear();
    more = co_await read_more();
    discarded += buffer_.size();
  }
}

Awaitable<void> HttpConnection::serve_websocket(UpgradeDecision decision) {
  deadline_ = Instant::max();
  sweep_.reset();
  if (cut_) co_return;
  WebSocket socket(loop_, std::move(socket_), WebSocket::Role::server, decision.options, std::exchange(buffer_, {}),
                   std::move(decision.subprotocol));
  websocket_ = &socket;
  shared_.websockets.fetch_add(1, std::memory_order_relaxed);
  shared_.websocket_gauge.add(1);
  bool failed = false;
  try {
    co_await decision.session->run(socket);
  } catch (const std::exception& e) {
    failed = true;
    log::error("websocket.session_failed", {{"listener", shared_.options.name}, {"error", e.what()}});
  }
  decision.session.reset();
  socket.close(failed ? kCloseInternal : kCloseNormal);
  if (!socket.was_run()) {
    NullHandler nobody;
    co_await socket.run(nobody);
  }
  websocket_ = nullptr;
  shared_.websockets.fetch_sub(1, std::memory_order_relaxed);
  shared_.websocket_gauge.add(-1);
}

}  // namespace voxgate::net
