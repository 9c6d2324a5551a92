#include "voxgate/gateway/admission.hpp"

namespace voxgate::gateway {

const char* to_string(Refusal refusal) {
  return refusal == Refusal::full ? "full" : "draining";
}

std::variant<Admission::Ticket, Refusal> Admission::try_enter() {
  if (draining()) return Refusal::draining;
  std::size_t now = state_->active.load(std::memory_order_relaxed);
  do {
    if (now >= state_->max_calls) return Refusal::full;
  } while (!state_->active.compare_exchange_weak(now, now + 1, std::memory_order_acq_rel, std::memory_order_relaxed));
  Ticket ticket(state_);
  if (draining()) return Refusal::draining;  // began in between: whoever drains may already have counted nobody
  return ticket;
}

}  // namespace voxgate::gateway
