#pragma once
// Calls as the admin door shows them.

#include <string>
#include <vector>

#include "gateway/call_session.hpp"

namespace voxgate::gateway {

/// One live call with its turns. To be called on the call's loop.
std::string live_call_json(CallSession& session, const std::string& carrier);
/// One call of the records.
std::string stored_call_json(const records::StoredCall& call);
/// {"calls":[...]} of addresses.
std::string call_list_json(const std::vector<CallAddress>& calls);

}  // namespace voxgate::gateway
