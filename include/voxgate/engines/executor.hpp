#pragma once
// How the engines reach their threads: given as functions, so that a test can run everything inline.

#include <cstdint>
#include <functional>

namespace voxgate::engines {

/// Runs the function on the loop that owns the stream, later or at once; any thread may call it.
using Post = std::function<void(std::function<void()>)>;

/// Runs the job on a worker thread; jobs of one key in order, one at a time. False: no room, the job was dropped.
using Submit = std::function<bool(std::uint64_t key, std::function<void()> job)>;

}  // namespace voxgate::engines
