#include "voxgate/net/http.hpp"

#include <algorithm>
#include <charconv>

#include "voxgate/base/text.hpp"

namespace voxgate::net {

void Headers::set(std::string name, std::string value) {
  std::erase_if(fields_, [&](const Field& f) { return text::iequals(f.first, name); });
  add(std::move(name), std::move(value));
}

std::string_view Headers::get(std::string_view name) const {
  for (const Field& field : fields_) {
    if (text::iequals(field.first, name)) return field.second;
  }
  return {};
}

bool Headers::has(std::string_view name) const {
  return std::any_of(fields_.begin(), fields_.end(), [&](const Field& f) { return text::iequals(f.first, name); });
}

bool Headers::has_token(std::string_view name, std::string_view token) const {
  for (const Field& field : fields_) {
    if (!text::iequals(field.first, name)) continue;
    for (std::string_view piece : text::split(field.second, ',')) {
      if (text::iequals(text::trim(piece), token)) return true;
    }
  }
  return false;
}

std::optional<std::string> HttpRequest::query_parameter(std::string_view name) const {
  for (std::string_view pair : text::split(query, '&')) {
    const std::size_t equals = pair.find('=');
    const auto key = text::percent_decode(pair.substr(0, equals), true);
    if (!key || *key != name) continue;
    return text::percent_decode(equals == std::string_view::npos ? std::string_view{} : pair.substr(equals + 1), true);
  }
  return std::nullopt;
}

std::vector<std::string> HttpRequest::offered_subprotocols() const {
  std::vector<std::string> offered;
  for (const auto& [name, value] : headers) {
    if (!text::iequals(name, "Sec-WebSocket-Protocol")) continue;
    for (std::string_view piece : text::split(value, ',')) {
      const std::string_view one = text::trim(piece);
      if (!one.empty()) offered.emplace_back(one);
    }
  }
  return offered;
}

std::string_view http_reason(int status) {
  switch (status) {
    case 100:
      return "Continue";
    case 101:
      return "Switching Protocols";
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 301:
      return "Moved Permanently";
    case 302:
      return "Found";
    case 304:
      return "Not Modified";
    case 307:
      return "Temporary Redirect";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 411:
      return "Length Required";
    case 413:
      return "Content Too Large";
    case 415:
      return "Unsupported Media Type";
    case 422:
      return "Unprocessable Content";
    case 426:
      return "Upgrade Required";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    default:
      return "Status";
  }
}

std::string Url::host_header() const {
  const bool v6 = host.find(':') != std::string::npos;
  std::string text = v6 ? "[" + host + "]" : host;
  if (port != (secure() ? 443 : 80)) text += ":" + std::to_string(port);
  return text;
}

std::optional<Url> parse_url(std::string_view url) {
  for (const char c : url) {
    if (static_cast<unsigned char>(c) <= ' ' || c == '\x7f') return std::nullopt;
  }
  Url out;
  const std::size_t colon = url.find("://");
  if (colon == std::string_view::npos) return std::nullopt;
  out.scheme = text::to_lower(url.substr(0, colon));
  if (out.scheme != "http" && out.scheme != "https" && out.scheme != "ws" && out.scheme != "wss") return std::nullopt;
  url.remove_prefix(colon + 3);
  const std::size_t end = std::min(url.find_first_of("/?#"), url.size());
  std::string_view authority = url.substr(0, end);
  out.target = std::string(url.substr(end, url.find('#') - end));
  if (out.target.empty() || out.target.front() != '/') out.target.insert(0, "/");
  if (authority.find('@') != std::string_view::npos) return std::nullopt;

  std::string_view port;
  bool has_port = false;
  if (authority.starts_with('[')) {
    const std::size_t close = authority.find(']');
    if (close == std::string_view::npos) return std::nullopt;
    out.host = std::string(authority.substr(1, close - 1));
    const std::string_view rest = authority.substr(close + 1);
    if (!rest.empty() && rest.front() != ':') return std::nullopt;
    has_port = !rest.empty();
    if (has_port) port = rest.substr(1);
  } else {
    const std::size_t at = authority.find(':');
    out.host = std::string(authority.substr(0, at));
    has_port = at != std::string_view::npos;
    if (has_port) port = authority.substr(at + 1);
  }
  if (out.host.empty()) return std::nullopt;
  out.port = out.secure() ? 443 : 80;
  if (has_port) {
    unsigned value = 0;
    const auto [last, ec] = std::from_chars(port.data(), port.data() + port.size(), value);
    if (ec != std::errc{} || last != port.data() + port.size() || value == 0 || value > 65535) return std::nullopt;
    out.port = static_cast<std::uint16_t>(value);
  }
  return out;
}

}  // namespace voxgate::net
