#pragma once
// Event loops: one io_context, one thread, one media tick. A loop owns its calls, so it is its own strand.

#include <atomic>
#include <boost/asio/post.hpp>
#include <cstddef>
#include <functional>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "voxgate/base/metrics.hpp"
#include "voxgate/base/subscription.hpp"
#include "voxgate/net/types.hpp"

namespace voxgate::net {

/// Something that wants the media tick. tick() runs on the loop; it may remove itself or any other tickable.
struct Tickable {
  virtual void tick(Instant now) = 0;

 protected:
  ~Tickable() = default;
};

inline constexpr Duration kTickPeriod = 20ms;    // every tickable is called once in this time
inline constexpr Duration kSubTick = 5ms;        // tickables are spread over 4 groups, one group a sub-tick
inline constexpr Duration kSweepPeriod = 100ms;  // deadlines that need no precision

/// One io_context run by exactly one thread, with a media tick.
/// Owner:   a LoopGroup or a tool; outlives everything that runs on it.
/// Threads: post(), stop(), last_tick(), load() from any thread; the rest on the loop (or before it starts).
class Loop {
 public:
  /// `index` is 0-based; the loop's thread takes metrics shard index + 1.
  Loop(std::size_t index, metrics::Registry& registry);
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  std::size_t index() const { return index_; }
  asio::io_context& context() { return context_; }
  Executor executor() { return context_.get_executor(); }
  bool on_loop() const { return current() == this; }
  /// Started and not ended: what is posted will run. Any thread.
  bool running() const { return state_.load(std::memory_order_acquire) == State::running; }
  /// The loop whose thread is calling, or nullptr.
  static Loop* current() noexcept;

  /// Runs the loop in a thread of its own.
  void start();
  /// Runs the loop in the calling thread until stop() was called and all work has ended.
  void run();
  /// Any thread. No new ticks; run() returns once the last coroutine and handler have ended.
  void stop();
  /// Waits for the loop's thread. After `grace` the io_context is stopped: the last resort, which abandons coroutines
  /// instead of finishing them. True if it was not needed.
  bool join(Duration grace = std::chrono::seconds(10));

  /// Runs `f` on the loop, never inline. Any thread; `f` may be move-only. An exception from `f` is logged.
  template <class F>
  void post(F&& f) {
    asio::post(context_.get_executor(), std::forward<F>(f));
  }

  /// Calls `tickable` every 20 ms in the emptiest of four groups until the token dies. Late ticks catch up without
  /// bursts: a tickable is called at most once per pass, with the real time.
  Subscription add_tickable(Tickable& tickable);
  /// Calls `tickable` every 100 ms, spread likewise: for deadlines (idle, header, write) instead of a timer each.
  Subscription add_sweep(Tickable& tickable);

  /// Registered tickables and sweeps. Any thread.
  std::size_t tickables() const;
  /// When the loop last ticked; it ticks at least every 100 ms, even with nothing to do. Any thread.
  Instant last_tick() const { return Instant(Duration(last_tick_.load(std::memory_order_relaxed))); }

  /// What the loop carries, in calls or connections; only compared. Any thread.
  std::size_t load() const { return load_->load(std::memory_order_relaxed); }
  /// One unit of load() while the returned token lives. Unlike other subscriptions it may die on any thread.
  [[nodiscard]] Subscription take_load();

  struct Io;  // shared scratch space of this loop's sockets, private to the room
  Io& io() { return *io_; }

 private:
  class Wheel;
  void arm(Instant at);
  void on_timer();
  Subscription add_to(Wheel& wheel, Tickable& tickable);

  std::size_t index_;
  std::unique_ptr<Io> io_;  // outlives the context: handlers that die with it give their buffers back
  std::shared_ptr<Wheel> fast_, slow_;
  asio::io_context context_;
  asio::executor_work_guard<Executor> work_;
  Timer timer_;
  metrics::Histogram& lag_;
  metrics::Counter& skipped_;
  Instant next_{};    // the grid point the timer waits for
  bool idle_ = true;  // the timer waits for a whole sweep period
  bool stopping_ = false;
  std::thread thread_;
  // Any thread:
  std::atomic<Duration::rep> last_tick_{0};
  std::shared_ptr<std::atomic<std::size_t>> load_;
  enum class State { made, running, ended };
  std::atomic<State> state_{State::made};
};

/// The process's loops.
class LoopGroup {
 public:
  LoopGroup(std::size_t loops, metrics::Registry& registry);
  ~LoopGroup();

  std::size_t size() const { return loops_.size(); }
  Loop& at(std::size_t index) { return *loops_[index]; }
  void start();
  void stop();
  /// True if every loop ended by itself within `grace`.
  bool join(Duration grace = std::chrono::seconds(10));

  /// The loop with the smallest load(); ties go round. Any thread.
  Loop& least_loaded();
  /// Calls f(loop) on each loop.
  template <class F>
  void post_all(F f) {
    for (auto& loop : loops_) loop->post([f, raw = loop.get()]() mutable { f(*raw); });
  }
  /// The oldest heartbeat: liveness wants it younger than 4 s.
  Instant oldest_tick() const;

 private:
  std::vector<std::unique_ptr<Loop>> loops_;
  std::atomic<std::size_t> turn_{0};
};

}  // namespace voxgate::net
