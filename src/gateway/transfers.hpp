#pragma once
// Calls the agent handed to somebody else: what the carrier's next webhook is told to do with them.

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "voxgate/base/time.hpp"

namespace voxgate::gateway {

/// Threads: any. Bounded; an entry nobody asks for is forgotten after kKeep.
class Transfers {
 public:
  static constexpr std::chrono::minutes kKeep{10};
  static constexpr std::size_t kMax = 10000;

  void put(std::string call_id, std::string to, Instant now) {
    std::lock_guard lock(mutex_);
    std::erase_if(waiting_, [now](const auto& entry) { return now - entry.second.at > kKeep; });
    if (waiting_.size() < kMax) waiting_.insert_or_assign(std::move(call_id), Entry{std::move(to), now});
  }
  std::optional<std::string> take(const std::string& call_id) {
    std::lock_guard lock(mutex_);
    auto node = waiting_.extract(call_id);
    if (node.empty()) return std::nullopt;
    return std::move(node.mapped().to);
  }

 private:
  struct Entry {
    std::string to;
    Instant at;
  };
  std::mutex mutex_;
  std::map<std::string, Entry> waiting_;
};

}  // namespace voxgate::gateway
