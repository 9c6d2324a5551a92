#include "net/http_codec.hpp"

#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <ctime>

#include "voxgate/base/base64.hpp"
#include "voxgate/base/text.hpp"

namespace voxgate::net {
namespace {

namespace http = boost::beast::http;
using boost::system::error_code;

constexpr std::uint32_t kResponseHeaderLimit = 64 * 1024;

std::string_view view(boost::beast::string_view s) {
  return {s.data(), s.size()};
}

bool carries_line_break(std::string_view s) {
  return s.find_first_of(std::string_view("\r\n\0", 3)) != std::string_view::npos;
}

void append_field(std::string& out, std::string_view name, std::string_view value) {
  if (carries_line_break(name) || carries_line_break(value)) return;
  out.append(name).append(": ").append(value).append("\r\n");
}

std::string http_date() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  ::gmtime_r(&now, &parts);
  std::array<char, 40> text;
  const std::size_t n = std::strftime(text.data(), text.size(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
  return {text.data(), n};
}

}  // namespace

// ---- requests ----

struct RequestReader::Parser {
  http::request_parser<http::string_body> beast;
};

RequestReader::RequestReader(std::size_t header_limit, std::size_t body_limit)
    : header_limit_(header_limit), body_limit_(body_limit) {}

RequestReader::~RequestReader() = default;

Parse RequestReader::feed(std::string& buffer) {
  return header_done_ ? feed_body(buffer) : feed_header(buffer);
}

Parse RequestReader::feed_header(std::string& buffer) {
  // Line endings are checked here as they arrive, so that a header that can never be right does not wait for its end.
  std::size_t end = std::string::npos;
  for (std::size_t i = scanned_; i < buffer.size(); ++i) {
    const char c = buffer[i];
    if (c == '\0') return fail(400);
    if (c == '\n' && (i == 0 || buffer[i - 1] != '\r')) return fail(400);
    if (c != '\n' && i > 0 && buffer[i - 1] == '\r') return fail(400);
    if ((c == ' ' || c == '\t') && i > 0 && buffer[i - 1] == '\n') return fail(400);  // folded line
    if (c == '\n' && i >= 3 && buffer[i - 2] == '\n') {
      end = i + 1;
      break;
    }
    if (i + 1 >= header_limit_) return fail(431);
  }
  scanned_ = buffer.size();
  if (end == std::string::npos) return Parse::need_more;
  if (buffer.starts_with("\r\n")) return fail(400);

  parser_ = std::make_unique<Parser>();
  auto& beast = parser_->beast;
  beast.header_limit(static_cast<std::uint32_t>(header_limit_));
  beast.body_limit(body_limit_);
  error_code ec;
  const std::size_t used = beast.put(boost::asio::const_buffer(buffer.data(), end), ec);
  if (ec == http::error::body_limit) return fail(413);
  if (ec == http::error::bad_version) return fail(505);
  if (ec == http::error::need_more) ec = {};
  if (ec || used != end || !beast.is_header_done()) return fail(400);
  buffer.erase(0, end);
  header_done_ = true;
  if (const int status = check_fields(); status != 0) return fail(status);
  copy_head();
  return Parse::header_done;
}

int RequestReader::check_fields() {
  const auto& fields = parser_->beast.get().base();
  http11_ = fields.version() == 11;
  if (fields.count(http::field::host) > 1 || (http11_ && fields.count(http::field::host) == 0)) return 400;
  const std::size_t lengths = fields.count(http::field::content_length);
  const std::size_t codings = fields.count(http::field::transfer_encoding);
  if (lengths > 1 || codings > 1 || (lengths > 0 && codings > 0)) return 400;
  if (codings == 1 &&
      (!http11_ || !text::iequals(text::trim(view(fields[http::field::transfer_encoding])), "chunked"))) {
    return 400;
  }
  const std::string_view digits = view(fields[http::field::content_length]);  // Beast also takes a list: "4, 4"
  if (lengths == 1 && digits.find_first_not_of("0123456789") != std::string_view::npos) return 400;
  const auto length = parser_->beast.content_length();
  if (length && *length > body_limit_) return 413;
  has_body_ = codings == 1 || (length && *length > 0);
  return 0;
}

void RequestReader::copy_head() {
  const auto& message = parser_->beast.get();
  request_.method = std::string(view(message.method_string()));
  request_.target = std::string(view(message.target()));
  const std::size_t question = request_.target.find('?');
  request_.path = request_.target.substr(0, question);
  if (question != std::string::npos) request_.query = request_.target.substr(question + 1);
  for (const auto& field : message.base()) {
    request_.headers.add(std::string(view(field.name_string())), std::string(view(field.value())));
  }
  keep_alive_ = message.keep_alive();
  expects_continue_ = has_body_ && http11_ && request_.headers.has_token("Expect", "100-continue");
  request_.is_upgrade =
      request_.headers.has_token("Connection", "upgrade") && request_.headers.has_token("Upgrade", "websocket");
}

Parse RequestReader::feed_body(std::string& buffer) {
  auto& beast = parser_->beast;
  beast.eager(true);
  error_code ec;
  if (has_body_ && !beast.is_done()) {
    const std::size_t used = beast.put(boost::asio::const_buffer(buffer.data(), buffer.size()), ec);
    buffer.erase(0, used);
  }
  if (ec == http::error::need_more) return Parse::need_more;
  if (ec == http::error::body_limit) return fail(413);
  if (ec) return fail(400);
  if (has_body_ && !beast.is_done()) return Parse::need_more;
  request_.body = std::move(beast.get().body());
  parser_.reset();
  return Parse::done;
}

// ---- responses ----

struct ResponseReader::Parser {
  http::response_parser<http::string_body> beast;
};

ResponseReader::ResponseReader(std::size_t body_limit, bool head) : body_limit_(body_limit), head_(head) {
  restart();
}

ResponseReader::~ResponseReader() = default;

void ResponseReader::restart() {
  parser_ = std::make_unique<Parser>();
  parser_->beast.header_limit(kResponseHeaderLimit);
  parser_->beast.body_limit(body_limit_);
  parser_->beast.skip(head_);
}

Parse ResponseReader::feed(std::string& buffer) {
  while (!buffer.empty()) {
    auto& beast = parser_->beast;
    beast.eager(beast.is_header_done());
    error_code ec;
    const std::size_t used = beast.put(boost::asio::const_buffer(buffer.data(), buffer.size()), ec);
    buffer.erase(0, used);
    if (ec == http::error::need_more) return Parse::need_more;
    if (ec) return Parse::failed;
    if (!beast.is_header_done()) continue;
    if (status() == 101) return Parse::done;
    if (status() / 100 == 1) {
      restart();
      continue;
    }
    if (beast.is_done()) return Parse::done;
  }
  return parser_->beast.is_done() ? Parse::done : Parse::need_more;
}

Parse ResponseReader::end() {
  error_code ec;
  if (!parser_->beast.got_some()) return Parse::failed;
  parser_->beast.put_eof(ec);
  return ec || !parser_->beast.is_done() ? Parse::failed : Parse::done;
}

int ResponseReader::status() const {
  return static_cast<int>(parser_->beast.get().result_int());
}

HttpResponse ResponseReader::take() {
  auto& message = parser_->beast.get();
  HttpResponse out(status(), std::move(message.body()), std::string(view(message[http::field::content_type])));
  for (const auto& field : message.base()) {
    out.headers.add(std::string(view(field.name_string())), std::string(view(field.value())));
  }
  return out;
}

// ---- writing ----

std::string format_response(const HttpResponse& response, bool keep_alive, bool head) {
  std::string out;
  out.reserve(256 + response.body.size());
  out.append("HTTP/1.1 ").append(std::to_string(response.status)).append(" ");
  out.append(http_reason(response.status)).append("\r\n");
  append_field(out, "Date", http_date());
  for (const auto& [name, value] : response.headers) append_field(out, name, value);
  const bool bodyless = response.status == 204 || response.status == 304;
  if (!bodyless) {
    if (!response.content_type.empty() && !response.headers.has("Content-Type")) {
      append_field(out, "Content-Type", response.content_type);
    }
    append_field(out, "Content-Length", std::to_string(response.body.size()));
  }
  append_field(out, "Connection", keep_alive ? "keep-alive" : "close");
  out.append("\r\n");
  if (!bodyless && !head) out.append(response.body);
  return out;
}

std::string format_request(std::string_view method, std::string_view target, std::string_view host,
                           const Headers& headers, std::string_view body, bool close) {
  std::string out;
  out.reserve(256 + body.size());
  out.append(method).append(" ").append(target).append(" HTTP/1.1\r\n");
  if (!headers.has("Host")) append_field(out, "Host", host);
  for (const auto& [name, value] : headers) append_field(out, name, value);
  if (!body.empty() || method == "POST" || method == "PUT") {
    append_field(out, "Content-Length", std::to_string(body.size()));
  }
  if (close) append_field(out, "Connection", "close");
  out.append("\r\n").append(body);
  return out;
}

std::string websocket_accept(std::string_view key) {
  const std::string text = std::string(key) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  std::array<unsigned char, SHA_DIGEST_LENGTH> digest;
  ::SHA1(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
  std::string out(base64::encoded_size(digest.size()), '\0');
  base64::encode(digest, out.data());
  return out;
}

bool valid_websocket_key(std::string_view key) {
  if (key.size() != 24 || !key.ends_with("==")) return false;
  std::array<std::uint8_t, base64::max_decoded_size(24)> bytes;
  const auto n = base64::decode(key, bytes.data());
  return n && *n == 16;
}

}  // namespace voxgate::net
