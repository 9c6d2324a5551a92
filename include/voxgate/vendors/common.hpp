#pragma once
// What every AI service's stream shares: errors and what the dialog expects to hear next.

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "voxgate/audio/format.hpp"
#include "voxgate/base/time.hpp"

namespace voxgate::vendors {

using audio::AudioFormat;

/// Why a service failed, normalised over vendors.
struct Error {
  enum class Kind { auth, quota, rate_limit, config, protocol, timeout, transport, server };
  Kind kind = Kind::server;
  bool retryable = false;
  std::optional<Millis> retry_after;
  int http_status = 0;
  int ws_code = 0;
  std::string provider_code, message, request_id;
};

const char* to_string(Error::Kind kind);

/// The shape of the answer that the dialog waits for; it chooses grammar, key terms and end-of-turn delay.
enum class AnswerKind : std::uint8_t { free, yes_no, digits, spelled, choice, date_time, name };

const char* to_string(AnswerKind kind);
std::optional<AnswerKind> parse_answer_kind(std::string_view text);

/// What the caller is expected to say next.
struct Expectation {
  AnswerKind kind = AnswerKind::free;
  /// Phrases in the small grammar language of agent files (see vendors/phrase_grammar.hpp); vendors use them as key
  /// terms.
  std::vector<std::string> phrases;
  /// Digits wanted, 0 if unknown; only for AnswerKind::digits.
  int digits = 0;
  /// Names a grammar the recogniser already knows (embedded engine: one per dialog state); empty: built from phrases.
  std::string grammar;

  friend bool operator==(const Expectation&, const Expectation&) = default;
};

/// Where a stream puts its events. Called on the loop of the call that owns the stream, possibly from within a command.
template <class Event>
using EventSink = std::function<void(Event&&)>;

}  // namespace voxgate::vendors
