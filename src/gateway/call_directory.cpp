#include "voxgate/gateway/call_directory.hpp"

namespace voxgate::gateway {

Subscription CallDirectory::add(CallAddress address) {
  std::uint64_t key;
  {
    std::lock_guard lock(state_->mutex);
    key = ++state_->next;
    state_->calls.emplace(key, std::move(address));
  }
  std::weak_ptr<State> weak = state_;
  return Subscription([weak, key] {
    if (auto state = weak.lock()) {
      std::lock_guard lock(state->mutex);
      state->calls.erase(key);
    }
  });
}

std::optional<CallAddress> CallDirectory::find(const std::string& call_id) const {
  std::lock_guard lock(state_->mutex);
  for (auto it = state_->calls.rbegin(); it != state_->calls.rend(); ++it) {
    if (it->second.call_id == call_id) return it->second;
  }
  return std::nullopt;
}

std::vector<CallAddress> CallDirectory::list() const {
  std::lock_guard lock(state_->mutex);
  std::vector<CallAddress> out;
  for (const auto& [key, address] : state_->calls) out.push_back(address);
  return out;
}

std::size_t CallDirectory::size() const {
  std::lock_guard lock(state_->mutex);
  return state_->calls.size();
}

}  // namespace voxgate::gateway
