#pragma once
// What the sockets of one loop share: scratch space for reads, recycled outbound messages, mask keys, and the batch of
// sockets to flush. Everything here belongs to the loop's thread.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "voxgate/net/loop.hpp"

namespace voxgate::net {

/// A socket with bytes to send at the end of the current tick or read.
struct Flushable {
  virtual void flush() = 0;
  bool flush_pending = false;

 protected:
  ~Flushable() = default;
};

/// One framed message on its way out; a node of its socket's queue or of the loop's free list.
struct OutMessage {
  OutMessage* next = nullptr;
  std::string bytes;    // payload while it is built, header and payload once queued
  Instant queued_at{};  // unset until a flush left it behind
  std::uint8_t opcode = 0;
  bool droppable = false;
};

struct Loop::Io {
  static constexpr std::size_t kScratchBytes = 64 * 1024;
  static constexpr std::size_t kFreeMessages = 512;       // kept for re-use
  static constexpr std::size_t kKeptCapacity = 4 * 1024;  // a message that grew larger gives its memory back

  Io() = default;
  ~Io();
  Io(const Io&) = delete;
  Io& operator=(const Io&) = delete;

  /// 64 KiB that are free until the next suspension.
  std::uint8_t* scratch();
  OutMessage* take_message();
  void recycle(OutMessage* message) noexcept;
  /// Unpredictable, as RFC 6455 section 5.3 wants it.
  std::uint32_t mask_key();

  bool batching() const { return depth_ > 0; }
  void flush_later(Flushable& socket);
  void forget(Flushable& socket) noexcept;

  /// While one exists, sockets collect what they send; the last one to go flushes them.
  class Batch {
   public:
    explicit Batch(Io& io) : io_(io) { ++io_.depth_; }
    ~Batch() {
      if (--io_.depth_ == 0 && !io_.pending_.empty()) io_.flush_all();
    }
    Batch(const Batch&) = delete;
    Batch& operator=(const Batch&) = delete;

   private:
    Io& io_;
  };

 private:
  void flush_all() noexcept;

  std::unique_ptr<std::uint8_t[]> scratch_;
  OutMessage* free_ = nullptr;
  std::size_t free_count_ = 0;
  std::vector<Flushable*> pending_;
  int depth_ = 0;
  std::vector<std::uint32_t> keys_;
};

}  // namespace voxgate::net
