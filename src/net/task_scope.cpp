#include "voxgate/net/task_scope.hpp"

#include <algorithm>
#include <list>
#include <vector>

#include "voxgate/base/assert.hpp"
#include "voxgate/base/log.hpp"

namespace voxgate::net {

namespace detail {

void log_lost_exception(const char* where, std::exception_ptr error) noexcept {
  try {
    std::rethrow_exception(error);
  } catch (const boost::system::system_error& e) {
    if (e.code() == asio::error::operation_aborted) return;  // how a cancelled coroutine ends
    log::error("task.failed", {{"where", where}, {"error", e.what()}});
  } catch (const std::exception& e) {
    log::error("task.failed", {{"where", where}, {"error", e.what()}});
  } catch (...) {
    log::error("task.failed", {{"where", where}, {"error", "unknown"}});
  }
}

}  // namespace detail

void Event::set() {
  set_ = true;
  for (Timer* timer : *waiters_) timer->cancel();
}

Awaitable<bool> Event::wait() {
  const bool woken = co_await wait_until(Instant::max());
  co_return woken;
}

Awaitable<bool> Event::wait_until(Instant deadline) {
  if (set_) co_return true;
  Timer timer(executor_, deadline);
  struct Registered {
    std::shared_ptr<std::vector<Timer*>> all;
    Timer* mine;
    Registered(std::shared_ptr<std::vector<Timer*>> a, Timer* t) : all(std::move(a)), mine(t) { all->push_back(t); }
    ~Registered() { std::erase(*all, mine); }
  } registered(waiters_, &timer);
  auto [ec] = co_await timer.async_wait(kTuple);
  if (set_) co_return true;
  const auto state = co_await asio::this_coro::cancellation_state;
  // Aborted without a cancellation: set() woke us and reset() came before we ran.
  co_return ec == asio::error::operation_aborted&& state.cancelled() == asio::cancellation_type::none;
}

Awaitable<void> Event::wait_uncancelled() {
  const bool throws = co_await asio::this_coro::throw_if_cancelled();
  co_await asio::this_coro::throw_if_cancelled(false);
  while (!set_) co_await wait_until(Instant::max());
  co_await asio::this_coro::throw_if_cancelled(throws);
}

struct TaskScope::State {
  State(Loop& l, std::string n) : loop(l), name(std::move(n)), first(l.executor()), empty(l.executor()) {
    first.set();
    empty.set();
  }
  Loop& loop;
  std::string name;
  Event first;  // a child has ended, or there never was one
  Event empty;  // none runs
  std::list<asio::cancellation_signal> children;
  std::list<asio::cancellation_signal> graveyard;  // ended while cancel() was walking the children
  bool walking = false;
  bool any_ended = false;

  void ended(std::list<asio::cancellation_signal>::iterator child) {
    if (walking) {
      graveyard.splice(graveyard.end(), children, child);
    } else {
      children.erase(child);
    }
    any_ended = true;
    first.set();
    if (children.empty()) empty.set();
  }
};

TaskScope::TaskScope(Loop& loop, std::string name) : state_(std::make_shared<State>(loop, std::move(name))) {}

TaskScope::~TaskScope() {
  VOXGATE_ASSERT(state_->children.empty());
}

void TaskScope::spawn(Awaitable<void> child) {
  State& state = *state_;
  if (!state.any_ended) state.first.reset();
  state.empty.reset();
  const auto entry = state.children.emplace(state.children.end());
  auto finish = [shared = state_, entry](std::exception_ptr error) {
    if (error) detail::log_lost_exception(shared->name.c_str(), error);
    shared->ended(entry);
  };
  asio::co_spawn(state.loop.executor(), std::move(child),
                 asio::bind_cancellation_slot(entry->slot(), std::move(finish)));
}

std::size_t TaskScope::running() const {
  return state_->children.size();
}

Awaitable<void> TaskScope::any_done() {
  auto state = state_;
  co_await state->first.wait();
}

void TaskScope::cancel() {
  auto state = state_;
  state->walking = true;
  std::vector<asio::cancellation_signal*> all;  // one child's end may end another
  for (asio::cancellation_signal& child : state->children) all.push_back(&child);
  for (asio::cancellation_signal* child : all) child->emit(asio::cancellation_type::terminal);
  state->walking = false;
  state->graveyard.clear();
}

Awaitable<void> TaskScope::join() {
  auto state = state_;
  co_await state->empty.wait_uncancelled();
}

}  // namespace voxgate::net
