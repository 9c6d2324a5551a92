#pragma once
// The operators' door and the metrics door.

#include <functional>
#include <string>

#include "gateway/call_session.hpp"
#include "gateway/health.hpp"
#include "voxgate/net/worker_pool.hpp"

namespace voxgate::gateway {

/// GET /v1/calls, GET /v1/calls/{id}, POST /v1/calls/{id}/{say,hangup}, POST /v1/drain, GET /v1/config, PUT
/// /v1/log-level, GET /metrics, health. With a token configured, every path but health wants it.
class AdminDoor final : public net::HttpHandler {
 public:
  AdminDoor(SessionDeps& deps, Admission& admission, Health& health, net::WorkerPool& readers,
            std::function<void()> request_drain)
      : deps_(deps),
        admission_(admission),
        health_(health),
        readers_(readers),
        request_drain_(std::move(request_drain)) {}

  net::Awaitable<net::HttpResponse> handle(net::Loop& loop, const net::HttpRequest& request) override;

 private:
  bool allowed(const net::HttpRequest& request) const;
  net::Awaitable<net::HttpResponse> calls(net::Loop& loop, const net::HttpRequest& request);
  net::Awaitable<net::HttpResponse> show(net::Loop& loop, std::string call_id);
  net::Awaitable<net::HttpResponse> command(net::Loop& loop, std::string call_id, std::string verb, std::string body);
  net::HttpResponse set_log_level(const std::string& body);

  SessionDeps& deps_;
  Admission& admission_;
  Health& health_;
  net::WorkerPool& readers_;
  std::function<void()> request_drain_;
};

class MetricsDoor final : public net::HttpHandler {
 public:
  MetricsDoor(const metrics::Registry& registry, const Health& health) : registry_(registry), health_(health) {}
  net::Awaitable<net::HttpResponse> handle(net::Loop& loop, const net::HttpRequest& request) override;

 private:
  const metrics::Registry& registry_;
  const Health& health_;
};

net::HttpResponse metrics_page(const metrics::Registry& registry);

}  // namespace voxgate::gateway
