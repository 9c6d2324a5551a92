#pragma once
// X-Twilio-Signature. Source: telephony.md section 1.2.

#include <string>
#include <string_view>
#include <vector>

#include "voxgate/carriers/dialect.hpp"

namespace voxgate::carriers {

/// base64(HMAC-SHA1(token, url + sorted form parameters)). Repeated keys: values de-duplicated and sorted.
std::string twilio_signature(std::string_view auth_token, std::string_view url, const Params& form);

/// Checks `signature` in constant time against the URL as configured, without its port, and with the scheme's default
/// port written out; against every token (old and new during a rotation). `form` is empty for a WebSocket upgrade.
bool verify_twilio_signature(const std::vector<std::string>& auth_tokens, std::string_view url, const Params& form,
                             std::string_view signature);

/// A JSON webhook carries bodySHA256 in its query: checks that it is the lower-case hex SHA-256 of the body.
bool verify_body_sha256(std::string_view expected_hex, std::string_view body);

}  // namespace voxgate::carriers
