// Echo peer on bare epoll: the floor. Nothing here defends itself against anything.

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <memory>
#include <vector>

#include "echo_work.hpp"
#include "net/http_codec.hpp"
#include "net/ws_frame.hpp"

using namespace voxgate;

namespace {

struct Connection {
  bench::EchoCall call;
  std::string pending;  // bytes of an incomplete frame or of the request
  bool upgraded = false;
};

volatile std::sig_atomic_t g_stop = 0;

/// Handles one whole masked frame at `p`; returns its size, or 0 when it is not complete.
std::size_t on_frame(int fd, Connection& connection, std::uint8_t* p, std::size_t n) {
  if (n < 6) return 0;
  std::size_t size = p[1] & 0x7F;
  std::size_t header = 6;
  if (size == 126) {
    if (n < 8) return 0;
    size = static_cast<std::size_t>(p[2]) << 8 | p[3];
    header = 8;
  }
  if (n < header + size) return 0;
  std::uint32_t key;
  std::memcpy(&key, p + header - 4, 4);
  net::apply_mask({p + header, size}, key);
  thread_local std::string reply;
  reply.assign(4, '\0');
  if ((p[0] & 0x0F) == net::kOpText && connection.call.on_message({reinterpret_cast<char*>(p) + header, size}, reply)) {
    const std::size_t payload = reply.size() - 4;  // between 126 and 65535: two bytes of length
    reply[0] = static_cast<char>(0x81);
    reply[1] = 126;
    reply[2] = static_cast<char>(payload >> 8);
    reply[3] = static_cast<char>(payload & 0xFF);
    if (::send(fd, reply.data(), reply.size(), MSG_NOSIGNAL | MSG_DONTWAIT) < 0) return header + size;
  }
  return header + size;
}

void on_request(int fd, Connection& connection) {
  const std::size_t end = connection.pending.find("\r\n\r\n");
  if (end == std::string::npos) return;
  net::RequestReader reader(16384, 0);
  if (reader.feed(connection.pending) != net::Parse::header_done) return;
  const std::string accept = net::websocket_accept(reader.request().headers.get("Sec-WebSocket-Key"));
  const std::string answer =
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " +
      accept + "\r\n\r\n";
  if (::send(fd, answer.data(), answer.size(), MSG_NOSIGNAL) > 0) connection.upgraded = true;
}

/// False when the connection is over.
bool on_readable(int fd, Connection& connection) {
  static std::array<std::uint8_t, 65536> scratch;
  const ssize_t got = ::recv(fd, scratch.data(), scratch.size(), MSG_DONTWAIT);
  if (got <= 0) return got < 0 && errno == EAGAIN;
  std::uint8_t* p = scratch.data();
  std::size_t n = static_cast<std::size_t>(got);
  if (!connection.pending.empty() || !connection.upgraded) {
    connection.pending.append(reinterpret_cast<char*>(p), n);
    if (!connection.upgraded) {
      on_request(fd, connection);
      return true;
    }
    p = reinterpret_cast<std::uint8_t*>(connection.pending.data());
    n = connection.pending.size();
  }
  std::size_t used = 0;
  while (const std::size_t frame = on_frame(fd, connection, p + used, n - used)) used += frame;
  if (!connection.pending.empty()) {
    connection.pending.erase(0, used);
  } else {
    connection.pending.assign(reinterpret_cast<char*>(p) + used, n - used);
  }
  return true;
}

}  // namespace

int main() {
  std::signal(SIGTERM, [](int) { g_stop = 1; });
  const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  if (::bind(listener, reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(listener, 1024) != 0) return 2;
  ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size);
  const int poller = ::epoll_create1(0);
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = listener;
  ::epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event);
  bench::announce(ntohs(address.sin_port));

  std::vector<std::unique_ptr<Connection>> connections;
  std::array<epoll_event, 128> ready;
  while (g_stop == 0) {
    const int n = ::epoll_wait(poller, ready.data(), ready.size(), -1);
    for (int i = 0; i < n; ++i) {
      const int fd = ready[static_cast<std::size_t>(i)].data.fd;
      if (fd == listener) {
        const int accepted = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK);
        if (accepted < 0) continue;
        const int on = 1;
        ::setsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        if (connections.size() <= static_cast<std::size_t>(accepted)) {
          connections.resize(static_cast<std::size_t>(accepted) + 1);
        }
        connections[static_cast<std::size_t>(accepted)] = std::make_unique<Connection>();
        event.data.fd = accepted;
        ::epoll_ctl(poller, EPOLL_CTL_ADD, accepted, &event);
      } else if (!on_readable(fd, *connections[static_cast<std::size_t>(fd)])) {
        connections[static_cast<std::size_t>(fd)].reset();
        ::close(fd);
      }
    }
  }
}
