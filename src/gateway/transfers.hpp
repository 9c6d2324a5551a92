#pragma once
// Calls the agent handed to somebody else: what the carrier's next webhook is told to do with them.

#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

namespace voxgate::gateway {

/// Threads: any. Bounded: the oldest is forgotten.
class Transfers {
 public:
  void put(std::string call_id, std::string to) {
    std::lock_guard lock(mutex_);
    if (waiting_.size() >= kMax) waiting_.pop_front();
    waiting_.emplace_back(std::move(call_id), std::move(to));
  }
  std::optional<std::string> take(const std::string& call_id) {
    std::lock_guard lock(mutex_);
    for (auto it = waiting_.begin(); it != waiting_.end(); ++it) {
      if (it->first != call_id) continue;
      std::string to = std::move(it->second);
      waiting_.erase(it);
      return to;
    }
    return std::nullopt;
  }

 private:
  static constexpr std::size_t kMax = 10000;
  std::mutex mutex_;
  std::deque<std::pair<std::string, std::string>> waiting_;
};

}  // namespace voxgate::gateway
