#pragma once
// HTTP/1.1 server with WebSocket upgrades: one listener, connections spread over the loops.

#include <cstdint>
#include <memory>
#include <string>

#include "voxgate/base/metrics.hpp"
#include "voxgate/net/http.hpp"
#include "voxgate/net/loop.hpp"
#include "voxgate/net/types.hpp"
#include "voxgate/net/websocket.hpp"

namespace voxgate::net {

/// One accepted WebSocket. Destroyed on its loop as soon as run() has returned, before the connection is closed; or
/// without run() when the connection was lost before the 101 was written.
struct WebSocketSession {
  virtual ~WebSocketSession();
  /// Owns the call; awaits socket.run(handler) somewhere inside. When it returns, an open socket is closed with 1000.
  virtual Awaitable<void> run(WebSocket& socket) = 0;
};

/// What an upgrade request gets.
struct UpgradeDecision {
  UpgradeDecision() = default;
  explicit UpgradeDecision(HttpResponse refused) : refusal(std::move(refused)) {}
  explicit UpgradeDecision(std::unique_ptr<WebSocketSession> accepted) : session(std::move(accepted)) {}

  HttpResponse refusal{404};                  // sent when there is no session; the connection is then closed
  std::unique_ptr<WebSocketSession> session;  // set: 101
  WebSocketOptions options;
  std::string subprotocol;  // echoed when not empty; must be one the client offered
};

/// Decides; one object serves all connections, on all loops at once.
struct HttpHandler {
  virtual ~HttpHandler();
  /// Any request that is not a WebSocket upgrade. An exception is logged and answered with 500.
  virtual Awaitable<HttpResponse> handle(Loop& loop, const HttpRequest& request) = 0;
  /// A valid upgrade request. Refuses with 404 unless overridden.
  virtual Awaitable<UpgradeDecision> upgrade(Loop& loop, const HttpRequest& request);
};

struct HttpServerOptions {
  std::string name = "public";  // label of the metrics; a small closed set
  std::string address = "0.0.0.0";
  std::uint16_t port = 0;                // 0: any free one
  std::size_t header_limit = 16 * 1024;  // bytes of the request line and headers
  std::size_t body_limit = 64 * 1024;    // bytes; more is 413 at the header
  Duration header_timeout = 10s;         // from accept, or from the first byte of a further request
  Duration body_timeout = 10s;           // from the end of the header
  Duration idle_timeout = 30s;           // between requests of a kept connection
  Duration write_timeout = 10s;
  std::size_t max_connections = 20000;  // further ones are closed at accept, and counted
  int backlog = 1024;
};

/// One listening socket. Its acceptor lives on loop 0; a connection goes to the least loaded loop and stays there.
/// Owner:   the application; destroyed before the loops, while they still run.
/// Threads: every member from any thread that is not a loop, except where said.
class HttpServer {
 public:
  HttpServer(LoopGroup& loops, HttpHandler& handler, HttpServerOptions options, metrics::Registry& registry);
  /// stop_accepting(), close_all(), then waits for the last connection.
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  /// Binds and listens; throws boost::system::system_error naming the address when it cannot.
  void listen();
  /// The bound port; any thread.
  std::uint16_t port() const;
  /// Closes the listening socket; connections go on. May be called from a loop.
  void stop_accepting();
  /// Cuts every connection: idle HTTP ones and WebSockets alike (their run() ends with Errc::cancelled). May be called
  /// from a loop.
  void close_all();
  /// Cuts only connections that wait for a request. May be called from a loop.
  void close_idle();
  /// Waits until no connection is left; false when `limit` passed.
  bool wait_closed(Duration limit);

  /// Open connections of any kind, and those upgraded to a WebSocket. Any thread.
  std::size_t connections() const;
  std::size_t websockets() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace voxgate::net
