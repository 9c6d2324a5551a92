// Echo peer on the net room itself: what HttpServer and WebSocket cost.

#include <csignal>
#include <cstdlib>
#include <future>

#include "echo_work.hpp"
#include "voxgate/net/http_server.hpp"
#include "voxgate/net/signals.hpp"

using namespace voxgate;

namespace {

class EchoSession final : public net::WebSocketSession, public net::MessageHandler {
 public:
  net::Awaitable<void> run(net::WebSocket& socket) override {
    socket_ = &socket;
    co_await socket.run(*this);
  }
  void on_message(bool, std::span<const std::uint8_t> payload) override {
    std::string& reply = socket_->begin_message(true, net::Delivery::droppable);
    const std::string_view json(reinterpret_cast<const char*>(payload.data()), payload.size());
    if (call_.on_message(json, reply)) socket_->commit_message();
  }

 private:
  bench::EchoCall call_;
  net::WebSocket* socket_ = nullptr;
};

class EchoHandler final : public net::HttpHandler {
 public:
  net::Awaitable<net::HttpResponse> handle(net::Loop&, const net::HttpRequest&) override {
    co_return net::HttpResponse(404);
  }
  net::Awaitable<net::UpgradeDecision> upgrade(net::Loop&, const net::HttpRequest&) override {
    net::UpgradeDecision decision(std::make_unique<EchoSession>());
    co_return decision;
  }
};

}  // namespace

int main(int argc, char** argv) {
  metrics::Registry registry(1);
  net::LoopGroup loops(1, registry);
  loops.start();
  std::promise<void> stop;
  bool asked = false;
  net::Signals signals(loops.at(0), [&](int) {
    if (!std::exchange(asked, true)) stop.set_value();
  });
  EchoHandler handler;
  net::HttpServerOptions options;
  options.address = "127.0.0.1";
  options.port = static_cast<std::uint16_t>(argc > 1 ? std::atoi(argv[1]) : 0);
  net::HttpServer server(loops, handler, options, registry);
  server.listen();
  bench::announce(server.port());
  stop.get_future().wait();
}
