#include "voxgate/gateway/metrics.hpp"

#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>

#include "voxgate/base/assert.hpp"

namespace voxgate::gateway {
namespace {

std::vector<double> call_bounds() {
  return {1, 5, 10, 30, 60, 120, 300, 600, 1200, 1800, 3600};
}

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

// Field `index` (0-based) of /proc/self/statm, in bytes.
double statm_bytes(int index) {
  std::FILE* file = std::fopen("/proc/self/statm", "r");
  if (file == nullptr) return 0;
  long values[2] = {0, 0};
  const int read = std::fscanf(file, "%ld %ld", &values[0], &values[1]);
  std::fclose(file);
  return read == 2 ? static_cast<double>(values[index]) * static_cast<double>(sysconf(_SC_PAGESIZE)) : 0;
}

double count_entries(const char* path) {
  DIR* dir = opendir(path);
  if (dir == nullptr) return 0;
  double count = 0;
  while (const dirent* entry = readdir(dir)) {
    if (entry->d_name[0] != '.') ++count;
  }
  closedir(dir);
  return count;
}

}  // namespace

GatewayMetrics::GatewayMetrics(metrics::Registry& r)
    : registry(r),
      media_in(r.counter("voxgate_media_frames_total", "Media messages by direction.", {{"direction", "in"}})),
      media_out(r.counter("voxgate_media_frames_total", "Media messages by direction.", {{"direction", "out"}})),
      media_late(r.counter("voxgate_media_late_total", "Inbound frames that came too late or twice.")),
      media_concealed(r.counter("voxgate_media_concealed_total", "Gaps in inbound media that were filled.")),
      media_dropped(
          r.counter("voxgate_media_dropped_total", "Outbound media messages dropped because the peer did not read.")),
      messages_ignored(r.counter("voxgate_messages_ignored_total", "Inbound messages that meant nothing to us.")),
      messages_malformed(r.counter("voxgate_messages_malformed_total", "Inbound messages that broke the protocol.")),
      playout_underruns(
          r.counter("voxgate_playout_underruns_total", "Times the carrier ran out of audio within a reply.")),
      turns(r.counter("voxgate_turns_total", "Turns that are over.")),
      speculations(r.counter("voxgate_speculations_total", "Replies begun before the turn was over.")),
      speculations_wasted(r.counter("voxgate_speculations_wasted_total", "Of these, dropped.")),
      barge_ins(r.counter("voxgate_barge_ins_total", "Replies the caller interrupted.")),
      false_interruptions(r.counter("voxgate_false_interruptions_total", "Replies held and then resumed.")),
      no_input(r.counter("voxgate_no_input_total", "Times the caller said nothing.")),
      no_match(r.counter("voxgate_no_match_total", "Turns that were not understood.")),
      apologies(r.counter("voxgate_apologies_total", "Replies that never came.")),
      barge_in_reaction(r.histogram("voxgate_barge_in_reaction_seconds",
                                    "From the onset of the caller's speech to the end of the agent's.",
                                    metrics::latency_bounds())),
      turn_total(r.histogram("voxgate_turn_latency_seconds", "From the caller's last sound to the agent's first frame.",
                             metrics::latency_bounds(), {{"stage", "total"}})),
      call_seconds(r.histogram("voxgate_call_duration_seconds", "Length of calls.", call_bounds())),
      mark_delay(r.histogram("voxgate_mark_delay_seconds", "How much later than estimated marks come back.",
                             metrics::latency_bounds())),
      jitter(r.histogram("voxgate_jitter_seconds", "Interarrival jitter of a call's media at its end (RFC 3550).",
                         metrics::short_bounds())),
      network_mos(r.histogram("voxgate_network_mos", "Estimated network opinion score of calls, 1 to 4.5 (E-model).",
                              {1.5, 2.0, 2.5, 3.0, 3.5, 3.8, 4.0, 4.2, 4.3, 4.4, 4.5})),
      stalls(r.counter("voxgate_media_stalls_total", "Times a caller's media stood still for more than 100 ms.")) {
  for (std::size_t i = 0; i < call::kStages; ++i) {
    turn_stage[i] = &r.histogram("voxgate_turn_latency_seconds", "", metrics::latency_bounds(),
                                 {{"stage", call::to_string(static_cast<call::Stage>(i))}});
  }
  for (const char* reason : {"full", "draining", "unauthorized", "not_found", "bad_request"}) {
    r.counter("voxgate_connections_rejected_total", "Upgrades refused, by reason.", {{"reason", reason}});
  }
  r.counter_fn("voxgate_assertions_failed_total", "Broken invariants of ours.", {},
               [] { return static_cast<double>(failed_assertions()); });
}

void GatewayMetrics::call_ended(const std::string& carrier, call::EndReason reason) {
  registry
      .counter("voxgate_calls_total", "Calls that are over.",
               {{"carrier", carrier}, {"outcome", call::to_string(reason)}})
      .add();
}

void GatewayMetrics::rejected(const char* reason) {
  registry.counter("voxgate_connections_rejected_total", "Upgrades refused, by reason.", {{"reason", reason}}).add();
}

void add_process_metrics(metrics::Registry& r) {
  const double start = std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  r.gauge_fn("process_start_time_seconds", "When the process started, Unix time.", {}, [start] { return start; });
  r.counter_fn("process_cpu_seconds_total", "User and system CPU time.", {}, cpu_seconds);
  r.gauge_fn("process_resident_memory_bytes", "Resident memory.", {}, [] { return statm_bytes(1); });
  r.gauge_fn("process_virtual_memory_bytes", "Virtual memory.", {}, [] { return statm_bytes(0); });
  // The directory being read is itself an open descriptor.
  r.gauge_fn("process_open_fds", "Open descriptors.", {}, [] { return count_entries("/proc/self/fd") - 1; });
  r.gauge_fn("process_threads", "Threads.", {}, [] { return count_entries("/proc/self/task"); });
  r.gauge_fn("process_max_fds", "Most descriptors it may open.", {}, [] {
    rlimit limit{};
    getrlimit(RLIMIT_NOFILE, &limit);
    return static_cast<double>(limit.rlim_cur);
  });
}

}  // namespace voxgate::gateway
