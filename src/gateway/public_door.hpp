#pragma once
// The carriers' door: media upgrades, call-control webhooks, health.

#include <string>
#include <string_view>

#include "gateway/call_session.hpp"
#include "gateway/health.hpp"
#include "gateway/transfers.hpp"
#include "voxgate/carriers/twiml.hpp"
#include "voxgate/gateway/stream_token.hpp"

namespace voxgate::gateway {

/// One object for all connections, on all loops.
class PublicDoor final : public net::HttpHandler {
 public:
  PublicDoor(SessionDeps& deps, Admission& admission, SlotPool& slots, Health& health, Transfers& transfers)
      : deps_(deps), admission_(admission), slots_(slots), health_(health), transfers_(transfers) {}

  net::Awaitable<net::HttpResponse> handle(net::Loop& loop, const net::HttpRequest& request) override;
  net::Awaitable<net::UpgradeDecision> upgrade(net::Loop& loop, const net::HttpRequest& request) override;

 private:
  struct Authorized {
    bool ok = false;
    int status = 403;
    std::string agent, carrier, token;
    std::int64_t token_expires = 0;
  };
  net::HttpResponse twilio_voice(const net::HttpRequest& request);
  net::HttpResponse twilio_continue(const net::HttpRequest& request);
  /// The form, if the carrier's signature covers it (or nobody asks for one).
  std::optional<carriers::Params> signed_form(const net::HttpRequest& request, net::HttpResponse& refusal) const;
  Authorized authorize(const net::HttpRequest& request, const std::string& call_id, const std::string& token) const;
  net::UpgradeDecision decide(net::Loop& loop, const net::HttpRequest& request);
  net::HttpResponse refuse(int status, const char* reason, const std::string& detail = {}) const;
  /// Under which scheme and host carriers reach us; from the configuration, else from the request.
  std::string base_url(const net::HttpRequest& request, bool websocket) const;

  SessionDeps& deps_;
  Admission& admission_;
  SlotPool& slots_;
  Health& health_;
  Transfers& transfers_;
  UsedTokens used_tokens_;
};

}  // namespace voxgate::gateway
