#pragma once
// WebSocket client.

#include <memory>
#include <string>

#include "voxgate/net/http.hpp"
#include "voxgate/net/loop.hpp"
#include "voxgate/net/websocket.hpp"

namespace voxgate::net {

struct WsConnectResult {
  WsConnectResult() = default;
  std::unique_ptr<WebSocket> socket;  // set on success
  ErrorCode error;                    // why not; Errc::unavailable when the server answered without 101
  HttpResponse response;              // the server's answer, with its body when it refused; status 0: it gave none
  explicit operator bool() const { return socket != nullptr; }
};

/// Connects to a ws:// URL (wss:// is Errc::unsupported) within `timeout`, which covers name, connect and upgrade.
/// `headers` go into the request besides the ones the protocol needs. Runs on `loop`, which then owns the socket.
Awaitable<WsConnectResult> ws_connect(Loop& loop, std::string url, Headers headers, WebSocketOptions options,
                                      Duration timeout = 10s);

}  // namespace voxgate::net
