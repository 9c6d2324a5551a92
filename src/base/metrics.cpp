#include "voxgate/base/metrics.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <stdexcept>

#include "voxgate/base/assert.hpp"

namespace voxgate::metrics {
namespace {

thread_local std::size_t t_shard = 0;

enum Kind { kCounter, kGauge, kHistogram };

const char* kind_name(int kind) {
  switch (kind) {
    case kCounter:
      return "counter";
    case kGauge:
      return "gauge";
    default:
      return "histogram";
  }
}

std::string number(double v) {
  if (std::isnan(v)) return "NaN";
  if (std::isinf(v)) return v > 0 ? "+Inf" : "-Inf";
  char buffer[40];
  if (v == std::floor(v) && std::fabs(v) < 1e15) {
    std::snprintf(buffer, sizeof buffer, "%.0f", v);
  } else {
    std::snprintf(buffer, sizeof buffer, "%.9g", v);
  }
  return buffer;
}

std::string escape(std::string_view s, bool quotes) {
  std::string out;
  for (const char c : s) {
    if (c == '\\') {
      out += "\\\\";
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '"' && quotes) {
      out += "\\\"";
    } else {
      out += c;
    }
  }
  return out;
}

std::string label_text(const Labels& labels) {
  std::string out;
  for (const auto& [key, value] : labels) {
    if (!out.empty()) out += ',';
    out += key + "=\"" + escape(value, true) + '"';
  }
  return out;
}

std::string braces(const std::string& labels) {
  return labels.empty() ? "" : '{' + labels + '}';
}

}  // namespace

void set_shard(std::size_t shard) {
  t_shard = shard < kMaxShards ? shard : 0;
}
std::size_t current_shard() {
  return t_shard;
}

Counter::Counter(std::size_t shards) : shards_(shards), cells_(std::make_unique<Cell[]>(shards)) {}

std::uint64_t Counter::value() const {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < shards_; ++i) sum += cells_[i].value.load(std::memory_order_relaxed);
  return sum;
}

Histogram::Histogram(std::size_t shards, std::vector<double> bounds)
    : shards_(shards), stride_((bounds.size() + 1 + 7) / 8 * 8), bounds_(std::move(bounds)) {
  if (!std::is_sorted(bounds_.begin(), bounds_.end())) throw std::invalid_argument("histogram bounds must be sorted");
  buckets_ = std::make_unique<std::atomic<std::uint64_t>[]>(shards_ * stride_);
  sums_ = std::make_unique<std::atomic<double>[]>(shards_ * 8);
}

void Histogram::observe(double v) {
  const std::size_t bucket =
      static_cast<std::size_t>(std::lower_bound(bounds_.begin(), bounds_.end(), v) - bounds_.begin());
  std::size_t s = current_shard();
  if (s >= shards_) s = 0;
  auto& cell = buckets_[s * stride_ + bucket];
  auto& sum = sums_[s * 8];
  if (s != 0) {
    cell.store(cell.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    sum.store(sum.load(std::memory_order_relaxed) + v, std::memory_order_relaxed);
    return;
  }
  cell.fetch_add(1, std::memory_order_relaxed);
  double old = sum.load(std::memory_order_relaxed);
  while (!sum.compare_exchange_weak(old, old + v, std::memory_order_relaxed)) {
  }
}

Histogram::Snapshot Histogram::snapshot() const {
  Snapshot out;
  out.cumulative.resize(bounds_.size() + 1);
  for (std::size_t s = 0; s < shards_; ++s) {
    for (std::size_t i = 0; i <= bounds_.size(); ++i) {
      out.cumulative[i] += buckets_[s * stride_ + i].load(std::memory_order_relaxed);
    }
    out.sum += sums_[s * 8].load(std::memory_order_relaxed);
  }
  for (std::size_t i = 1; i < out.cumulative.size(); ++i) out.cumulative[i] += out.cumulative[i - 1];
  out.count = out.cumulative.back();
  return out;
}

std::vector<double> latency_bounds() {
  return {0.001, 0.0025, 0.005, 0.01, 0.02, 0.035, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3,
          0.4,   0.5,    0.6,   0.8,  1.0,  1.3,   1.6,  2.0,   3.0, 5.0,  10.0};
}

std::vector<double> short_bounds() {
  return {0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0};
}

struct Registry::Series {
  std::string labels;
  std::unique_ptr<Counter> counter;
  std::unique_ptr<Gauge> gauge;
  std::unique_ptr<Histogram> histogram;
  std::function<double()> read;
};

struct Registry::Family {
  std::string name, help;
  int kind;
  std::vector<std::unique_ptr<Series>> series;
};

Registry::Registry(std::size_t loops) : shards_(std::min(loops + 1, kMaxShards)) {}
Registry::~Registry() = default;

Registry::Series& Registry::series(std::string_view name, std::string_view help, int kind, const Labels& labels) {
  auto it = std::find_if(families_.begin(), families_.end(), [&](const auto& f) { return f->name == name; });
  if (it == families_.end()) {
    families_.push_back(std::make_unique<Family>(Family{std::string(name), std::string(help), kind, {}}));
    it = families_.end() - 1;
  }
  Family& family = **it;
  if (family.kind != kind) throw std::logic_error("metric " + family.name + " registered with two kinds");
  const std::string text = label_text(labels);
  for (auto& s : family.series) {
    if (s->labels == text) return *s;
  }
  family.series.push_back(std::make_unique<Series>());
  family.series.back()->labels = text;
  return *family.series.back();
}

Counter& Registry::counter(std::string_view name, std::string_view help, const Labels& labels) {
  std::lock_guard lock(mutex_);
  Series& s = series(name, help, kCounter, labels);
  if (!s.counter) s.counter = std::make_unique<Counter>(shards_);
  return *s.counter;
}

Gauge& Registry::gauge(std::string_view name, std::string_view help, const Labels& labels) {
  std::lock_guard lock(mutex_);
  Series& s = series(name, help, kGauge, labels);
  if (!s.gauge) s.gauge = std::make_unique<Gauge>();
  return *s.gauge;
}

Histogram& Registry::histogram(std::string_view name, std::string_view help, std::vector<double> bounds,
                               const Labels& labels) {
  std::lock_guard lock(mutex_);
  Series& s = series(name, help, kHistogram, labels);
  if (!s.histogram) s.histogram = std::make_unique<Histogram>(shards_, std::move(bounds));
  return *s.histogram;
}

void Registry::gauge_fn(std::string_view name, std::string_view help, const Labels& labels,
                        std::function<double()> read) {
  std::lock_guard lock(mutex_);
  series(name, help, kGauge, labels).read = std::move(read);
}

void Registry::counter_fn(std::string_view name, std::string_view help, const Labels& labels,
                          std::function<double()> read) {
  std::lock_guard lock(mutex_);
  series(name, help, kCounter, labels).read = std::move(read);
}

std::string Registry::render() const {
  std::lock_guard lock(mutex_);
  std::vector<const Family*> sorted;
  for (const auto& f : families_) sorted.push_back(f.get());
  std::sort(sorted.begin(), sorted.end(), [](auto* a, auto* b) { return a->name < b->name; });
  std::string out;
  for (const Family* f : sorted) {
    out += "# HELP " + f->name + ' ' + escape(f->help, false) + '\n';
    out += "# TYPE " + f->name + ' ' + kind_name(f->kind) + '\n';
    for (const auto& s : f->series) {
      if (s->histogram) {
        const auto snap = s->histogram->snapshot();
        const std::string prefix = s->labels.empty() ? "" : s->labels + ',';
        for (std::size_t i = 0; i < snap.cumulative.size(); ++i) {
          const std::string le = i < s->histogram->bounds().size() ? number(s->histogram->bounds()[i]) : "+Inf";
          out += f->name + "_bucket{" + prefix + "le=\"" + le + "\"} " + std::to_string(snap.cumulative[i]) + '\n';
        }
        out += f->name + "_sum" + braces(s->labels) + ' ' + number(snap.sum) + '\n';
        out += f->name + "_count" + braces(s->labels) + ' ' + std::to_string(snap.count) + '\n';
      } else {
        double v = 0;
        if (s->read) {
          v = s->read();
        } else if (s->counter) {
          v = static_cast<double>(s->counter->value());
        } else if (s->gauge) {
          v = s->gauge->value();
        }
        out += f->name + braces(s->labels) + ' ' + number(v) + '\n';
      }
    }
  }
  return out;
}

std::vector<std::string> Registry::names() const {
  std::lock_guard lock(mutex_);
  std::vector<std::string> out;
  for (const auto& f : families_) out.push_back(f->name);
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace voxgate::metrics
