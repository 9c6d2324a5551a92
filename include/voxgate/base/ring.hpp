#pragma once
// Bounded byte ring: audio in wire format, fixed storage borrowed or owned by the caller.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>

namespace voxgate {

/// Bytes in, bytes out, never more than `capacity`; storage grows by doubling up to the capacity and is given back by
/// shrink(). Threads: one loop.
class ByteRing {
 public:
  explicit ByteRing(std::size_t capacity_bytes) : capacity_(capacity_bytes) {}

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  std::size_t capacity() const { return capacity_; }
  std::size_t room() const { return capacity_ - size_; }
  std::size_t allocated() const { return allocated_; }

  /// Appends as much as fits and returns how many bytes that was.
  std::size_t push(std::span<const std::uint8_t> bytes) {
    const std::size_t n = std::min(bytes.size(), room());
    if (n == 0) return 0;
    reserve(size_ + n);
    const std::size_t tail = (head_ + size_) % allocated_;
    const std::size_t first = std::min(n, allocated_ - tail);
    std::memcpy(data_.get() + tail, bytes.data(), first);
    std::memcpy(data_.get(), bytes.data() + first, n - first);
    size_ += n;
    return n;
  }

  /// Copies up to out.size() bytes starting `offset` bytes after the front, without removing them.
  std::size_t peek(std::size_t offset, std::span<std::uint8_t> out) const {
    if (offset >= size_) return 0;
    const std::size_t n = std::min(out.size(), size_ - offset);
    const std::size_t from = (head_ + offset) % allocated_;
    const std::size_t first = std::min(n, allocated_ - from);
    std::memcpy(out.data(), data_.get() + from, first);
    std::memcpy(out.data() + first, data_.get(), n - first);
    return n;
  }

  std::size_t pop(std::span<std::uint8_t> out) {
    const std::size_t n = peek(0, out);
    drop(n);
    return n;
  }

  void drop(std::size_t n) {
    n = std::min(n, size_);
    if (n == 0) return;
    head_ = (head_ + n) % allocated_;
    size_ -= n;
  }

  void clear() { head_ = size_ = 0; }

  /// Gives the storage back when the ring is empty.
  void shrink() {
    if (size_ != 0) return;
    data_.reset();
    allocated_ = head_ = 0;
  }

 private:
  void reserve(std::size_t wanted) {
    if (wanted <= allocated_) return;
    std::size_t bytes = std::max<std::size_t>(allocated_ * 2, 2048);
    while (bytes < wanted) bytes *= 2;
    bytes = std::min(bytes, std::max(capacity_, wanted));
    auto grown = std::make_unique_for_overwrite<std::uint8_t[]>(bytes);
    const std::size_t kept = size_;
    if (kept != 0) peek(0, {grown.get(), kept});
    data_ = std::move(grown);
    allocated_ = bytes;
    head_ = 0;
  }

  std::size_t capacity_;
  std::unique_ptr<std::uint8_t[]> data_;
  std::size_t allocated_ = 0, head_ = 0, size_ = 0;
};

}  // namespace voxgate
