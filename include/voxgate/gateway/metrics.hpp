#pragma once
// The server's own metrics, in one place: the documented list is this file.

#include <array>
#include <functional>
#include <string>

#include "voxgate/base/metrics.hpp"
#include "voxgate/call/timeline.hpp"

namespace voxgate::gateway {

/// References into the registry, taken once. Threads: any.
struct GatewayMetrics {
  explicit GatewayMetrics(metrics::Registry& registry);

  metrics::Registry& registry;
  metrics::Counter& media_in;
  metrics::Counter& media_out;
  metrics::Counter& media_late;
  metrics::Counter& media_concealed;
  metrics::Counter& media_dropped;
  metrics::Counter& messages_ignored;
  metrics::Counter& messages_malformed;
  metrics::Counter& playout_underruns;
  metrics::Counter& turns;
  metrics::Counter& speculations;
  metrics::Counter& speculations_wasted;
  metrics::Counter& barge_ins;
  metrics::Counter& false_interruptions;
  metrics::Counter& no_input;
  metrics::Counter& no_match;
  metrics::Counter& apologies;
  metrics::Histogram& barge_in_reaction;
  metrics::Histogram& turn_total;
  std::array<metrics::Histogram*, call::kStages> turn_stage{};
  metrics::Histogram& call_seconds;
  metrics::Histogram& mark_delay;
  metrics::Histogram& jitter;
  metrics::Histogram& network_mos;
  metrics::Counter& stalls;

  /// carrier and reason come from closed sets of ours.
  void call_ended(const std::string& carrier, call::EndReason reason);
  void rejected(const char* reason);
};

/// The standard process_* metrics, read from /proc when scraped.
void add_process_metrics(metrics::Registry& registry);

}  // namespace voxgate::gateway
