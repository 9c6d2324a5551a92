#pragma once
// What the clients share: a connection whose every step counts against one deadline.

#include <string>

#include "net/http_codec.hpp"
#include "voxgate/net/task_scope.hpp"
#include "voxgate/net/types.hpp"

namespace voxgate::net {

/// Resolves (addresses need no look-up) and connects, trying each address in turn. TCP_NODELAY is set.
Awaitable<Result<Socket>> connect_tcp(Loop& loop, std::string host, std::uint16_t port);

/// Sends `bytes`, then reads until the response is complete; what came behind it stays in `rest`.
Awaitable<Result<HttpResponse>> exchange(Socket& socket, std::string bytes, bool head, std::string& rest);

}  // namespace voxgate::net
