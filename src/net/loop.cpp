#include "voxgate/net/loop.hpp"

#include <pthread.h>

#include <algorithm>
#include <string>

#include "net/loop_io.hpp"
#include "voxgate/base/assert.hpp"
#include "voxgate/base/log.hpp"

namespace voxgate::net {
namespace {

thread_local Loop* t_current = nullptr;

constexpr std::size_t kFastGroups = kTickPeriod / kSubTick;
constexpr std::size_t kSlowGroups = kSweepPeriod / kSubTick;

void log_exception(const char* where) noexcept {
  try {
    throw;
  } catch (const std::exception& e) {
    log::error("loop.exception", {{"where", where}, {"error", e.what()}});
  } catch (...) {
    log::error("loop.exception", {{"where", where}, {"error", "unknown"}});
  }
}

}  // namespace

/// Tickables in groups; one group a sub-tick. A tickable that is removed while groups are walked leaves a hole, which
/// is closed afterwards.
class Loop::Wheel {
 public:
  explicit Wheel(std::size_t groups) : groups_(groups) {}

  void add(Tickable& tickable) {
    auto emptiest = std::min_element(groups_.begin(), groups_.end(),
                                     [](const Group& a, const Group& b) { return a.live < b.live; });
    emptiest->members.push_back(&tickable);
    ++emptiest->live;
    count_.store(size() + 1, std::memory_order_relaxed);
  }

  void remove(Tickable& tickable) noexcept {
    for (Group& group : groups_) {
      auto it = std::find(group.members.begin(), group.members.end(), &tickable);
      if (it == group.members.end()) continue;
      --group.live;
      count_.store(size() - 1, std::memory_order_relaxed);
      if (walking_) {
        *it = nullptr;
        holes_ = true;
      } else {
        *it = group.members.back();
        group.members.pop_back();
      }
      return;
    }
  }

  std::size_t size() const { return count_.load(std::memory_order_relaxed); }

  void run(std::size_t groups, Instant now, Io& io) {
    walking_ = true;
    for (std::size_t n = std::min(groups, groups_.size()); n > 0; --n) {
      Group& group = groups_[cursor_];
      cursor_ = (cursor_ + 1) % groups_.size();
      for (std::size_t i = 0; i < group.members.size(); ++i) {  // a tick may add members
        if (group.members[i] == nullptr) continue;
        Io::Batch batch(io);
        try {
          group.members[i]->tick(now);
        } catch (...) {
          log_exception("tick");
        }
      }
    }
    walking_ = false;
    if (std::exchange(holes_, false)) {
      for (Group& group : groups_) std::erase(group.members, nullptr);
    }
  }

 private:
  struct Group {
    std::vector<Tickable*> members;
    std::size_t live = 0;
  };
  std::vector<Group> groups_;
  std::size_t cursor_ = 0;
  bool walking_ = false, holes_ = false;
  std::atomic<std::size_t> count_{0};  // read by any thread
};

Loop::Loop(std::size_t index, metrics::Registry& registry)
    : index_(index),
      io_(std::make_unique<Io>()),
      fast_(std::make_shared<Wheel>(kFastGroups)),
      slow_(std::make_shared<Wheel>(kSlowGroups)),
      context_(1),
      work_(context_.get_executor()),
      timer_(context_.get_executor()),
      lag_(registry.histogram("voxgate_loop_lag_seconds", "How late the media tick ran", metrics::short_bounds())),
      skipped_(registry.counter("voxgate_loop_skipped_ticks_total", "Sub-ticks that were due before a late one ran")),
      load_(std::make_shared<std::atomic<std::size_t>>(0)) {
  last_tick_.store(Clock::now().time_since_epoch().count(), std::memory_order_relaxed);
}

Loop::~Loop() {
  if (thread_.joinable()) {
    stop();
    join(Duration::zero());
  }
}

Loop* Loop::current() noexcept {
  return t_current;
}

void Loop::start() {
  VOXGATE_ASSERT(!thread_.joinable());
  state_.store(State::running, std::memory_order_release);
  thread_ = std::thread([this] {
    const std::string name = "loop" + std::to_string(index_);
    ::pthread_setname_np(::pthread_self(), name.c_str());
    run();
  });
}

void Loop::run() {
  t_current = this;
  state_.store(State::running, std::memory_order_release);
  metrics::set_shard(index_ + 1);
  if (!stopping_) arm(Clock::now() + (idle_ ? kSweepPeriod : kSubTick));
  while (true) {
    try {
      context_.run();
      break;
    } catch (...) {
      log_exception("handler");
    }
  }
  metrics::set_shard(0);
  t_current = nullptr;
  state_.store(State::ended, std::memory_order_release);
}

void Loop::stop() {
  post([this] {
    stopping_ = true;
    timer_.cancel();
    work_.reset();
  });
}

bool Loop::join(Duration grace) {
  if (!thread_.joinable()) return true;
  // Checked every few milliseconds: C++20 has no timed atomic wait, and this runs once in a process's life.
  const Instant deadline = Clock::now() + grace;
  bool by_itself = true;
  while (running()) {
    if (Clock::now() >= deadline) {
      by_itself = false;
      log::error("loop.abandoned", {{"loop", index_}});
      context_.stop();
      break;
    }
    std::this_thread::sleep_for(1ms);
  }
  thread_.join();
  return by_itself;
}

std::size_t Loop::tickables() const {
  return fast_->size() + slow_->size();
}

void Loop::arm(Instant at) {
  next_ = at;
  timer_.expires_at(at);
  timer_.async_wait([this](ErrorCode ec) {
    if (!ec && !stopping_) on_timer();
  });
}

void Loop::on_timer() {
  const Instant now = Clock::now();
  last_tick_.store(now.time_since_epoch().count(), std::memory_order_relaxed);
  const Duration late = std::max(now - next_, Duration::zero());
  lag_.observe(to_seconds(late));
  if (idle_) return arm(now + kSweepPeriod);
  const std::size_t missed = static_cast<std::size_t>(late / kSubTick);
  if (missed > 0) skipped_.add(missed);
  const Instant following = next_ + (missed + 1) * kSubTick;  // on the grid: no drift
  fast_->run(missed + 1, now, *io_);
  slow_->run(missed + 1, now, *io_);
  idle_ = tickables() == 0;
  arm(idle_ ? now + kSweepPeriod : following);
}

Subscription Loop::add_to(Wheel& wheel, Tickable& tickable) {
  VOXGATE_ASSERT(on_loop() || current() == nullptr);
  wheel.add(tickable);
  if (std::exchange(idle_, false) && current() == this && !stopping_) arm(Clock::now() + kSubTick);
  std::weak_ptr<Wheel> weak = &wheel == fast_.get() ? fast_ : slow_;
  return Subscription([weak = std::move(weak), raw = &tickable] {
    if (auto alive = weak.lock()) alive->remove(*raw);
  });
}

Subscription Loop::add_tickable(Tickable& tickable) {
  return add_to(*fast_, tickable);
}

Subscription Loop::add_sweep(Tickable& tickable) {
  return add_to(*slow_, tickable);
}

Subscription Loop::take_load() {
  load_->fetch_add(1, std::memory_order_relaxed);
  return Subscription([load = load_] { load->fetch_sub(1, std::memory_order_relaxed); });
}

LoopGroup::LoopGroup(std::size_t loops, metrics::Registry& registry) {
  loops_.reserve(loops);
  for (std::size_t i = 0; i < std::max<std::size_t>(loops, 1); ++i) {
    loops_.push_back(std::make_unique<Loop>(i, registry));
  }
}

LoopGroup::~LoopGroup() {
  stop();
  join();
}

void LoopGroup::start() {
  for (auto& loop : loops_) loop->start();
}

void LoopGroup::stop() {
  for (auto& loop : loops_) loop->stop();
}

bool LoopGroup::join(Duration grace) {
  const Instant deadline = Clock::now() + grace;
  bool clean = true;
  for (auto& loop : loops_) clean = loop->join(std::max(deadline - Clock::now(), Duration::zero())) && clean;
  return clean;
}

Loop& LoopGroup::least_loaded() {
  const std::size_t first = turn_.fetch_add(1, std::memory_order_relaxed);
  Loop* best = loops_[first % loops_.size()].get();
  for (std::size_t i = 1; i < loops_.size(); ++i) {
    Loop* other = loops_[(first + i) % loops_.size()].get();
    if (other->load() < best->load()) best = other;
  }
  return *best;
}

Instant LoopGroup::oldest_tick() const {
  Instant oldest = loops_.front()->last_tick();
  for (const auto& loop : loops_) oldest = std::min(oldest, loop->last_tick());
  return oldest;
}

}  // namespace voxgate::net
