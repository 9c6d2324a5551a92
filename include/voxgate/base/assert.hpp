#pragma once
// A broken invariant of ours (never input): aborts in debug builds, is counted and survived in release builds.

#include <cstdint>

namespace voxgate {

/// Called by VOXGATE_ASSERT. Debug builds abort; release builds count, print one line, and go on.
void assertion_failed(const char* expression, const char* file, int line) noexcept;

/// Failed assertions since the process started; exported as a metric.
std::uint64_t failed_assertions() noexcept;

}  // namespace voxgate

#define VOXGATE_ASSERT(expr) \
  (static_cast<bool>(expr) ? void(0) : ::voxgate::assertion_failed(#expr, __FILE__, __LINE__))
