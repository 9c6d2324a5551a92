// voxctl jitter: the feed path over a trace of arrivals, on the trace's own clock.

#include <cinttypes>
#include <cstdio>
#include <optional>
#include <sstream>

#include "apps/voxctl/commands.hpp"
#include "apps/voxctl/files.hpp"
#include "voxgate/audio/feed_buffer.hpp"

namespace voxgate::voxctl {
namespace {

constexpr const char* kHelp =
    "usage: voxctl jitter TRACE [--mode feed] [--order any|kept]\n"
    "\n"
    "TRACE: one line per frame in order of arrival: arrival_us seq ts nsamples flag (8 kHz timestamps, # comments; "
    "the\n"
    "flag is not used). Prints 'trace NAME mode feed', then what comes out and when:\n"
    "  out T_us play TS N | out T_us conceal N | out T_us silence N | drop T_us TS N late|dup|overflow|jump\n"
    "\n"
    "--order any (default): the carrier may reorder. A frame whose place or whose sequence number is the next one "
    "comes\n"
    "  out at once, so a trace that is in order is delayed by 0 ms, pauses of the source included; only a frame "
    "behind\n"
    "  missing ones waits for them, at most 40 ms.\n"
    "--order kept: the carrier promises order (one TCP connection): nothing ever waits.\n";

struct Arrival {
  std::int64_t at_us = 0;
  std::uint32_t seq = 0, ts = 0;
  std::size_t samples = 0;
};

constexpr std::int64_t kMaxFrameSamples = 1 << 20;

std::optional<Arrival> parse_line(const std::string& line) {
  std::istringstream in(line);
  std::int64_t at_us = 0, seq = 0, ts = 0, samples = 0;
  if (!(in >> at_us >> seq >> ts >> samples)) return std::nullopt;
  if (samples < 0 || samples > kMaxFrameSamples) return std::nullopt;
  return Arrival{at_us, static_cast<std::uint32_t>(seq), static_cast<std::uint32_t>(ts),
                 static_cast<std::size_t>(samples)};
}

class Printer final : public audio::FeedSink {
 public:
  void set_now(Instant now) { now_us_ = std::chrono::duration_cast<Micros>(now.time_since_epoch()).count(); }

  void play(std::uint32_t ts, std::span<const std::uint8_t> payload) override {
    std::printf("out %" PRId64 " play %" PRIu32 " %zu\n", now_us_, ts, payload.size());
  }
  void conceal(std::uint32_t, std::uint32_t samples) override {
    std::printf("out %" PRId64 " conceal %" PRIu32 "\n", now_us_, samples);
  }
  void silence(std::uint32_t, std::uint32_t samples, std::uint32_t) override {
    std::printf("out %" PRId64 " silence %" PRIu32 "\n", now_us_, samples);
  }
  void dropped(std::uint32_t ts, std::uint32_t samples, audio::DropReason reason) override {
    static constexpr const char* kNames[] = {"late", "dup", "overflow", "jump"};
    std::printf("drop %" PRId64 " %" PRIu32 " %" PRIu32 " %s\n", now_us_, ts, samples,
                kNames[static_cast<std::size_t>(reason)]);
  }

 private:
  std::int64_t now_us_ = 0;
};

/// Runs what the buffer does on its own up to `until` (or to its end), each at its own time.
void run_timers(audio::FeedBuffer& buffer, Printer& printer, std::optional<Instant> until) {
  while (const auto due = buffer.deadline()) {
    if (until && *due > *until) return;
    printer.set_now(*due);
    buffer.poll(*due, printer);
  }
}

int run_trace(const std::string& name, bool may_reorder) {
  const auto bytes = read_file(name);
  if (!bytes) {
    std::fprintf(stderr, "voxctl jitter: %s: %s\n", name.c_str(), bytes.error().message().c_str());
    return 2;
  }
  std::printf("trace %s mode feed\n", name.c_str());
  audio::FeedBuffer buffer(audio::FeedConfig{.may_reorder = may_reorder});
  Printer printer;
  std::vector<std::uint8_t> payload;
  std::istringstream lines(std::string(bytes->begin(), bytes->end()));
  std::string line;
  for (int number = 1; std::getline(lines, line); ++number) {
    const auto first = line.find_first_not_of(" \t\r");
    if (first == std::string::npos || line[first] == '#') continue;
    const auto arrival = parse_line(line);
    if (!arrival) {
      std::fprintf(stderr, "voxctl jitter: %s:%d: not 'arrival_us seq ts nsamples flag'\n", name.c_str(), number);
      return 2;
    }
    const Instant now{Micros(arrival->at_us)};
    run_timers(buffer, printer, now);
    printer.set_now(now);
    payload.assign(arrival->samples, audio::kMulaw8k.silence_byte());
    buffer.push(now, arrival->seq, arrival->ts, payload, printer);
  }
  run_timers(buffer, printer, std::nullopt);
  return 0;
}

}  // namespace

int run_jitter(const Args& args) {
  std::string trace;
  bool may_reorder = true;
  for (std::size_t i = 0; i < args.size(); ++i) {
    const std::string value = i + 1 < args.size() ? args[i + 1] : "";
    if (args[i] == "--help" || args[i] == "-h") {
      std::fputs(kHelp, stdout);
      return 0;
    }
    if (args[i] == "--mode" && value == "feed") {
      ++i;
    } else if (args[i] == "--order" && (value == "any" || value == "kept")) {
      may_reorder = value == "any";
      ++i;
    } else if (!args[i].starts_with("--") && trace.empty()) {
      trace = args[i];
    } else {
      std::fprintf(stderr, "voxctl jitter: what is '%s %s'? See voxctl jitter --help\n", args[i].c_str(),
                   value.c_str());
      return 2;
    }
  }
  if (trace.empty()) {
    std::fputs(kHelp, stderr);
    return 2;
  }
  return run_trace(trace, may_reorder);
}

}  // namespace voxgate::voxctl
