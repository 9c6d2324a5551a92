#pragma once
// Time as the whole house uses it. Plain rooms take an Instant as an argument and never read a clock.

#include <chrono>
#include <cstdint>

namespace voxgate {

using namespace std::chrono_literals;

using Clock = std::chrono::steady_clock;
using Duration = Clock::duration;
using Instant = Clock::time_point;
using Millis = std::chrono::milliseconds;
using Micros = std::chrono::microseconds;

/// Wall time; only records, tokens and logs carry it.
using WallTime = std::chrono::system_clock::time_point;

/// Whole milliseconds, rounded towards zero.
inline std::int64_t to_ms(Duration d) {
  return std::chrono::duration_cast<Millis>(d).count();
}

/// Milliseconds with a fraction, for reports.
inline double to_ms_f(Duration d) {
  return std::chrono::duration<double, std::milli>(d).count();
}

inline double to_seconds(Duration d) {
  return std::chrono::duration<double>(d).count();
}

}  // namespace voxgate
