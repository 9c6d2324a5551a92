#pragma once
// One-shot HTTP client, for tools, tests and rare requests.

#include <string>

#include "voxgate/net/http.hpp"
#include "voxgate/net/loop.hpp"

namespace voxgate::net {

/// One request on a connection of its own (http:// only). `timeout` covers everything; the response is at most 8 MiB.
/// Errors: Errc::bad_input (URL or response), Errc::timed_out, Errc::unsupported (https), or the system's.
Awaitable<Result<HttpResponse>> http_request(Loop& loop, std::string method, std::string url, Headers headers,
                                             std::string body, Duration timeout = 10s);

}  // namespace voxgate::net
