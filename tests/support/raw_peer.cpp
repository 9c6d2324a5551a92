#include "support/raw_peer.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <stdexcept>

#include "voxgate/base/text.hpp"

namespace voxgate::test {
namespace {

constexpr unsigned char kMask[4] = {0x37, 0xfa, 0x21, 0x3d};

int ms_left(Instant deadline) {
  return static_cast<int>(std::clamp<std::int64_t>(to_ms(deadline - Clock::now()) + 1, 0, 60000));
}

}  // namespace

std::string HttpAnswer::header(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (text::iequals(key, name)) return value;
  }
  return {};
}

int WsFrame::close_code() const {
  if (payload.size() < 2) return 1005;
  return static_cast<unsigned char>(payload[0]) * 256 + static_cast<unsigned char>(payload[1]);
}

RawPeer::RawPeer(std::uint16_t port) {
  fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (fd_ < 0 || ::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    throw std::runtime_error("cannot connect to port " + std::to_string(port));
  }
  const int on = 1;
  ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

RawPeer::~RawPeer() {
  shut();
}

RawPeer& RawPeer::operator=(RawPeer&& other) noexcept {
  if (this == &other) return *this;
  shut();
  fd_ = std::exchange(other.fd_, -1);
  ended_ = other.ended_;
  in_ = std::move(other.in_);
  return *this;
}

void RawPeer::shut() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

void RawPeer::reset() {
  const linger hard{1, 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
  shut();
}

void RawPeer::finish_writing() {
  ::shutdown(fd_, SHUT_WR);
}

bool RawPeer::send(std::string_view bytes) {
  const Instant deadline = Clock::now() + kPatience;
  while (!bytes.empty()) {
    const ssize_t n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n > 0) {
      bytes.remove_prefix(static_cast<std::size_t>(n));
      continue;
    }
    if (n < 0 && errno != EAGAIN && errno != EINTR) return false;
    pollfd wait{fd_, POLLOUT, 0};
    if (Clock::now() >= deadline) return false;
    ::poll(&wait, 1, ms_left(deadline));
  }
  return true;
}

bool RawPeer::send_frame(int opcode, std::string_view payload, bool fin) {
  std::string out;
  out.push_back(static_cast<char>((fin ? 0x80 : 0) | opcode));
  if (payload.size() < 126) {
    out.push_back(static_cast<char>(0x80 | payload.size()));
  } else if (payload.size() < 65536) {
    out.push_back(static_cast<char>(0x80 | 126));
    for (int shift : {8, 0}) out.push_back(static_cast<char>(payload.size() >> shift & 0xFF));
  } else {
    out.push_back(static_cast<char>(0x80 | 127));
    for (int shift = 56; shift >= 0; shift -= 8) out.push_back(static_cast<char>(payload.size() >> shift & 0xFF));
  }
  out.append(reinterpret_cast<const char*>(kMask), 4);
  const std::size_t head = out.size();
  out += payload;
  for (std::size_t i = head; i < out.size(); ++i) out[i] = static_cast<char>(out[i] ^ kMask[(i - head) % 4]);
  return send(out);
}

bool RawPeer::close_frame(int code) {
  const char payload[2] = {static_cast<char>(code >> 8), static_cast<char>(code & 0xFF)};
  return send_frame(8, {payload, 2});
}

void RawPeer::send_request(const std::string& method, const std::string& target, const HeaderList& headers,
                           const std::string& body) {
  std::string out = method + ' ' + target + " HTTP/1.1\r\nHost: voice.example.com\r\nConnection: close\r\n";
  for (const auto& [key, value] : headers) out += key + ": " + value + "\r\n";
  out += "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  send(out);
}

void RawPeer::send_upgrade(const std::string& target, const HeaderList& headers) {
  std::string out = "GET " + target +
                    " HTTP/1.1\r\nHost: voice.example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
  for (const auto& [key, value] : headers) out += key + ": " + value + "\r\n";
  send(out + "\r\n");
}

// Reads what is there, waiting for it until `deadline`; false when nothing came.
bool RawPeer::fill(Instant deadline) {
  if (ended_ || fd_ < 0) return false;
  pollfd wait{fd_, POLLIN, 0};
  if (::poll(&wait, 1, ms_left(deadline)) <= 0) return false;
  char buffer[65536];
  const ssize_t n = ::recv(fd_, buffer, sizeof buffer, MSG_DONTWAIT);
  if (n > 0) {
    in_.append(buffer, static_cast<std::size_t>(n));
    return true;
  }
  if (n == 0 || (errno != EAGAIN && errno != EINTR)) ended_ = true;
  return false;
}

HttpAnswer RawPeer::read_answer(Duration limit) {
  const Instant deadline = Clock::now() + limit;
  std::size_t end;
  while ((end = in_.find("\r\n\r\n")) == std::string::npos) {
    if (!fill(deadline) && (ended_ || Clock::now() >= deadline)) return {};
  }
  HttpAnswer answer;
  const std::string head = in_.substr(0, end);
  in_.erase(0, end + 4);
  bool first = true;
  for (std::string_view line : text::split(head, '\n')) {
    line = text::trim(line);
    const std::size_t colon = line.find(':');
    if (first) {
      answer.status = std::atoi(std::string(line.substr(std::min<std::size_t>(9, line.size()))).c_str());
    } else if (colon != std::string_view::npos) {
      answer.headers.emplace_back(line.substr(0, colon), text::trim(line.substr(colon + 1)));
    }
    first = false;
  }
  const auto size = static_cast<std::size_t>(std::atoll(answer.header("Content-Length").c_str()));
  while (in_.size() < size) {
    if (!fill(deadline) && (ended_ || Clock::now() >= deadline)) break;
  }
  answer.body = in_.substr(0, size);
  in_.erase(0, answer.body.size());
  return answer;
}

std::optional<WsFrame> RawPeer::take_frame() {
  const auto byte = [this](std::size_t i) { return static_cast<unsigned char>(in_[i]); };
  if (in_.size() < 2) return std::nullopt;
  std::size_t head = 2, size = byte(1) & 0x7F;
  const std::size_t extra = size == 126 ? 2 : size == 127 ? 8 : 0;
  if (in_.size() < head + extra) return std::nullopt;
  if (extra != 0) size = 0;
  for (std::size_t i = 0; i < extra; ++i) size = size * 256 + byte(head + i);
  head += extra;
  if (in_.size() < head + size) return std::nullopt;
  WsFrame frame;
  frame.fin = (byte(0) & 0x80) != 0;
  frame.reserved = byte(0) >> 4 & 7;
  frame.opcode = byte(0) & 15;
  frame.masked = (byte(1) & 0x80) != 0;
  frame.payload = in_.substr(head, size);
  in_.erase(0, head + size);
  return frame;
}

std::optional<WsFrame> RawPeer::read_frame(Duration limit) {
  const Instant deadline = Clock::now() + limit;
  for (;;) {
    if (auto frame = take_frame()) return frame;
    if (!fill(deadline) && (ended_ || Clock::now() >= deadline)) return std::nullopt;
  }
}

int RawPeer::read_close(Duration limit) {
  const Instant deadline = Clock::now() + limit;
  while (auto frame = read_frame(deadline - Clock::now())) {
    if (frame->is_close()) return frame->close_code();
  }
  return ended_ ? 0 : -1;
}

bool RawPeer::wait_end(Duration limit) {
  const Instant deadline = Clock::now() + limit;
  while (!ended_ && Clock::now() < deadline) fill(deadline);
  return ended_;
}

HttpAnswer http(std::uint16_t port, const std::string& method, const std::string& target, const HeaderList& headers,
                const std::string& body) {
  RawPeer peer(port);
  peer.send_request(method, target, headers, body);
  return peer.read_answer();
}

}  // namespace voxgate::test
