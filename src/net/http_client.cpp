#include "voxgate/net/http_client.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/basic_resolver.hpp>
#include <boost/asio/write.hpp>
#include <vector>

#include "net/connect.hpp"

namespace voxgate::net {
namespace {

constexpr std::size_t kResponseLimit = 8 * 1024 * 1024;
constexpr std::size_t kReadBytes = 16 * 1024;

Awaitable<Result<std::vector<tcp::endpoint>>> resolve(Loop& loop, std::string host, std::uint16_t port) {
  std::vector<tcp::endpoint> endpoints;
  ErrorCode not_an_address;
  const auto address = asio::ip::make_address(host, not_an_address);
  if (!not_an_address) {
    endpoints.emplace_back(address, port);
    co_return endpoints;
  }
  asio::ip::basic_resolver<tcp, Executor> resolver(loop.executor());
  const std::string service = std::to_string(port);
  auto [ec, found] = co_await resolver.async_resolve(host, service, tcp::resolver::numeric_service, kTuple);
  if (ec) co_return ec;
  for (const auto& entry : found) endpoints.push_back(entry.endpoint());
  co_return endpoints;
}

Awaitable<Result<HttpResponse>> request_once(Loop& loop, Url url, std::string bytes, bool head) {
  auto connected = co_await connect_tcp(loop, url.host, url.port);
  if (!connected) co_return connected.error();
  Socket socket = std::move(*connected);
  std::string rest;
  auto response = co_await exchange(socket, std::move(bytes), head, rest);
  co_return response;
}

}  // namespace

Awaitable<Result<Socket>> connect_tcp(Loop& loop, std::string host, std::uint16_t port) {
  auto endpoints = co_await resolve(loop, std::move(host), port);
  if (!endpoints) co_return endpoints.error();
  ErrorCode last = make_error_code(Errc::not_found);
  for (const tcp::endpoint& endpoint : *endpoints) {
    Socket socket(loop.executor());
    auto [ec] = co_await socket.async_connect(endpoint, kTuple);
    if (!ec) {
      ErrorCode ignored;
      socket.set_option(tcp::no_delay(true), ignored);
      co_return std::move(socket);
    }
    last = ec;
    if (ec == asio::error::operation_aborted) break;
  }
  co_return last;
}

Awaitable<Result<HttpResponse>> exchange(Socket& socket, std::string bytes, bool head, std::string& rest) {
  auto [write_error, written] = co_await asio::async_write(socket, asio::buffer(bytes), kTuple);
  // A server that refuses early may have closed its side; its answer can still be read.
  if (write_error && write_error != asio::error::broken_pipe && write_error != asio::error::connection_reset) {
    co_return write_error;
  }
  ResponseReader reader(kResponseLimit, head);
  std::vector<char> chunk(kReadBytes);
  Parse state = Parse::need_more;
  while (state == Parse::need_more) {
    auto [ec, n] = co_await socket.async_read_some(asio::buffer(chunk), kTuple);
    if (ec == asio::error::eof) {
      state = reader.end();
    } else if (ec) {
      co_return ec;
    } else {
      rest.append(chunk.data(), n);
      state = reader.feed(rest);
    }
  }
  if (state != Parse::done) co_return make_error_code(Errc::bad_input);
  co_return reader.take();
}

Awaitable<Result<HttpResponse>> http_request(Loop& loop, std::string method, std::string url, Headers headers,
                                             std::string body, Duration timeout) {
  auto parsed = parse_url(url);
  if (!parsed) co_return make_error_code(Errc::bad_input);
  if (parsed->scheme != "http") co_return make_error_code(Errc::unsupported);
  std::string bytes = format_request(method, parsed->target, parsed->host_header(), headers, body, true);
  auto operation = request_once(loop, std::move(*parsed), std::move(bytes), method == "HEAD");
  auto response = co_await with_timeout(std::move(operation), timeout);
  co_return response;
}

}  // namespace voxgate::net
