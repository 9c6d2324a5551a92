#pragma once
// Process signals, delivered on a loop.

#include <functional>
#include <memory>

#include "voxgate/net/loop.hpp"

namespace voxgate::net {

/// Delivers SIGTERM, SIGINT and SIGHUP to a callback on `loop` for as long as it lives, and ignores SIGPIPE for good.
/// Owner: main; destroyed while the loop runs or after it has ended.
class Signals {
 public:
  Signals(Loop& loop, std::function<void(int signal)> on_signal);
  ~Signals();
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

/// Writing to a closed socket is an error code, never a signal.
void ignore_sigpipe();

}  // namespace voxgate::net
