#include "net/loop_io.hpp"

#include <sys/random.h>

#include <algorithm>
#include <random>

namespace voxgate::net {

Loop::Io::~Io() {
  while (free_ != nullptr) delete std::exchange(free_, free_->next);
}

std::uint8_t* Loop::Io::scratch() {
  if (!scratch_) scratch_ = std::make_unique_for_overwrite<std::uint8_t[]>(kScratchBytes);
  return scratch_.get();
}

OutMessage* Loop::Io::take_message() {
  if (free_ == nullptr) return new OutMessage;
  OutMessage* message = std::exchange(free_, free_->next);
  --free_count_;
  message->next = nullptr;
  return message;
}

void Loop::Io::recycle(OutMessage* message) noexcept {
  if (free_count_ >= kFreeMessages || message->bytes.capacity() > kKeptCapacity) {
    delete message;
    return;
  }
  message->bytes.clear();
  message->queued_at = {};
  message->next = free_;
  free_ = message;
  ++free_count_;
}

std::uint32_t Loop::Io::mask_key() {
  if (keys_.empty()) {
    keys_.resize(256);
    const std::size_t bytes = keys_.size() * sizeof(std::uint32_t);
    if (::getrandom(keys_.data(), bytes, 0) != static_cast<ssize_t>(bytes)) {
      std::random_device device;
      std::generate(keys_.begin(), keys_.end(), [&device] { return device(); });
    }
  }
  const std::uint32_t key = keys_.back();
  keys_.pop_back();
  return key;
}

void Loop::Io::flush_later(Flushable& socket) {
  if (socket.flush_pending) return;
  pending_.push_back(&socket);
  socket.flush_pending = true;
}

void Loop::Io::forget(Flushable& socket) noexcept {
  if (!socket.flush_pending) return;
  socket.flush_pending = false;
  std::replace(pending_.begin(), pending_.end(), &socket, static_cast<Flushable*>(nullptr));
}

void Loop::Io::flush_all() noexcept {
  for (std::size_t i = 0; i < pending_.size(); ++i) {  // a flush may make another socket want one
    Flushable* socket = pending_[i];
    if (socket == nullptr) continue;
    socket->flush_pending = false;
    socket->flush();
  }
  pending_.clear();
}

}  // namespace voxgate::net
