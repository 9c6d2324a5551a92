#pragma once
// Liveness and readiness, asked on every door.

#include <string>
#include <vector>

#include "voxgate/gateway/admission.hpp"
#include "voxgate/net/http.hpp"
#include "voxgate/net/loop.hpp"

namespace voxgate::gateway {

class Health {
 public:
  Health(const Admission& admission, const net::LoopGroup& loops) : admission_(admission), loops_(loops) {}

  /// 200 while every loop ticks (heartbeat younger than 4 s).
  net::HttpResponse live() const;
  /// 200 while a new call would be taken; else 503 with the reasons.
  net::HttpResponse ready() const;
  std::vector<std::string> reasons_not_ready() const;

 private:
  const Admission& admission_;
  const net::LoopGroup& loops_;
};

}  // namespace voxgate::gateway
