#include "gateway/health.hpp"

#include <chrono>

namespace voxgate::gateway {
namespace {

constexpr const char* kJson = "application/json";
constexpr std::chrono::seconds kStale{4};

}  // namespace

net::HttpResponse Health::live() const {
  const bool ticking = Clock::now() - loops_.oldest_tick() < kStale;
  return net::HttpResponse(ticking ? 200 : 503, ticking ? "{\"status\":\"ok\"}\n" : "{\"status\":\"stalled\"}\n",
                           kJson);
}

std::vector<std::string> Health::reasons_not_ready() const {
  std::vector<std::string> reasons;
  if (admission_.draining()) reasons.emplace_back("draining");
  if (admission_.active() >= admission_.max_calls()) reasons.emplace_back("full");
  if (Clock::now() - loops_.oldest_tick() >= kStale) reasons.emplace_back("stalled");
  return reasons;
}

net::HttpResponse Health::ready() const {
  const auto reasons = reasons_not_ready();
  std::string list;
  for (const std::string& reason : reasons) list += (list.empty() ? "\"" : ",\"") + reason + '"';
  return net::HttpResponse(reasons.empty() ? 200 : 503,
                           "{\"ready\":" + std::string(reasons.empty() ? "true" : "false") + ",\"reasons\":[" + list +
                               "],\"calls\":" + std::to_string(admission_.active()) +
                               ",\"capacity\":" + std::to_string(admission_.max_calls()) + "}\n",
                           kJson);
}

}  // namespace voxgate::gateway
