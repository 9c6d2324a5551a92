#include "voxgate/net/worker_pool.hpp"

#include <pthread.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <optional>
#include <thread>
#include <unordered_map>
#include <vector>

#include "voxgate/base/log.hpp"

namespace voxgate::net {

struct WorkerPool::State {
  struct Item {
    Job job;
    std::optional<std::uint64_t> key;
  };

  State(std::string n, std::size_t limit, metrics::Registry& registry)
      : name(std::move(n)),
        max_queued(limit),
        depth(registry.gauge("voxgate_pool_queued", "Jobs waiting for a worker thread", {{"pool", name}})),
        busy(registry.gauge("voxgate_pool_running", "Jobs being run by worker threads", {{"pool", name}})),
        rejected(registry.counter("voxgate_pool_rejected_total", "Jobs refused by a full queue", {{"pool", name}})),
        failed(registry.counter("voxgate_pool_failed_total", "Jobs that ended with an exception", {{"pool", name}})) {}

  bool submit(Job job, std::optional<std::uint64_t> key);
  void run_thread();
  void run_one(Item& item);
  void note() {
    depth.set(static_cast<double>(queued));
    busy.set(static_cast<double>(running));
  }

  const std::string name;
  const std::size_t max_queued;
  metrics::Gauge& depth;
  metrics::Gauge& busy;
  metrics::Counter& rejected;
  metrics::Counter& failed;

  mutable std::mutex mutex;  // guards everything below
  std::condition_variable wake;
  std::deque<Item> ready;
  std::unordered_map<std::uint64_t, std::deque<Job>> keys;  // an entry lives while a job of its key is ready or running
  std::size_t queued = 0, running = 0;
  bool stopping = false;
  std::mutex stop_mutex;  // one stop() at a time
  std::vector<std::thread> threads;
};

bool WorkerPool::State::submit(Job job, std::optional<std::uint64_t> key) {
  {
    std::lock_guard lock(mutex);
    if (!stopping && queued < max_queued) {
      ++queued;
      note();
      if (key) {
        auto [entry, fresh] = keys.try_emplace(*key);
        if (!fresh) {
          entry->second.push_back(std::move(job));
          return true;
        }
      }
      ready.push_back({std::move(job), key});
      wake.notify_one();
      return true;
    }
  }
  rejected.add();
  return false;
}

void WorkerPool::State::run_one(Item& item) {
  try {
    item.job();
  } catch (const std::exception& e) {
    failed.add();
    log::error("pool.job_failed", {{"pool", name}, {"error", e.what()}});
  } catch (...) {
    failed.add();
    log::error("pool.job_failed", {{"pool", name}, {"error", "unknown"}});
  }
  item.job = Job{};  // its captures die here, without the lock
}

void WorkerPool::State::run_thread() {
  ::pthread_setname_np(::pthread_self(), name.substr(0, 15).c_str());
  std::unique_lock lock(mutex);
  while (true) {
    wake.wait(lock, [this] { return stopping || !ready.empty(); });
    if (ready.empty()) return;  // what is still behind a running job of its key is that job's thread's
    Item item = std::move(ready.front());
    ready.pop_front();
    --queued;
    ++running;
    note();
    lock.unlock();
    run_one(item);
    lock.lock();
    --running;
    if (item.key) {
      auto entry = keys.find(*item.key);
      if (entry->second.empty()) {
        keys.erase(entry);
      } else {
        ready.push_back({std::move(entry->second.front()), item.key});
        entry->second.pop_front();
        wake.notify_one();
      }
    }
    note();
  }
}

WorkerPool::WorkerPool(std::string name, std::size_t threads, std::size_t max_queued, metrics::Registry& registry)
    : state_(std::make_unique<State>(std::move(name), max_queued, registry)) {
  for (std::size_t i = 0; i < std::max<std::size_t>(threads, 1); ++i) {
    state_->threads.emplace_back([state = state_.get()] { state->run_thread(); });
  }
}

WorkerPool::~WorkerPool() {
  stop(Pending::drain);
}

bool WorkerPool::submit(Job job) {
  return state_->submit(std::move(job), std::nullopt);
}

bool WorkerPool::submit_keyed(std::uint64_t key, Job job) {
  return state_->submit(std::move(job), key);
}

void WorkerPool::stop(Pending pending) {
  std::lock_guard stop_lock(state_->stop_mutex);
  std::deque<State::Item> discarded;
  std::vector<std::deque<Job>> discarded_keyed;
  {
    std::lock_guard lock(state_->mutex);
    state_->stopping = true;
    if (pending == Pending::discard) {
      for (const State::Item& item : state_->ready) {
        if (item.key) {  // its key is not running: the entry goes with the job
          auto entry = state_->keys.find(*item.key);
          discarded_keyed.push_back(std::move(entry->second));
          state_->keys.erase(entry);
        }
      }
      for (auto& [key, jobs] : state_->keys) discarded_keyed.push_back(std::exchange(jobs, {}));
      discarded = std::exchange(state_->ready, {});
      state_->queued = 0;
      state_->note();
    }
    state_->wake.notify_all();
  }
  discarded.clear();
  discarded_keyed.clear();
  for (std::thread& thread : state_->threads) thread.join();
  state_->threads.clear();
}

std::size_t WorkerPool::queued() const {
  std::lock_guard lock(state_->mutex);
  return state_->queued;
}

std::size_t WorkerPool::running() const {
  std::lock_guard lock(state_->mutex);
  return state_->running;
}

}  // namespace voxgate::net
