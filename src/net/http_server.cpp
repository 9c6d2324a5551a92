#include "voxgate/net/http_server.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/ip/address.hpp>
#include <cerrno>
#include <condition_variable>
#include <future>
#include <mutex>

#include "net/http_connection.hpp"
#include "voxgate/base/log.hpp"
#include "voxgate/net/task_scope.hpp"

namespace voxgate::net {
namespace {

constexpr int kAcceptsPerWake = 64;  // then the other sockets of the loop have their turn
constexpr Duration kFirstBackOff = 10ms;
constexpr Duration kLongestBackOff = 100ms;

}  // namespace

WebSocketSession::~WebSocketSession() = default;

HttpHandler::~HttpHandler() = default;

Awaitable<UpgradeDecision> HttpHandler::upgrade(Loop&, const HttpRequest&) {
  co_return UpgradeDecision{};
}

/// Lives as long as its last connection or accept handler.
struct HttpServer::Impl : std::enable_shared_from_this<HttpServer::Impl> {
  using Acceptor = asio::basic_socket_acceptor<tcp, Executor>;

  Impl(LoopGroup& l, HttpHandler& h, HttpServerOptions o, metrics::Registry& registry)
      : loops(l),
        acceptor(l.at(0).executor()),
        back_off(l.at(0).executor()),
        shared(h, std::move(o), registry, l.size()),
        accept_errors(registry.counter("voxgate_accept_errors_total", "Accepts that failed and were retried later",
                                       {{"listener", shared.options.name}})),
        refused(registry.counter("voxgate_connections_refused_total", "Connections closed at accept: too many are open",
                                 {{"listener", shared.options.name}})) {}

  void wait_accept();
  void accept_some();
  void accept_failed(int error);
  void take(int descriptor, const tcp::endpoint& peer);

  LoopGroup& loops;
  Acceptor acceptor;  // loop 0 only, once it listens
  Timer back_off;     // likewise
  Duration next_back_off = kFirstBackOff;
  std::uint16_t port = 0;
  HttpShared shared;
  metrics::Counter& accept_errors;
  metrics::Counter& refused;

  std::mutex mutex;
  std::condition_variable all_closed;  // with `mutex`: shared.connections became 0
};

void HttpServer::Impl::wait_accept() {
  acceptor.async_wait(Acceptor::wait_read, [self = shared_from_this()](ErrorCode ec) {
    if (!ec && self->acceptor.is_open()) self->accept_some();
  });
}

void HttpServer::Impl::accept_some() {
  for (int i = 0; i < kAcceptsPerWake; ++i) {
    tcp::endpoint peer;
    socklen_t size = static_cast<socklen_t>(peer.capacity());
    const int descriptor = ::accept4(acceptor.native_handle(), peer.data(), &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (descriptor < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN || errno == EWOULDBLOCK) break;
      return accept_failed(errno);
    }
    peer.resize(size);
    next_back_off = kFirstBackOff;
    take(descriptor, peer);
  }
  wait_accept();
}

/// Out of descriptors or memory: the connection stays in the backlog, so trying again at once would spin.
void HttpServer::Impl::accept_failed(int error) {
  accept_errors.add();
  log::warn("listener.accept_failed", {{"listener", shared.options.name},
                                       {"error", ErrorCode(error, boost::system::system_category()).message()},
                                       {"retry_ms", to_ms(next_back_off)}});
  back_off.expires_after(next_back_off);
  next_back_off = std::min(next_back_off * 2, kLongestBackOff);
  back_off.async_wait([self = shared_from_this()](ErrorCode ec) {
    if (!ec && self->acceptor.is_open()) self->accept_some();
  });
}

void HttpServer::Impl::take(int descriptor, const tcp::endpoint& peer) {
  if (shared.connections.load(std::memory_order_relaxed) >= shared.options.max_connections) {
    refused.add();
    ::close(descriptor);
    return;
  }
  Loop& loop = loops.least_loaded();
  shared.connection_opened();
  auto finished = [self = shared_from_this()](std::exception_ptr error) {
    if (error) detail::log_lost_exception("connection", error);
    if (self->shared.connection_closed()) {
      std::lock_guard lock(self->mutex);
      self->all_closed.notify_all();
    }
  };
  // The load is taken now, so that a burst of accepts is spread.
  auto start = [self = shared_from_this(), &loop, peer, descriptor, load = loop.take_load(),
                finished = std::move(finished)]() mutable {
    auto connection = serve_connection(loop, self->shared, descriptor, peer, std::move(load));
    asio::co_spawn(loop.executor(), std::move(connection), std::move(finished));
  };
  loop.post(std::move(start));
}

HttpServer::HttpServer(LoopGroup& loops, HttpHandler& handler, HttpServerOptions options, metrics::Registry& registry)
    : impl_(std::make_shared<Impl>(loops, handler, std::move(options), registry)) {}

HttpServer::~HttpServer() {
  if (!impl_->loops.at(0).running()) {  // never started, or over: nothing of ours can run any more
    ErrorCode ignored;
    impl_->acceptor.close(ignored);
    return;
  }
  stop_accepting();
  close_all();
  if (!wait_closed(30s)) {
    log::error("listener.stuck", {{"listener", impl_->shared.options.name}, {"connections", connections()}});
    wait_closed(Duration::max());
  }
  // What is still queued on loop 0 for the acceptor runs before this returns.
  std::promise<void> done;
  impl_->loops.at(0).post([&done] { done.set_value(); });
  done.get_future().wait();
}

void HttpServer::listen() {
  const HttpServerOptions& options = impl_->shared.options;
  try {
    const tcp::endpoint endpoint(asio::ip::make_address(options.address), options.port);
    Impl::Acceptor& acceptor = impl_->acceptor;
    acceptor.open(endpoint.protocol());
    acceptor.set_option(asio::socket_base::reuse_address(true));
    acceptor.bind(endpoint);
    acceptor.non_blocking(true);
    acceptor.listen(options.backlog);
    impl_->port = acceptor.local_endpoint().port();
  } catch (const boost::system::system_error& e) {
    throw boost::system::system_error(e.code(),
                                      "cannot listen on " + options.address + ":" + std::to_string(options.port));
  }
  impl_->loops.at(0).post([impl = impl_] { impl->wait_accept(); });
}

std::uint16_t HttpServer::port() const {
  return impl_->port;
}

void HttpServer::stop_accepting() {
  impl_->shared.draining.store(true, std::memory_order_relaxed);
  impl_->loops.at(0).post([impl = impl_] {
    ErrorCode ignored;
    impl->acceptor.close(ignored);
    impl->back_off.cancel();
  });
}

void HttpServer::close_all() {
  impl_->loops.post_all([impl = impl_](Loop& loop) { impl->shared.close_on(loop, true); });
}

void HttpServer::close_idle() {
  impl_->loops.post_all([impl = impl_](Loop& loop) { impl->shared.close_on(loop, false); });
}

bool HttpServer::wait_closed(Duration limit) {
  std::unique_lock lock(impl_->mutex);
  const auto none = [this] { return connections() == 0; };
  if (limit == Duration::max()) {
    impl_->all_closed.wait(lock, none);
    return true;
  }
  return impl_->all_closed.wait_for(lock, limit, none);
}

std::size_t HttpServer::connections() const {
  return impl_->shared.connections.load(std::memory_order_acquire);
}

std::size_t HttpServer::websockets() const {
  return impl_->shared.websockets.load(std::memory_order_relaxed);
}

}  // namespace voxgate::net
