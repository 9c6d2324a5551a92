#pragma once
// Threads for work that blocks: offline engines, SQLite, files. Bounded, and in order per key where asked for.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

#include "voxgate/base/metrics.hpp"

namespace voxgate::net {

/// A move-only function without arguments. Called at most once, or destroyed uncalled when it is discarded.
class Job {
 public:
  Job() = default;
  template <class F, class = std::enable_if_t<!std::is_same_v<std::decay_t<F>, Job>>>
  Job(F&& f) : body_(std::make_unique<Body<std::decay_t<F>>>(std::forward<F>(f))) {}
  void operator()() { body_->run(); }
  explicit operator bool() const { return body_ != nullptr; }

 private:
  struct Base {
    virtual ~Base() = default;
    virtual void run() = 0;
  };
  template <class F>
  struct Body final : Base {
    explicit Body(F&& g) : f(std::move(g)) {}
    explicit Body(const F& g) : f(g) {}
    void run() override { f(); }
    F f;
  };
  std::unique_ptr<Base> body_;
};

/// A fixed number of threads with one bounded queue.
/// Threads: submit and stop from any thread. A job's exception is logged and counted; the thread goes on.
class WorkerPool {
 public:
  /// `name` labels the metrics and names the threads (at most 12 characters of it show). `max_queued` bounds the jobs
  /// that wait; those being run do not count.
  WorkerPool(std::string name, std::size_t threads, std::size_t max_queued, metrics::Registry& registry);
  /// Drains, then joins.
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  /// False (counted) when the queue is full or the pool is stopping; the job is then destroyed, not run.
  [[nodiscard]] bool submit(Job job);
  /// Jobs of one key run one at a time, in order of submission; different keys run in parallel. Same bound.
  [[nodiscard]] bool submit_keyed(std::uint64_t key, Job job);

  enum class Pending { drain, discard };
  /// No new jobs; waits until the threads have ended. Jobs that are running are finished either way. Not from a job.
  void stop(Pending pending);

  std::size_t queued() const;
  std::size_t running() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace voxgate::net
