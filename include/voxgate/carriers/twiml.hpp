#pragma once
// Call-control documents for Twilio: what POST /v1/twilio/voice answers. Source: telephony.md section 1.3.

#include <optional>
#include <string>
#include <string_view>

#include "voxgate/carriers/dialect.hpp"

namespace voxgate::carriers {

inline constexpr std::string_view kTwimlContentType = "text/xml";

struct ConnectStream {
  std::string stream_url;       // wss://..., no query string (the carrier refuses one)
  std::string action_url;       // asked when the stream ends; empty: none
  std::string status_callback;  // empty: none
  Params params;
};

/// <Connect><Stream>: blocks until the stream ends.
std::string connect_stream_twiml(const ConnectStream& connect);
/// Refuses the call before it is answered: <Reject reason="busy"/>.
std::string busy_twiml();
/// Says one sentence with the carrier's own voice and hangs up.
std::string say_and_hangup_twiml(std::string_view sentence);

/// Connects the caller to `number`.
std::string dial_twiml(std::string_view number);
std::string hangup_twiml();

/// Parses application/x-www-form-urlencoded; broken escapes make the whole body invalid.
std::optional<Params> parse_form(std::string_view body);

/// The value of `key`, or empty.
std::string_view param(const Params& params, std::string_view key);

}  // namespace voxgate::carriers
