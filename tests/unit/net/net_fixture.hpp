#pragma once
// Real loops and sockets for the tests of this room. Nothing here sleeps: things are waited for, with a generous limit.

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "voxgate/net/http_client.hpp"
#include "voxgate/net/http_server.hpp"
#include "voxgate/net/loop.hpp"
#include "voxgate/net/task_scope.hpp"
#include "voxgate/net/ws_client.hpp"

namespace voxgate::net::test {

inline constexpr auto kPatience = std::chrono::seconds(20);

/// Runs a coroutine on a loop and waits for its result in the test's thread.
template <class T>
T run_on(Loop& loop, Awaitable<T> task) {
  auto promise = std::make_shared<std::promise<T>>();
  auto future = promise->get_future();
  if constexpr (std::is_void_v<T>) {
    asio::co_spawn(loop.executor(), std::move(task),
                   [promise](std::exception_ptr e) { e ? promise->set_exception(e) : promise->set_value(); });
  } else {
    auto keep = [](Awaitable<T> t, std::shared_ptr<std::promise<T>> p) -> Awaitable<void> {
      try {
        p->set_value(co_await std::move(t));
      } catch (...) {
        p->set_exception(std::current_exception());
      }
    };
    auto wrapped = keep(std::move(task), promise);
    asio::co_spawn(loop.executor(), std::move(wrapped), [](std::exception_ptr) {});
  }
  if (future.wait_for(kPatience) != std::future_status::ready) {
    ADD_FAILURE() << "coroutine did not end";
    std::abort();
  }
  return future.get();
}

/// Calls f on the loop and returns its result.
template <class F>
auto call_on(Loop& loop, F f) {
  auto task = std::make_shared<std::packaged_task<std::invoke_result_t<F>()>>(std::move(f));
  auto future = task->get_future();
  loop.post([task] { (*task)(); });
  return future.get();
}

/// Waits until `condition` holds, looking again every millisecond.
inline bool eventually(const std::function<bool()>& condition, std::chrono::milliseconds limit = kPatience) {
  const auto deadline = Clock::now() + limit;
  while (!condition()) {
    if (Clock::now() > deadline) return false;
    ::poll(nullptr, 0, 1);
  }
  return true;
}

/// A blocking client socket that misbehaves as told.
class RawClient {
 public:
  explicit RawClient(std::uint16_t port, int receive_buffer = 0) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    if (receive_buffer > 0) ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof(receive_buffer));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = ::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
  }
  ~RawClient() { close(); }
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  bool connected() const { return connected_; }
  void send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n <= 0) return;
      bytes.remove_prefix(static_cast<std::size_t>(n));
    }
  }
  /// Reads until `text` has come or the connection ended; returns everything read so far.
  const std::string& read_until(std::string_view text) {
    while (received_.find(text) == std::string::npos && read_some()) {
    }
    return received_;
  }
  /// Reads until the server has closed; true if it did, by FIN or reset.
  bool read_to_end() {
    while (read_some()) {
    }
    return ended_;
  }
  const std::string& received() const { return received_; }
  void forget() { received_.clear(); }
  void reset() {  // RST instead of FIN
    linger hard{1, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
    close();
  }
  void finish() { ::shutdown(fd_, SHUT_WR); }
  void close() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }

  static std::string upgrade_request(std::string_view target = "/", std::string_view extra = "") {
    std::string request = "GET " + std::string(target) + " HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\n";
    request += "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    return request + std::string(extra) + "\r\n";
  }
  bool upgrade() {
    send(upgrade_request());
    const bool ok = read_until("\r\n\r\n").starts_with("HTTP/1.1 101");
    received_.erase(0, received_.find("\r\n\r\n") + 4);
    return ok;
  }
  /// Reads one unmasked frame; returns its first byte (0: none) and its payload.
  std::pair<int, std::string> read_frame() {
    while (received_.size() < 2 && read_some()) {
    }
    if (received_.size() < 2) return {0, ""};
    const int first = static_cast<unsigned char>(received_[0]);
    std::size_t size = static_cast<unsigned char>(received_[1]) & 0x7F;
    std::size_t header = 2;
    if (size >= 126) {
      header += size == 126 ? 2 : 8;
      while (received_.size() < header && read_some()) {
      }
      std::size_t wide = 0;
      for (std::size_t i = 2; i < header; ++i) wide = wide << 8 | static_cast<unsigned char>(received_.at(i));
      size = wide;
    }
    while (received_.size() < header + size && read_some()) {
    }
    if (received_.size() < header + size) return {0, ""};
    std::string payload = received_.substr(header, size);
    received_.erase(0, header + size);
    return {first, payload};
  }

 private:
  bool read_some() {
    pollfd p{fd_, POLLIN, 0};
    const int limit = static_cast<int>(std::chrono::milliseconds(kPatience).count());
    if (ended_ || ::poll(&p, 1, limit) <= 0) return false;
    char chunk[16384];
    const ssize_t n = ::recv(fd_, chunk, sizeof(chunk), 0);
    if (n <= 0) {
      ended_ = true;
      return false;
    }
    received_.append(chunk, static_cast<std::size_t>(n));
    return true;
  }
  int fd_;
  bool connected_ = false, ended_ = false;
  std::string received_;
};

/// A client's frame, masked with a fixed key.
inline std::string client_frame(int first, std::string_view payload) {
  std::string out(1, static_cast<char>(first));
  if (payload.size() <= 125) {
    out.push_back(static_cast<char>(0x80 | payload.size()));
  } else if (payload.size() <= 0xFFFF) {
    out.push_back(static_cast<char>(0x80 | 126));
    out.push_back(static_cast<char>(payload.size() >> 8));
    out.push_back(static_cast<char>(payload.size() & 0xFF));
  } else {
    out.push_back(static_cast<char>(0x80 | 127));
    for (int shift = 56; shift >= 0; shift -= 8) out.push_back(static_cast<char>(payload.size() >> shift & 0xFF));
  }
  const char key[4] = {0x12, 0x34, 0x56, 0x78};
  out.append(key, 4);
  for (std::size_t i = 0; i < payload.size(); ++i) out.push_back(static_cast<char>(payload[i] ^ key[i % 4]));
  return out;
}

inline int close_code(const std::string& payload) {
  if (payload.size() < 2) return 1005;
  return static_cast<unsigned char>(payload[0]) << 8 | static_cast<unsigned char>(payload[1]);
}

/// A session made of functions; the end of every run is kept for the test.
struct Script {
  std::function<void(WebSocket&)> on_open;
  std::function<void(WebSocket&, bool text, std::string_view)> on_message;
  std::promise<CloseInfo> ended;
};

class ScriptSession final : public WebSocketSession, public MessageHandler {
 public:
  explicit ScriptSession(std::shared_ptr<Script> script) : script_(std::move(script)) {}
  Awaitable<void> run(WebSocket& socket) override {
    socket_ = &socket;
    if (script_->on_open) script_->on_open(socket);
    CloseInfo info = co_await socket.run(*this);
    script_->ended.set_value(info);
  }
  void on_message(bool is_text, std::span<const std::uint8_t> payload) override {
    const std::string_view view(reinterpret_cast<const char*>(payload.data()), payload.size());
    if (script_->on_message) script_->on_message(*socket_, is_text, view);
  }

 private:
  std::shared_ptr<Script> script_;
  WebSocket* socket_ = nullptr;
};

class NetTest : public ::testing::Test, public HttpHandler {
 protected:
  void SetUp() override { start(1); }
  void TearDown() override {
    server_.reset();
    EXPECT_TRUE(loops_->at(0).running());
    loops_->stop();
    EXPECT_TRUE(loops_->join()) << "a loop did not end by itself: something was left behind";
    EXPECT_EQ(registry_.gauge("voxgate_sockets_open", "", {{"listener", "test"}}).value(), 0);
    EXPECT_EQ(registry_.gauge("voxgate_websockets_open", "", {{"listener", "test"}}).value(), 0);
    EXPECT_EQ(loops_->at(0).tickables(), 0u);
    EXPECT_EQ(loops_->at(0).load(), 0u);
  }
  void start(std::size_t loops) {
    loops_ = std::make_unique<LoopGroup>(loops, registry_);
    loops_->start();
  }
  void serve(HttpServerOptions options = {}) {
    options.name = "test";
    options.address = "127.0.0.1";
    server_ = std::make_unique<HttpServer>(*loops_, *this, options, registry_);
    server_->listen();
  }
  std::uint16_t port() const { return server_->port(); }
  std::string url(std::string_view scheme, std::string_view target = "/") const {
    return std::string(scheme) + "://127.0.0.1:" + std::to_string(port()) + std::string(target);
  }
  Loop& loop() { return loops_->at(0); }
  /// The end of the script's WebSocket.
  CloseInfo ended() {
    auto future = script_->ended.get_future();
    if (future.wait_for(kPatience) != std::future_status::ready) {
      ADD_FAILURE() << "the WebSocket did not end";
      return {};
    }
    return future.get();
  }

  Awaitable<HttpResponse> handle(Loop&, const HttpRequest& request) override {
    HttpResponse response = on_request_ ? on_request_(request) : HttpResponse(200, request.method + " " + request.path);
    co_return response;
  }
  Awaitable<UpgradeDecision> upgrade(Loop&, const HttpRequest& request) override {
    UpgradeDecision decision;
    if (on_upgrade_) {
      decision = on_upgrade_(request);
    } else {
      decision.session = std::make_unique<ScriptSession>(script_);
    }
    decision.options = ws_options_;
    co_return decision;
  }

  metrics::Registry registry_{2};
  std::unique_ptr<LoopGroup> loops_;
  std::unique_ptr<HttpServer> server_;
  std::shared_ptr<Script> script_ = std::make_shared<Script>();
  WebSocketOptions ws_options_;
  std::function<HttpResponse(const HttpRequest&)> on_request_;
  std::function<UpgradeDecision(const HttpRequest&)> on_upgrade_;
};

}  // namespace voxgate::net::test
