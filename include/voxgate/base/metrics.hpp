#pragma once
// Metrics registry: counters, gauges and histograms in Prometheus text format.
//
// A counter is written by one thread per shard without a locked instruction: every loop takes a shard (set_shard), all
// other threads share shard 0 and pay for an atomic add. Reading sums the shards.

#include <atomic>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace voxgate::metrics {

/// Largest shard number plus one; loops beyond it share shard 0.
inline constexpr std::size_t kMaxShards = 65;

/// Makes the calling thread the only writer of `shard` (1-based; 0 is shared). Loops call it when they start.
void set_shard(std::size_t shard);
std::size_t current_shard();

/// Only ever grows. add() from any thread.
class Counter {
 public:
  explicit Counter(std::size_t shards);
  void add(std::uint64_t n = 1) {
    const std::size_t s = current_shard();
    auto& cell = cells_[s < shards_ ? s : 0].value;
    if (s == 0 || s >= shards_) {
      cell.fetch_add(n, std::memory_order_relaxed);
    } else {
      cell.store(cell.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
    }
  }
  std::uint64_t value() const;

 private:
  struct alignas(64) Cell {
    std::atomic<std::uint64_t> value{0};
  };
  std::size_t shards_;
  std::unique_ptr<Cell[]> cells_;
};

/// Goes up and down; any thread.
class Gauge {
 public:
  void set(double v) { value_.store(v, std::memory_order_relaxed); }
  void add(double v) {
    double old = value_.load(std::memory_order_relaxed);
    while (!value_.compare_exchange_weak(old, old + v, std::memory_order_relaxed)) {
    }
  }
  double value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<double> value_{0};
};

/// Fixed upper bounds (the +Inf bucket is implied); observe() from any thread.
class Histogram {
 public:
  Histogram(std::size_t shards, std::vector<double> bounds);
  void observe(double v);
  struct Snapshot {
    std::vector<std::uint64_t> cumulative;  // one per bound, then +Inf
    double sum = 0;
    std::uint64_t count = 0;
  };
  Snapshot snapshot() const;
  const std::vector<double>& bounds() const { return bounds_; }

 private:
  std::size_t shards_;
  std::size_t stride_;  // cells of a shard, rounded up to whole cache lines
  std::vector<double> bounds_;
  std::unique_ptr<std::atomic<std::uint64_t>[]> buckets_;
  std::unique_ptr<std::atomic<double>[]> sums_;
};

/// Seconds, 1 ms to 10 s in steps of about 1.6: what latencies of a turn need.
std::vector<double> latency_bounds();
/// Seconds, 50 us to 1 s: loop lag, pacing.
std::vector<double> short_bounds();

using Labels = std::vector<std::pair<std::string, std::string>>;

/// Owns every metric of the process. Look-ups lock: get references once, keep them.
/// Label values must come from a small closed set, never from a caller.
class Registry {
 public:
  /// `loops`: how many loops will take a shard of their own.
  explicit Registry(std::size_t loops = 1);
  ~Registry();
  Registry(const Registry&) = delete;
  Registry& operator=(const Registry&) = delete;

  /// The same name and labels return the same object. A name's kind and help are those of its first use.
  Counter& counter(std::string_view name, std::string_view help, const Labels& labels = {});
  Gauge& gauge(std::string_view name, std::string_view help, const Labels& labels = {});
  Histogram& histogram(std::string_view name, std::string_view help, std::vector<double> bounds,
                       const Labels& labels = {});
  /// A gauge or counter whose value is read when scraped. `read` may be called from any thread.
  void gauge_fn(std::string_view name, std::string_view help, const Labels& labels, std::function<double()> read);
  void counter_fn(std::string_view name, std::string_view help, const Labels& labels, std::function<double()> read);

  /// Prometheus text exposition format 0.0.4.
  std::string render() const;
  /// Names of all families, sorted.
  std::vector<std::string> names() const;

 private:
  struct Family;
  struct Series;
  Series& series(std::string_view name, std::string_view help, int kind, const Labels& labels);
  std::size_t shards_;
  mutable std::mutex mutex_;
  std::vector<std::unique_ptr<Family>> families_;
};

}  // namespace voxgate::metrics
