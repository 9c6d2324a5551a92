#pragma once
// Listener handles: registering returns a token whose destructor removes exactly that listener. There is no broadcast
// and no "remove all".

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <unordered_map>
#include <utility>

namespace voxgate {

/// Move-only token; the destructor or reset() removes the listener, at most once.
/// Threads: used on the loop that owns the table it came from.
class [[nodiscard]] Subscription {
 public:
  Subscription() = default;
  explicit Subscription(std::function<void()> off) : off_(std::move(off)) {}
  Subscription(Subscription&& other) noexcept : off_(std::exchange(other.off_, nullptr)) {}
  Subscription& operator=(Subscription&& other) noexcept {
    if (this != &other) {
      reset();
      off_ = std::exchange(other.off_, nullptr);
    }
    return *this;
  }
  Subscription(const Subscription&) = delete;
  Subscription& operator=(const Subscription&) = delete;
  ~Subscription() { reset(); }

  void reset() noexcept {
    if (auto off = std::exchange(off_, nullptr)) off();
  }
  explicit operator bool() const { return static_cast<bool>(off_); }

 private:
  std::function<void()> off_;
};

/// Routes by key to the one listener registered for it. Either side may die first.
/// Threads: one loop; size() may be read from any thread (it feeds the listener gauge).
template <class Key, class Listener>
class ListenerTable {
 public:
  /// A key that is taken keeps its listener; the returned token is then empty.
  Subscription add(const Key& key, Listener listener) {
    auto [it, fresh] = state_->map.emplace(key, std::move(listener));
    if (!fresh) return Subscription{};
    state_->count.store(state_->map.size(), std::memory_order_relaxed);
    std::weak_ptr<State> weak = state_;
    return Subscription([weak, key] {
      auto state = weak.lock();
      if (!state) return;
      state->map.erase(key);
      state->count.store(state->map.size(), std::memory_order_relaxed);
    });
  }

  /// The listener for `key`, or nullptr. Copy it before calling if the call may remove it.
  Listener* find(const Key& key) {
    auto it = state_->map.find(key);
    return it == state_->map.end() ? nullptr : &it->second;
  }

  std::size_t size() const { return state_->count.load(std::memory_order_relaxed); }

 private:
  struct State {
    std::unordered_map<Key, Listener> map;
    std::atomic<std::size_t> count{0};
  };
  std::shared_ptr<State> state_ = std::make_shared<State>();
};

}  // namespace voxgate
