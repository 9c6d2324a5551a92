#pragma once
// One accepted connection: HTTP until it is closed or becomes a WebSocket.

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "net/http_codec.hpp"
#include "voxgate/net/http_server.hpp"

namespace voxgate::net {

class HttpConnection;

/// What all connections of a server share.
struct HttpShared {
  HttpShared(HttpHandler& h, HttpServerOptions o, metrics::Registry& registry, std::size_t loops);

  void connection_opened();
  /// True when it was the last one.
  bool connection_closed();
  /// On `loop`: cuts its connections, all of them or those that wait for a request.
  void close_on(Loop& loop, bool all);
  void count_response(int status);

  HttpHandler& handler;
  const HttpServerOptions options;
  // Any thread:
  std::atomic<bool> draining{false};
  std::atomic<std::size_t> connections{0}, websockets{0};
  metrics::Gauge& open_gauge;
  metrics::Gauge& websocket_gauge;
  std::vector<metrics::Counter*> responses;  // by status / 100
  // Each entry belongs to its loop:
  struct PerLoop {
    std::unordered_set<HttpConnection*> open;
    bool closing = false;
  };
  std::vector<PerLoop> per_loop;
};

/// Takes the accepted descriptor and serves it to its end. Runs on `loop`; `load` is the connection's share of it.
Awaitable<void> serve_connection(Loop& loop, HttpShared& shared, int descriptor, tcp::endpoint peer, Subscription load);

/// Owner: the coroutine serve_connection. Threads: its loop.
class HttpConnection final : public Tickable {
 public:
  HttpConnection(Loop& loop, HttpShared& shared, Socket socket, const tcp::endpoint& peer);
  ~HttpConnection();
  HttpConnection(const HttpConnection&) = delete;
  HttpConnection& operator=(const HttpConnection&) = delete;

  /// Serves requests; returns an accepted upgrade, or nothing once the connection is finished.
  Awaitable<std::optional<UpgradeDecision>> serve_http();
  Awaitable<void> serve_websocket(UpgradeDecision decision);

  void tick(Instant now) override;
  void cut();
  bool waiting_for_request() const { return idle_; }

 private:
  enum class Next { again, close, upgrade };
  Awaitable<bool> read_more();
  Awaitable<bool> read_request(RequestReader& reader);
  Awaitable<bool> read_body(RequestReader& reader);
  Awaitable<Next> answer(RequestReader& reader);
  Awaitable<Next> answer_upgrade(HttpRequest& request);
  Awaitable<bool> write(std::string bytes);
  Awaitable<void> refuse(int status);
  Awaitable<void> refuse_with(HttpResponse response);
  Awaitable<void> linger();
  void expect_within(Duration limit) { deadline_ = Clock::now() + limit; }

  Loop& loop_;
  HttpShared& shared_;
  Socket socket_;
  std::string remote_address_;
  std::uint16_t remote_port_;
  std::string buffer_;  // received, not yet consumed
  Instant deadline_ = Instant::max();
  bool idle_ = false;
  bool cut_ = false;
  Subscription sweep_;
  UpgradeDecision decision_;
  WebSocket* websocket_ = nullptr;
};

}  // namespace voxgate::net
