// Echo peer the way Beast's own examples are written: coroutines, tcp_stream, a flat buffer, suggested timeouts; one
// thread. With --plain: the concrete executor, no tcp_stream, no timeouts, which is about the least Beast can cost.

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/websocket.hpp>

#include "echo_work.hpp"

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace websocket = beast::websocket;
using tcp = asio::ip::tcp;
using namespace voxgate;

namespace {

template <class Stream>
void prepare(websocket::stream<Stream>& ws) {
  beast::get_lowest_layer(ws).socket().set_option(tcp::no_delay(true));
  ws.set_option(websocket::stream_base::timeout::suggested(beast::role_type::server));
}

template <class Executor>
void prepare(websocket::stream<asio::basic_stream_socket<tcp, Executor>, false>& ws) {
  beast::get_lowest_layer(ws).set_option(tcp::no_delay(true));
}

template <class Executor, class Stream>
asio::awaitable<void, Executor> serve(Stream ws) {
  constexpr auto token = asio::as_tuple(asio::use_awaitable_t<Executor>{});
  prepare(ws);
  auto [handshake] = co_await ws.async_accept(token);
  if (handshake) co_return;
  ws.text(true);
  bench::EchoCall call;
  beast::flat_buffer buffer;
  std::string reply;
  while (true) {
    auto [read, n] = co_await ws.async_read(buffer, token);
    if (read) co_return;
    const auto data = buffer.cdata();
    reply.clear();
    const bool answered = call.on_message({static_cast<const char*>(data.data()), data.size()}, reply);
    buffer.consume(buffer.size());
    if (!answered) continue;
    auto [write, sent] = co_await ws.async_write(asio::buffer(reply), token);
    if (write) co_return;
  }
}

asio::awaitable<void> accept_idiomatic(tcp::acceptor& acceptor) {
  while (true) {
    tcp::socket socket = co_await acceptor.async_accept(asio::use_awaitable);
    websocket::stream<beast::tcp_stream> ws(std::move(socket));
    asio::co_spawn(acceptor.get_executor(),
                   serve<asio::any_io_executor, websocket::stream<beast::tcp_stream>>(std::move(ws)), asio::detached);
  }
}

asio::awaitable<void> accept_plain(asio::io_context& context, tcp::acceptor& acceptor) {
  using Executor = asio::io_context::executor_type;
  using Socket = asio::basic_stream_socket<tcp, Executor>;
  using Stream = websocket::stream<Socket, false>;
  while (true) {
    Socket socket(context.get_executor());
    co_await acceptor.async_accept(socket, asio::use_awaitable);
    Stream ws(std::move(socket));
    asio::co_spawn(context.get_executor(), serve<Executor, Stream>(std::move(ws)), asio::detached);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const bool plain = argc > 1 && std::string_view(argv[1]) == "--plain";
  asio::io_context context(1);
  tcp::acceptor acceptor(context, {asio::ip::make_address("127.0.0.1"), 0});
  acceptor.listen(1024);
  asio::signal_set signals(context, SIGTERM, SIGINT);
  signals.async_wait([&](auto, int) { context.stop(); });
  bench::announce(acceptor.local_endpoint().port());
  if (plain) {
    asio::co_spawn(context, accept_plain(context, acceptor), asio::detached);
  } else {
    asio::co_spawn(context, accept_idiomatic(acceptor), asio::detached);
  }
  context.run();
}
