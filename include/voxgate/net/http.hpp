#pragma once
// HTTP messages as the house sees them; the library that parses them stays inside the room.

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace voxgate::net {

/// Header fields in order of arrival; names compare without case.
class Headers {
 public:
  using Field = std::pair<std::string, std::string>;
  Headers() = default;
  /// In a coroutine name the list first: `Headers h{{"a", "b"}};` inside a co_await expression is miscompiled here.
  Headers(std::initializer_list<Field> fields) : fields_(fields) {}

  void add(std::string name, std::string value) { fields_.emplace_back(std::move(name), std::move(value)); }
  void set(std::string name, std::string value);
  /// The first value, or empty.
  std::string_view get(std::string_view name) const;
  bool has(std::string_view name) const;
  /// True if the comma-separated values of `name` contain `token` (without case).
  bool has_token(std::string_view name, std::string_view token) const;

  auto begin() const { return fields_.begin(); }
  auto end() const { return fields_.end(); }
  std::size_t size() const { return fields_.size(); }

 private:
  std::vector<Field> fields_;
};

struct HttpRequest {
  HttpRequest() = default;

  std::string method;
  std::string target;  // raw, as sent: what signatures cover
  std::string path;    // raw part before '?', not percent-decoded
  std::string query;   // raw part after '?'
  Headers headers;
  std::string body;
  std::string remote_address;  // textual, without port
  std::uint16_t remote_port = 0;
  bool is_upgrade = false;  // a WebSocket upgrade

  /// The percent-decoded value of a query parameter ('+' is a space); nullopt when absent or badly escaped.
  std::optional<std::string> query_parameter(std::string_view name) const;
  /// Subprotocols the client offers, in its order.
  std::vector<std::string> offered_subprotocols() const;
};

struct HttpResponse {
  HttpResponse() = default;
  explicit HttpResponse(int status_, std::string body_ = {}, std::string content_type_ = "text/plain; charset=utf-8")
      : status(status_), content_type(std::move(content_type_)), body(std::move(body_)) {}

  int status = 200;
  Headers headers;  // besides Content-Type, Content-Length, Connection and Date, which are written for you
  std::string content_type;
  std::string body;
};

/// "Not Found" for 404.
std::string_view http_reason(int status);

/// An absolute http, https, ws or wss URL, taken apart. IPv6 hosts lose their brackets.
struct Url {
  Url() = default;
  std::string scheme, host, target;  // target starts with '/'
  std::uint16_t port = 0;
  bool secure() const { return scheme == "https" || scheme == "wss"; }
  std::string host_header() const;
};
/// nullopt for other schemes, credentials in the URL, an empty host, a bad port, or a control character or space.
std::optional<Url> parse_url(std::string_view url);

}  // namespace voxgate::net
