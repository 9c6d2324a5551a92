#include "voxgate/net/signals.hpp"

#include <boost/asio/basic_signal_set.hpp>
#include <csignal>

namespace voxgate::net {

struct Signals::State : std::enable_shared_from_this<Signals::State> {
  State(Loop& loop, std::function<void(int)> f)
      : set(loop.executor(), SIGTERM, SIGINT, SIGHUP), on_signal(std::move(f)) {}

  void wait() {
    set.async_wait([self = shared_from_this()](ErrorCode ec, int signal) {
      if (ec || !self->on_signal) return;
      self->on_signal(signal);
      if (self->on_signal) self->wait();
    });
  }

  asio::basic_signal_set<Executor> set;
  std::function<void(int)> on_signal;
};

Signals::Signals(Loop& loop, std::function<void(int)> on_signal)
    : state_(std::make_shared<State>(loop, std::move(on_signal))) {
  ignore_sigpipe();
  loop.post([state = state_] { state->wait(); });
}

Signals::~Signals() {
  // The set belongs to the loop's thread; what is left of it dies there, or with the loop.
  asio::post(state_->set.get_executor(), [state = state_] {
    state->on_signal = nullptr;
    ErrorCode ignored;
    state->set.cancel(ignored);
  });
}

void ignore_sigpipe() {
  std::signal(SIGPIPE, SIG_IGN);
}

}  // namespace voxgate::net
