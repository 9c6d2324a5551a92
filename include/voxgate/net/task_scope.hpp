#pragma once
// Structured concurrency on one loop: no coroutine runs detached, every wait can have a deadline.

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/this_coro.hpp>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "voxgate/net/loop.hpp"
#include "voxgate/net/types.hpp"
#include "voxgate/net/worker_pool.hpp"

namespace voxgate::net {

/// Wakes coroutines of one loop. Once set it stays set, and waiting returns at once, until reset().
/// Owner: whoever waits; Threads: one loop.
class Event {
 public:
  explicit Event(Executor executor) : executor_(executor), waiters_(std::make_shared<std::vector<Timer*>>()) {}

  bool is_set() const { return set_; }
  void set();
  void reset() { set_ = false; }
  /// True when the event was set; false when the waiting coroutine was cancelled (it then throws at its next await).
  Awaitable<bool> wait();
  /// As wait(), but no longer than until `deadline`; false when that passed.
  Awaitable<bool> wait_until(Instant deadline);
  /// Waits through a cancellation: for clean-up that must not be skipped.
  Awaitable<void> wait_uncancelled();

 private:
  Executor executor_;
  std::shared_ptr<std::vector<Timer*>> waiters_;  // outlives the event: an abandoned waiter may die after it
  bool set_ = false;
};

/// The children of one coroutine.
/// Owner:   the coroutine that joins them; debug builds abort when it is destroyed with children still running.
/// Threads: its loop only, cancel() included (another thread posts to the loop first).
/// A coroutine that can itself be cancelled and owns a scope starts with
/// `co_await asio::this_coro::throw_if_cancelled(false);`: without it, every co_await after a cancellation throws, that
/// of join() too.
class TaskScope {
 public:
  /// `name` appears in the log line of a child that failed.
  TaskScope(Loop& loop, std::string name);
  ~TaskScope();
  TaskScope(const TaskScope&) = delete;
  TaskScope& operator=(const TaskScope&) = delete;

  /// Starts a child; it may run up to its first suspension before this returns. An exception of a child is logged once
  /// and ends that child.
  void spawn(Awaitable<void> child);
  std::size_t running() const;
  /// Returns when at least one child has ended since the scope was made (at once if there never was one).
  Awaitable<void> any_done();
  /// Tells every running child to stop: its current await ends and the next one throws.
  void cancel();
  /// Returns when no child runs any more; a cancellation of the caller while it waits does not cut it short.
  Awaitable<void> join();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

namespace detail {
void log_lost_exception(const char* where, std::exception_ptr error) noexcept;

template <class T>
struct TimedOperation {
  explicit TimedOperation(Executor executor) : done(executor) {}
  Event done;
  std::optional<Result<T>> result;
  asio::cancellation_signal cancel;
};

template <class T>
Awaitable<void> run_timed(Awaitable<Result<T>> op, std::shared_ptr<TimedOperation<T>> state) {
  state->result.emplace(co_await std::move(op));
}
}  // namespace detail

/// Runs `op` for at most `limit`: after that `op` is cancelled, waited for, and Errc::timed_out returned. A
/// cancellation of the caller cancels `op` too (Errc::cancelled). An exception of `op` is logged and becomes
/// Errc::internal.
template <class T>
Awaitable<Result<T>> with_timeout(Awaitable<Result<T>> op, Duration limit) {
  const Executor executor = co_await asio::this_coro::executor;
  auto state = std::make_shared<detail::TimedOperation<T>>(executor);
  auto finish = [state](std::exception_ptr error) {
    if (error) detail::log_lost_exception("with_timeout", error);
    if (!state->result) state->result.emplace(make_error_code(Errc::internal));
    state->done.set();
  };
  auto child = detail::run_timed<T>(std::move(op), state);
  auto bound = asio::bind_cancellation_slot(state->cancel.slot(), std::move(finish));
  asio::co_spawn(executor, std::move(child), std::move(bound));
  const Instant deadline = Clock::now() + limit;
  co_await asio::this_coro::throw_if_cancelled(false);
  const bool in_time = co_await state->done.wait_until(deadline);
  Errc reason = Errc::timed_out;
  if (!in_time) {
    if (Clock::now() < deadline) reason = Errc::cancelled;
    state->cancel.emit(asio::cancellation_type::terminal);
    co_await state->done.wait_uncancelled();
  }
  co_await asio::this_coro::throw_if_cancelled(true);
  if (!in_time) co_return make_error_code(reason);
  co_return std::move(*state->result);
}

/// Runs `f` on `pool` and resumes here with what it returned. Not cancellable half-way: a cancelled caller still waits.
/// Errc::full when the pool's queue is full (or it is stopping); an exception is logged and becomes Errc::internal.
/// Call as `auto job = [...]; auto r = co_await offload(loop, pool, std::move(job));` (a temporary lambda in a co_await
/// expression is destroyed twice by this compiler).
template <class F>
Awaitable<Result<std::invoke_result_t<F&>>> offload(Loop& loop, WorkerPool& pool, F f) {
  using T = std::invoke_result_t<F&>;
  struct State {
    State(Executor e, F job) : done(e), f(std::move(job)) {}
    Event done;
    F f;
    Result<T> result = make_error_code(Errc::cancelled);  // stays when the pool discards the job
  };
  auto state = std::make_shared<State>(loop.executor(), std::move(f));
  // Posts to the loop when it dies, so that a discarded job wakes its waiter as well.
  struct Wake {
    Loop* loop;
    std::shared_ptr<State> state;
    Wake(Loop* l, std::shared_ptr<State> s) : loop(l), state(std::move(s)) {}
    Wake(Wake&&) noexcept = default;
    Wake(const Wake&) = delete;
    ~Wake() {
      if (!state) return;
      auto wake = [s = std::move(state)] { s->done.set(); };
      loop->post(std::move(wake));
    }
  };
  auto work = [wake = Wake(&loop, state)]() mutable {
    State& s = *wake.state;
    try {
      if constexpr (std::is_void_v<T>) {
        s.f();
        s.result = Result<T>{};
      } else {
        s.result = s.f();
      }
    } catch (...) {
      detail::log_lost_exception("offload", std::current_exception());
      s.result = make_error_code(Errc::internal);
    }
  };
  const bool queued = pool.submit(std::move(work));
  if (!queued) co_return make_error_code(Errc::full);
  co_await state->done.wait_uncancelled();
  co_return std::move(state->result);
}

}  // namespace voxgate::net
