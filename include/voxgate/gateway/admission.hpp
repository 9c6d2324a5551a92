#pragma once
// The hard cap: no ticket, no handshake. Nothing else in the process decides whether a call fits.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <variant>

namespace voxgate::gateway {

enum class Refusal : std::uint8_t { full, draining };
const char* to_string(Refusal refusal);

/// Threads: any. Exact: never more than `max_calls` tickets exist.
class Admission {
  struct State {
    std::atomic<std::size_t> active{0};
    std::atomic<bool> draining{false};
    std::size_t max_calls = 0;
  };

 public:
  /// One call's right to exist; gives itself back.
  class [[nodiscard]] Ticket {
   public:
    Ticket(Ticket&& other) noexcept : state_(std::move(other.state_)) {}
    Ticket& operator=(Ticket&& other) noexcept {
      if (this != &other) {
        release();
        state_ = std::move(other.state_);
      }
      return *this;
    }
    ~Ticket() { release(); }

   private:
    friend class Admission;
    explicit Ticket(std::shared_ptr<State> state) : state_(std::move(state)) {}
    void release() {
      if (auto state = std::move(state_)) state->active.fetch_sub(1, std::memory_order_acq_rel);
    }
    std::shared_ptr<State> state_;
  };

  explicit Admission(std::size_t max_calls) : state_(std::make_shared<State>()) { state_->max_calls = max_calls; }

  std::variant<Ticket, Refusal> try_enter();
  /// From now on nobody enters; those inside stay.
  void drain() { state_->draining.store(true, std::memory_order_release); }
  bool draining() const { return state_->draining.load(std::memory_order_acquire); }
  std::size_t active() const { return state_->active.load(std::memory_order_acquire); }
  std::size_t max_calls() const { return state_->max_calls; }

 private:
  std::shared_ptr<State> state_;
};

}  // namespace voxgate::gateway
