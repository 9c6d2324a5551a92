#pragma once
// Pools sized by the cap: a lease is a unique_ptr that gives back.

#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace voxgate {

/// Hands out at most `capacity` objects, each made once (on first need) and reset when it returns.
/// Threads: any. A lease may outlive the Pool object; the storage lives as long as the last lease.
/// T needs `void reset() noexcept`, so the next user cannot see the last one's data.
template <class T>
class Pool {
  struct State {
    std::mutex mutex;
    std::vector<std::unique_ptr<T>> idle;
    std::size_t made = 0;
    std::size_t leased = 0;
    std::size_t high_water = 0;
    std::size_t capacity = 0;
  };

 public:
  struct Return {
    std::shared_ptr<State> home;
    void operator()(T* object) const noexcept {
      object->reset();
      std::lock_guard lock(home->mutex);
      home->idle.emplace_back(object);  // capacity was reserved: cannot throw
      --home->leased;
    }
  };
  using Lease = std::unique_ptr<T, Return>;

  explicit Pool(std::size_t capacity) : state_(std::make_shared<State>()) {
    state_->capacity = capacity;
    state_->idle.reserve(capacity);
  }

  /// An empty lease means "shed this call", never "allocate more".
  template <class... Args>
  Lease try_acquire(Args&&... args) {
    std::unique_lock lock(state_->mutex);
    if (!state_->idle.empty()) {
      std::unique_ptr<T> object = std::move(state_->idle.back());
      state_->idle.pop_back();
      count_lease();
      return Lease(object.release(), Return{state_});
    }
    if (state_->made >= state_->capacity) return Lease(nullptr, Return{state_});
    auto object = std::make_unique<T>(std::forward<Args>(args)...);
    ++state_->made;
    count_lease();
    return Lease(object.release(), Return{state_});
  }

  struct Stats {
    std::size_t capacity, made, leased, high_water;
  };
  Stats stats() const {
    std::lock_guard lock(state_->mutex);
    return {state_->capacity, state_->made, state_->leased, state_->high_water};
  }

 private:
  void count_lease() {
    if (++state_->leased > state_->high_water) state_->high_water = state_->leased;
  }
  std::shared_ptr<State> state_;
};

}  // namespace voxgate
