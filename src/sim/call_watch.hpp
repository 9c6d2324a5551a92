#pragma once
// A call as the gateway's admin door tells it.

#include <string>
#include <string_view>

#include "voxgate/net/loop.hpp"
#include "voxgate/net/types.hpp"
#include "voxgate/sim/sim_call.hpp"

namespace voxgate::sim {

/// Reads GET /v1/calls/{id}; nullopt for anything that is not such an answer.
std::optional<GatewayCall> parse_gateway_call(std::string_view body);

/// Asks once. `reachable` is false when nobody answers, `found` when the gateway does not know the call.
net::Awaitable<GatewayCall> ask_gateway(net::Loop& loop, std::string admin, std::string token, std::string call_id);

}  // namespace voxgate::sim
