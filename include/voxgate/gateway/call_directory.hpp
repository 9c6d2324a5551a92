#pragma once
// Which calls live where: what the admin door asks. Touched when a call starts and ends, never per frame.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "voxgate/base/slot_map.hpp"
#include "voxgate/base/subscription.hpp"
#include "voxgate/base/time.hpp"

namespace voxgate::net {
class Loop;
}

namespace voxgate::gateway {

struct CallAddress {
  net::Loop* loop = nullptr;
  Handle handle;
  std::string call_id, carrier, agent;
  Instant started{};
};

/// Threads: any.
class CallDirectory {
 public:
  /// The token removes exactly this entry; nullopt where a call of this id is live.
  std::optional<Subscription> add(CallAddress address);
  std::optional<CallAddress> find(const std::string& call_id) const;
  std::vector<CallAddress> list() const;
  std::size_t size() const;

 private:
  struct State {
    mutable std::mutex mutex;
    std::map<std::string, CallAddress> calls;  // by call id
  };
  std::shared_ptr<State> state_ = std::make_shared<State>();
};

}  // namespace voxgate::gateway
