#include "voxgate/gateway/call_directory.hpp"

namespace voxgate::gateway {

std::optional<Subscription> CallDirectory::add(CallAddress address) {
  const std::string call_id = address.call_id;
  {
    std::lock_guard lock(state_->mutex);
    if (!state_->calls.emplace(call_id, std::move(address)).second) return std::nullopt;
  }
  std::weak_ptr<State> weak = state_;
  return Subscription([weak, call_id] {
    if (auto state = weak.lock()) {
      std::lock_guard lock(state->mutex);
      state->calls.erase(call_id);
    }
  });
}

std::optional<CallAddress> CallDirectory::find(const std::string& call_id) const {
  std::lock_guard lock(state_->mutex);
  const auto it = state_->calls.find(call_id);
  return it == state_->calls.end() ? std::nullopt : std::optional(it->second);
}

std::vector<CallAddress> CallDirectory::list() const {
  std::lock_guard lock(state_->mutex);
  std::vector<CallAddress> out;
  out.reserve(state_->calls.size());
  for (const auto& [id, address] : state_->calls) out.push_back(address);
  return out;
}

std::size_t CallDirectory::size() const {
  std::lock_guard lock(state_->mutex);
  return state_->calls.size();
}

}  // namespace voxgate::gateway
