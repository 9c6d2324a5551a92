#pragma once
// Generational handles: whoever answers later holds a handle, never a pointer; a handle of a dead generation finds
// nothing.

#include <cstdint>
#include <functional>
#include <vector>

namespace voxgate {

/// Names one value of a SlotMap. The default handle names nothing.
struct Handle {
  std::uint32_t index = 0;
  std::uint32_t generation = 0;  // 0 is never live
  friend bool operator==(Handle, Handle) = default;
  explicit operator bool() const { return generation != 0; }
};

/// Bounded table of pointers to values owned elsewhere.
/// Threads: one loop. Memory: grows to `capacity` entries once, then never allocates.
template <class T>
class SlotMap {
 public:
  explicit SlotMap(std::size_t capacity) : capacity_(capacity) {}

  /// Registers `value`; the empty handle when the table is full.
  Handle insert(T* value) {
    std::uint32_t index;
    if (!free_.empty()) {
      index = free_.back();
      free_.pop_back();
    } else if (slots_.size() < capacity_) {
      index = static_cast<std::uint32_t>(slots_.size());
      slots_.push_back({});
      free_.reserve(slots_.capacity());
    } else {
      return {};
    }
    Slot& slot = slots_[index];
    slot.value = value;
    ++live_;
    return {index, slot.generation};
  }

  /// The live value, or nullptr if it has ended (counted in stale()).
  T* find(Handle handle) {
    if (handle.index < slots_.size() && handle.generation != 0) {
      Slot& slot = slots_[handle.index];
      if (slot.value != nullptr && slot.generation == handle.generation) return slot.value;
    }
    ++stale_;
    return nullptr;
  }

  bool erase(Handle handle) {
    if (handle.index >= slots_.size()) return false;
    Slot& slot = slots_[handle.index];
    if (slot.value == nullptr || slot.generation != handle.generation) return false;
    slot.value = nullptr;
    if (++slot.generation == 0) slot.generation = 1;
    free_.push_back(handle.index);
    --live_;
    return true;
  }

  /// Calls f(handle, value) for each live value; f may erase the value it is given.
  template <class F>
  void for_each(F&& f) {
    for (std::uint32_t i = 0; i < slots_.size(); ++i) {
      if (slots_[i].value != nullptr) f(Handle{i, slots_[i].generation}, *slots_[i].value);
    }
  }

  std::size_t size() const { return live_; }
  std::size_t capacity() const { return capacity_; }
  /// Look-ups that named a dead generation since construction.
  std::uint64_t stale() const { return stale_; }

 private:
  struct Slot {
    T* value = nullptr;
    std::uint32_t generation = 1;
  };
  std::size_t capacity_;
  std::vector<Slot> slots_;
  std::vector<std::uint32_t> free_;
  std::size_t live_ = 0;
  std::uint64_t stale_ = 0;
};

}  // namespace voxgate
