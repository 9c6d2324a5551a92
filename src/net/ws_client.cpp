#include "voxgate/net/ws_client.hpp"

#include <array>

#include "net/connect.hpp"
#include "net/loop_io.hpp"
#include "voxgate/base/base64.hpp"
#include "voxgate/base/text.hpp"

namespace voxgate::net {
namespace {

/// What the upgrade left behind.
struct Upgraded {
  explicit Upgraded(Socket s) : socket(std::move(s)) {}
  Socket socket;
  HttpResponse response;
  std::string rest;
};

Awaitable<Result<Upgraded>> upgrade(Loop& loop, Url url, std::string bytes) {
  auto connected = co_await connect_tcp(loop, url.host, url.port);
  if (!connected) co_return connected.error();
  Upgraded out(std::move(*connected));
  auto response = co_await exchange(out.socket, std::move(bytes), false, out.rest);
  if (!response) co_return response.error();
  out.response = std::move(*response);
  co_return std::move(out);
}

std::string random_key(Loop& loop) {
  std::array<std::uint32_t, 4> words;
  for (std::uint32_t& word : words) word = loop.io().mask_key();
  std::string key(base64::encoded_size(sizeof(words)), '\0');
  base64::encode({reinterpret_cast<const std::uint8_t*>(words.data()), sizeof(words)}, key.data());
  return key;
}

bool offered(const Headers& headers, std::string_view protocol) {
  for (const auto& [name, value] : headers) {
    if (!text::iequals(name, "Sec-WebSocket-Protocol")) continue;
    for (std::string_view piece : text::split(value, ',')) {
      if (text::trim(piece) == protocol) return true;
    }
  }
  return false;
}

/// What a 101 must say (RFC 6455 section 4.1); a server that does not is not spoken to.
bool acceptable(const HttpResponse& response, const std::string& key, const Headers& sent) {
  if (!response.headers.has_token("Upgrade", "websocket") || !response.headers.has_token("Connection", "upgrade")) {
    return false;
  }
  if (response.headers.get("Sec-WebSocket-Accept") != websocket_accept(key)) return false;
  if (response.headers.has("Sec-WebSocket-Extensions")) return false;
  const std::string_view protocol = response.headers.get("Sec-WebSocket-Protocol");
  return protocol.empty() || offered(sent, protocol);
}

}  // namespace

Awaitable<WsConnectResult> ws_connect(Loop& loop, std::string url, Headers headers, WebSocketOptions options,
                                      Duration timeout) {
  WsConnectResult result;
  result.response.status = 0;
  auto parsed = parse_url(url);
  if (!parsed || parsed->scheme != "ws") {
    result.error = make_error_code(parsed && parsed->scheme == "wss" ? Errc::unsupported : Errc::bad_input);
    co_return result;
  }
  const std::string key = random_key(loop);
  Headers sent = headers;
  sent.set("Connection", "Upgrade");
  sent.set("Upgrade", "websocket");
  sent.set("Sec-WebSocket-Version", "13");
  sent.set("Sec-WebSocket-Key", key);
  std::string bytes = format_request("GET", parsed->target, parsed->host_header(), sent, {}, false);
  auto operation = upgrade(loop, std::move(*parsed), std::move(bytes));
  auto upgraded = co_await with_timeout(std::move(operation), timeout);
  if (!upgraded) {
    result.error = upgraded.error();
    co_return result;
  }
  result.response = std::move(upgraded->response);
  if (result.response.status != 101) {
    result.error = make_error_code(Errc::unavailable);
    co_return result;
  }
  if (!acceptable(result.response, key, sent)) {
    result.error = make_error_code(Errc::bad_input);
    co_return result;
  }
  std::string protocol(result.response.headers.get("Sec-WebSocket-Protocol"));
  result.socket = std::make_unique<WebSocket>(loop, std::move(upgraded->socket), WebSocket::Role::client, options,
                                              std::move(upgraded->rest), std::move(protocol));
  co_return result;
}

}  // namespace voxgate::net
