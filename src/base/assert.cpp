#include "voxgate/base/assert.hpp"

#include <atomic>
#include <cstdio>
#include <cstdlib>

namespace voxgate {
namespace {
std::atomic<std::uint64_t> g_failed{0};
}

void assertion_failed(const char* expression, const char* file, int line) noexcept {
  const auto count = g_failed.fetch_add(1, std::memory_order_relaxed) + 1;
  if (count <= 100) std::fprintf(stderr, "assertion failed: %s (%s:%d)\n", expression, file, line);
#ifndef NDEBUG
  std::abort();
#endif
}

std::uint64_t failed_assertions() noexcept {
  return g_failed.load(std::memory_order_relaxed);
}

}  // namespace voxgate
