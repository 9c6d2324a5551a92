#pragma once
// HTTP/1.1 messages to and from bytes, without I/O. Strict where leniency is what request smuggling lives on.

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "voxgate/net/http.hpp"

namespace voxgate::net {

enum class Parse { need_more, header_done, done, failed };

/// Reads one request. Refused with 400: line folding, bare CR or LF, NUL, no or several Host fields, Content-Length
/// together with Transfer-Encoding, several Content-Lengths, any coding but a single "chunked".
class RequestReader {
 public:
  RequestReader(std::size_t header_limit, std::size_t body_limit);
  ~RequestReader();

  /// Consumes from the front of `buffer`. header_done is reported once; call again for the body.
  Parse feed(std::string& buffer);
  /// After failed: 400, 413, 431 or 505.
  int failure() const { return failure_; }

  HttpRequest& request() { return request_; }
  bool keep_alive() const { return keep_alive_; }
  bool expects_continue() const { return expects_continue_; }
  bool has_body() const { return has_body_; }
  bool is_http11() const { return http11_; }

 private:
  struct Parser;
  Parse fail(int status) {
    failure_ = status;
    return Parse::failed;
  }
  Parse feed_header(std::string& buffer);
  Parse feed_body(std::string& buffer);
  int check_fields();
  void copy_head();

  std::unique_ptr<Parser> parser_;
  std::size_t header_limit_, body_limit_;
  std::size_t scanned_ = 0;  // bytes of the header known to be free of bare CR and LF
  bool header_done_ = false, keep_alive_ = false, expects_continue_ = false, has_body_ = false, http11_ = false;
  int failure_ = 0;
  HttpRequest request_;
};

/// Reads one response; interim 1xx answers other than 101 are skipped.
class ResponseReader {
 public:
  /// `head`: the request was a HEAD, so no body follows.
  ResponseReader(std::size_t body_limit, bool head);
  ~ResponseReader();

  /// Consumes from the front of `buffer`. A 101 is done at its header.
  Parse feed(std::string& buffer);
  /// The connection ended; some bodies end that way.
  Parse end();
  HttpResponse take();
  int status() const;

 private:
  struct Parser;
  void restart();
  Parse finish();
  std::unique_ptr<Parser> parser_;
  std::size_t body_limit_;
  bool head_;
};

/// The whole response. `head`: leave the body out.
std::string format_response(const HttpResponse& response, bool keep_alive, bool head);
/// Content-Type and Content-Length are written where they apply; header values with CR or LF are left out.
std::string format_request(std::string_view method, std::string_view target, std::string_view host,
                           const Headers& headers, std::string_view body, bool close);

/// Sec-WebSocket-Accept for a key (RFC 6455 section 4.2.2).
std::string websocket_accept(std::string_view key);
/// Base64 of exactly 16 bytes.
bool valid_websocket_key(std::string_view key);

}  // namespace voxgate::net
