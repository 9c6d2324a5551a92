// Twilio-style callers for echo peers: 50 frames a second each way per call, evenly spread in phase, from one thread on
// raw epoll. Measures what was lost, the echo's latency by a marker in the audio, its own lateness, and what the server
// process used meanwhile. See usage().

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <memory>
#include <random>
#include <vector>

#include "echo_work.hpp"
#include "net/ws_frame.hpp"
#include "voxgate/base/time.hpp"
#include "voxgate/net/http.hpp"

using namespace voxgate;

namespace {

constexpr std::size_t kFrameBytes = 160;
constexpr std::size_t kMarkerBytes = 6;  // eight base64 characters exactly
constexpr std::size_t kWindow = 512;     // frames of a call whose sending time is remembered: about 10 s

[[noreturn]] void usage() {
  std::fprintf(
      stderr,
      "echo_load --url ws://HOST:PORT/PATH [--calls N] [--seconds S] [--warmup S] [--server-pid PID] [--json]\n"
      "  {id} in the path becomes the call's name. Measures for S seconds after the warm-up.\n"
      "  Exit 1: a call could not be opened or was closed by the server.\n");
  std::exit(2);
}

struct Options {
  std::string url;
  std::size_t calls = 100;
  double seconds = 10, warmup = 2;
  int server_pid = 0;
  bool json = false;
};

Options parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view name = argv[i];
    if (name == "--json") {
      options.json = true;
      continue;
    }
    if (i + 1 >= argc) usage();
    const char* value = argv[++i];
    if (name == "--url") {
      options.url = value;
    } else if (name == "--calls") {
      options.calls = static_cast<std::size_t>(std::max(1, std::atoi(value)));
    } else if (name == "--seconds") {
      options.seconds = std::max(0.1, std::atof(value));
    } else if (name == "--warmup") {
      options.warmup = std::max(0.0, std::atof(value));
    } else if (name == "--server-pid") {
      options.server_pid = std::atoi(value);
    } else {
      usage();
    }
  }
  if (options.url.empty()) usage();
  return options;
}

/// On-CPU time of all threads of a process, in ns, and its proportional set size in KiB. The anonymous part is given
/// too: the rest moves when other processes start or stop sharing libraries.
struct Usage {
  double cpu_ns = 0, pss_kib = 0, anonymous_kib = 0;
  static Usage of(int pid) {
    Usage usage;
    if (pid <= 0) return usage;
    const std::string root = "/proc/" + std::to_string(pid);
    std::error_code ignored;
    for (const auto& thread : std::filesystem::directory_iterator(root + "/task", ignored)) {
      std::ifstream file(thread.path() / "schedstat");
      double ns = 0;
      if (file >> ns) usage.cpu_ns += ns;
    }
    std::ifstream rollup(root + "/smaps_rollup");
    for (std::string line; std::getline(rollup, line);) {
      if (line.starts_with("Pss:")) usage.pss_kib = std::atof(line.c_str() + 4);
      if (line.starts_with("Pss_Anon:")) usage.anonymous_kib = std::atof(line.c_str() + 9);
    }
    return usage;
  }
};

/// Audio that varies: tones with noise, as base64 without the marker's eight characters.
std::vector<std::string> make_payloads() {
  std::vector<std::string> out;
  std::mt19937 random(1);
  for (int variant = 0; variant < 64; ++variant) {
    std::array<std::uint8_t, kFrameBytes> bytes;
    const double step = 0.05 + 0.01 * variant;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      const double noise = static_cast<double>(random() % 1000) - 500;
      const double sample = 6000 * std::sin(static_cast<double>(i) * step) + noise;
      const auto index = static_cast<std::size_t>((static_cast<int>(sample) >> 2) + 8192);
      bytes[i] = bench::mulaw().encode[index];
    }
    std::string text(base64::encoded_size(bytes.size()), '\0');
    base64::encode(bytes, text.data());
    out.push_back(text.substr(8));
  }
  return out;
}

/// The number of a frame as mu-law bytes that survive decoding and encoding (0x80..0xBF all do).
void put_marker(std::uint32_t chunk, char* eight) {
  const std::uint8_t bytes[kMarkerBytes] = {0x91,
                                            0xA6,
                                            static_cast<std::uint8_t>(0x80 | (chunk >> 18 & 0x3F)),
                                            static_cast<std::uint8_t>(0x80 | (chunk >> 12 & 0x3F)),
                                            static_cast<std::uint8_t>(0x80 | (chunk >> 6 & 0x3F)),
                                            static_cast<std::uint8_t>(0x80 | (chunk & 0x3F))};
  base64::encode(bytes, eight);
}

bool get_marker(std::string_view payload, std::uint32_t& chunk) {
  if (payload.size() < 8) return false;
  std::uint8_t b[kMarkerBytes];
  const auto n = base64::decode(payload.substr(0, 8), b);
  if (!n || *n != kMarkerBytes || b[0] != 0x91 || b[1] != 0xA6) return false;
  chunk = static_cast<std::uint32_t>((b[2] & 0x3F) << 18 | (b[3] & 0x3F) << 12 | (b[4] & 0x3F) << 6 | (b[5] & 0x3F));
  return true;
}

struct Call {
  int fd = -1;
  std::string name;
  std::uint32_t chunk = 0, sequence = 1;
  std::uint32_t last_echo = 0;
  std::string pending;  // an incomplete frame from the server
  std::vector<Instant> sent_at = std::vector<Instant>(kWindow);
  std::vector<std::uint32_t> sent_chunk = std::vector<std::uint32_t>(kWindow);
  bool closed = false;
};

struct Totals {
  std::uint64_t sent = 0, received = 0, unsendable = 0, out_of_order = 0;
  std::vector<float> latency_ms, late_ms;
};

class Load {
 public:
  explicit Load(Options options) : options_(std::move(options)), payloads_(make_payloads()), calls_(options_.calls) {}

  bool open_all();
  void run();
  int report();

 private:
  bool open(std::size_t index, const addrinfo& address, const net::Url& url);
  void send_text(Call& call, std::string& text);
  void send_media(Call& call);
  void wait_until(Instant due);
  void on_readable(Call& call);
  void on_text(Call& call, std::string_view json);
  bool measuring(Instant sent) const { return sent >= measure_from_ && sent < measure_to_; }

  Options options_;
  std::vector<std::string> payloads_;
  std::vector<Call> calls_;
  int poller_ = ::epoll_create1(0);
  Instant measure_from_ = Instant::max(), measure_to_ = Instant::max();
  Totals totals_;
  Usage idle_, before_, after_;
  double measured_s_ = 0;
  std::uint64_t closed_ = 0;
  std::string text_;
  std::mt19937 keys_{99};
};

bool Load::open(std::size_t index, const addrinfo& address, const net::Url& url) {
  Call& call = calls_[index];
  call.name = "load" + std::to_string(index);
  call.fd = ::socket(address.ai_family, SOCK_STREAM, 0);
  const int on = 1;
  ::setsockopt(call.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  if (::connect(call.fd, address.ai_addr, address.ai_addrlen) != 0) return false;
  std::string target = url.target;
  if (const std::size_t at = target.find("{id}"); at != std::string::npos) target.replace(at, 4, call.name);
  const std::string request = "GET " + target + " HTTP/1.1\r\nHost: " + url.host_header() +
                              "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                              "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
  if (::send(call.fd, request.data(), request.size(), MSG_NOSIGNAL) < 0) return false;
  std::string head;
  while (head.find("\r\n\r\n") == std::string::npos) {
    char c[1024];
    const ssize_t n = ::recv(call.fd, c, sizeof(c), 0);
    if (n <= 0) break;
    head.append(c, static_cast<std::size_t>(n));
  }
  if (!head.starts_with("HTTP/1.1 101")) {
    std::fprintf(stderr, "call %zu refused: %s\n", index, head.substr(0, head.find("\r\n")).c_str());
    return false;
  }
  call.pending = head.substr(head.find("\r\n\r\n") + 4);
  text_ = R"({"event":"connected","protocol":"Call","version":"1.0.0"})";
  send_text(call, text_);
  text_ = R"({"event":"start","sequenceNumber":"1","start":{"accountSid":"AC0001","streamSid":"MZ)" + call.name +
          R"(","callSid":"CA)" + call.name +
          R"(","tracks":["inbound"],"mediaFormat":{"encoding":"audio/x-mulaw","sampleRate":8000,"channels":1},)" +
          R"("customParameters":{}},"streamSid":"MZ)" + call.name + "\"}";
  send_text(call, text_);
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = index;
  ::epoll_ctl(poller_, EPOLL_CTL_ADD, call.fd, &event);
  return true;
}

bool Load::open_all() {
  idle_ = Usage::of(options_.server_pid);
  const auto url = net::parse_url(options_.url);
  if (!url || url->scheme != "ws") usage();
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (::getaddrinfo(url->host.c_str(), std::to_string(url->port).c_str(), &hints, &found) != 0) return false;
  bool ok = true;
  for (std::size_t i = 0; i < calls_.size() && ok; ++i) ok = open(i, *found, *url);
  ::freeaddrinfo(found);
  return ok;
}

/// Masks and sends `text`, which it uses up. A full socket counts as a frame that could not be sent.
void Load::send_text(Call& call, std::string& text) {
  const std::uint32_t key = static_cast<std::uint32_t>(keys_()) | 1;
  net::make_frame(text, net::kOpText, &key);
  const ssize_t n = ::send(call.fd, text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (n == static_cast<ssize_t>(text.size())) return;
  ++totals_.unsendable;
  if (n > 0 || errno != EAGAIN) {  // half a frame, or a dead peer: this call cannot go on
    call.closed = true;
    ++closed_;
    ::epoll_ctl(poller_, EPOLL_CTL_DEL, call.fd, nullptr);
  }
}

void Load::send_media(Call& call) {
  if (call.closed) return;
  const std::uint32_t chunk = ++call.chunk;
  char marker[8];
  put_marker(chunk, marker);
  char number[16];
  const auto append_number = [&](std::uint32_t v) {
    const auto end = std::to_chars(number, number + sizeof(number), v).ptr;
    text_.append(number, end);
  };
  text_.assign(R"({"event":"media","sequenceNumber":")");
  append_number(++call.sequence);
  text_.append(R"(","media":{"track":"inbound","chunk":")");
  append_number(chunk);
  text_.append(R"(","timestamp":")");
  append_number((chunk - 1) * 20);
  text_.append(R"(","payload":")").append(marker, 8);
  text_.append(payloads_[(chunk + static_cast<std::size_t>(call.fd)) % payloads_.size()]);
  text_.append(R"("},"streamSid":"MZ)").append(call.name).append("\"}");
  const Instant now = Clock::now();
  call.sent_at[chunk % kWindow] = now;
  call.sent_chunk[chunk % kWindow] = chunk;
  if (measuring(now)) ++totals_.sent;
  send_text(call, text_);
}

void Load::on_text(Call& call, std::string_view json) {
  const Instant now = Clock::now();
  if (bench::string_after(json, "\"event\":") == "mark") {  // Twilio answers a mark once the audio before it was played
    text_ = R"({"event":"mark","sequenceNumber":")" + std::to_string(++call.sequence) + R"(","streamSid":"MZ)" +
            call.name + R"(","mark":{"name":")" + std::string(bench::string_after(json, "\"name\":")) + "\"}}";
    return send_text(call, text_);
  }
  std::uint32_t chunk = 0;
  if (!get_marker(bench::string_after(json, "\"payload\":"), chunk)) return;
  const std::size_t slot = chunk % kWindow;
  if (call.sent_chunk[slot] != chunk) return;
  call.sent_chunk[slot] = 0;  // an echo counts once
  if (chunk < call.last_echo) ++totals_.out_of_order;
  call.last_echo = chunk;
  if (!measuring(call.sent_at[slot])) return;
  ++totals_.received;
  totals_.latency_ms.push_back(static_cast<float>(to_ms_f(now - call.sent_at[slot])));
}

void Load::on_readable(Call& call) {
  static std::array<char, 65536> scratch;
  const ssize_t n = ::recv(call.fd, scratch.data(), scratch.size(), MSG_DONTWAIT);
  if (n <= 0) {
    if (n < 0 && errno == EAGAIN) return;
    call.closed = true;
    ++closed_;
    ::epoll_ctl(poller_, EPOLL_CTL_DEL, call.fd, nullptr);
    return;
  }
  std::string_view bytes(scratch.data(), static_cast<std::size_t>(n));
  if (!call.pending.empty()) {
    call.pending.append(bytes);
    bytes = call.pending;
  }
  while (bytes.size() >= 2) {
    const auto at = [&](std::size_t i) { return static_cast<std::size_t>(static_cast<unsigned char>(bytes[i])); };
    std::size_t size = at(1) & 0x7F, header = 2;
    if (size == 126) {
      if (bytes.size() < 4) break;
      size = at(2) << 8 | at(3);
      header = 4;
    }
    if (bytes.size() < header + size) break;
    if ((at(0) & 0x0F) == net::kOpText) on_text(call, bytes.substr(header, size));
    if ((at(0) & 0x0F) == net::kOpPing) {
      std::string pong(bytes.substr(header, size));
      const std::uint32_t key = 1;
      net::make_frame(pong, net::kOpPong, &key);
      if (::send(call.fd, pong.data(), pong.size(), MSG_NOSIGNAL | MSG_DONTWAIT) < 0) break;
    }
    bytes.remove_prefix(header + size);
  }
  call.pending = std::string(bytes);
}

void Load::wait_until(Instant due) {
  std::array<epoll_event, 64> ready;
  while (true) {
    const Duration left = std::max(due - Clock::now(), Duration::zero());
    timespec limit{static_cast<time_t>(left / 1s), static_cast<long>((left % 1s).count())};
    const int n = ::epoll_pwait2(poller_, ready.data(), ready.size(), &limit, nullptr);
    for (int i = 0; i < n; ++i) on_readable(calls_[ready[static_cast<std::size_t>(i)].data.u64]);
    if (Clock::now() >= due) return;
  }
}

void Load::run() {
  ::prctl(PR_SET_TIMERSLACK, 1000);  // ns
  totals_.latency_ms.reserve(static_cast<std::size_t>(options_.seconds * 50) * calls_.size());
  totals_.late_ms.reserve(totals_.latency_ms.capacity());
  const Duration step = std::chrono::duration_cast<Duration>(20ms) / static_cast<int>(calls_.size());
  const auto in_seconds = [](double s) {
    return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(s));
  };
  const Instant begin = Clock::now();
  const Instant warm = begin + in_seconds(options_.warmup);
  Instant end = Instant::max();
  std::size_t next = 0;
  for (Instant due = begin; due < end; due += step) {
    if (end == Instant::max() && due >= warm) {
      before_ = Usage::of(options_.server_pid);
      measure_from_ = Clock::now();
      end = due + in_seconds(options_.seconds);
    }
    wait_until(due);
    if (end != Instant::max()) totals_.late_ms.push_back(static_cast<float>(to_ms_f(Clock::now() - due)));
    send_media(calls_[next]);
    next = (next + 1) % calls_.size();
  }
  after_ = Usage::of(options_.server_pid);
  measure_to_ = Clock::now();
  measured_s_ = to_seconds(measure_to_ - measure_from_);
  wait_until(measure_to_ + 500ms);  // the last echoes
}

double quantile(std::vector<float>& values, double q) {
  if (values.empty()) return 0;
  const auto at = static_cast<std::ptrdiff_t>(q * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), values.begin() + at, values.end());
  return static_cast<double>(values[static_cast<std::size_t>(at)]);
}

int Load::report() {
  const double calls = static_cast<double>(calls_.size());
  // Per 50 frames, which is a call-second: a load that runs late sends fewer in a second.
  const double cpu = (after_.cpu_ns - before_.cpu_ns) / 1e6 / (static_cast<double>(totals_.sent) / 50);
  const double memory = (after_.pss_kib - idle_.pss_kib) / calls;
  const double anonymous = (after_.anonymous_kib - idle_.anonymous_kib) / calls;
  auto& latency = totals_.latency_ms;
  auto& late = totals_.late_ms;
  const char* const format =
      options_.json
          ? "{\"calls\":%.0f,\"seconds\":%.2f,\"sent\":%llu,\"received\":%llu,\"lost\":%lld,\"out_of_order\":%llu,"
            "\"unsendable\":%llu,\"closed\":%llu,\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"max_ms\":%.3f,\"own_p99_ms\":%.3f,"
            "\"own_max_ms\":%.3f,\"cpu_ms_per_call_s\":%.4f,\"pss_idle_kib\":%.0f,\"pss_kib\":%.0f,"
            "\"kib_per_call\":%.2f,\"anon_kib_per_call\":%.2f}\n"
          : "calls %.0f for %.2f s: sent %llu, received %llu, lost %lld, out of order %llu, unsendable %llu, closed "
            "%llu\n"
            "echo ms: p50 %.3f p99 %.3f max %.3f; own lateness ms: p99 %.3f max %.3f\n"
            "server: %.4f CPU-ms per call-second, PSS %.0f KiB idle, %.0f KiB under load, %.2f KiB per call (%.2f "
            "anonymous)\n";
  std::printf(format, calls, measured_s_, static_cast<unsigned long long>(totals_.sent),
              static_cast<unsigned long long>(totals_.received),
              static_cast<long long>(totals_.sent) - static_cast<long long>(totals_.received),
              static_cast<unsigned long long>(totals_.out_of_order),
              static_cast<unsigned long long>(totals_.unsendable), static_cast<unsigned long long>(closed_),
              quantile(latency, .5), quantile(latency, .99), quantile(latency, 1), quantile(late, .99),
              quantile(late, 1), cpu, idle_.pss_kib, after_.pss_kib, memory, anonymous);
  return closed_ == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  Load load(parse(argc, argv));
  if (!load.open_all()) {
    std::fprintf(stderr, "cannot open the calls\n");
    return 1;
  }
  load.run();
  return load.report();
}
