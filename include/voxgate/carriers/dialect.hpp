#pragma once
// A dialect: the codec of one telephony provider's media protocol. Bytes become events, commands become bytes.
//
// It holds protocol state only (ids, sequence numbers). Queueing, pacing, mark generations and transcoding are the
// playout's.

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "voxgate/audio/format.hpp"
#include "voxgate/base/time.hpp"

namespace voxgate::carriers {

using audio::AudioFormat;
using Params = std::vector<std::pair<std::string, std::string>>;

// ---- what a carrier can do
// -------------------------------------------------------------------------------------------

enum class MarksOnClear : std::uint8_t { echoed_same, echoed_tagged, dropped, unknown };
enum class Hangup : std::uint8_t { rest, ws, close, flow };

/// Drives pacing, marks and framing of the playout, so that no code outside a dialect asks which carrier it talks to.
struct Capabilities {
  bool binary_audio = false;  // audio goes out in binary messages; control messages are always text
  bool native_marks = true;
  MarksOnClear marks_on_clear = MarksOnClear::echoed_same;
  bool native_clear = true;
  std::size_t out_multiple_bytes = 1;  // every outbound message is a multiple of this
  Millis max_ahead{400};               // most audio it may be given beyond the play position
  bool reorders = false;               // may deliver media out of order
  bool dtmf_in = true, dtmf_out = false;
  Hangup hangup = Hangup::rest;
  std::size_t max_message_bytes = 64 * 1024;  // inbound
};

// ---- inbound
// ---------------------------------------------------------------------------------------------------------

struct StreamStart {
  std::string provider, stream_id, call_id, account_id, from, to;
  Params params;
  AudioFormat in, out;
};
/// One piece of caller audio. `bytes` lies in the scratch given to parse() and dies with the next parse().
struct MediaAudio {
  std::span<const std::uint8_t> bytes;  // StreamStart::in
  std::uint32_t chunk = 0;              // the carrier's own numbering; 0: none
  std::int64_t timestamp_ms = -1;       // since the start of the stream; -1: none
};
struct MediaDtmf {
  char digit = 0;  // 0-9 * # A-D
};
/// The carrier says that the mark was reached; whether by playing or by clearing, the playout knows from its
/// generation.
struct MediaMark {
  std::string name;
};
/// The carrier confirms that its buffer was emptied.
struct MediaCleared {};
/// The carrier ended the stream in its own words.
struct MediaStop {};
/// Understood as nothing to do: unknown event, other track, wrong stream, media before the start.
struct MediaIgnored {
  const char* why = "";
};
/// Not what the protocol allows: counted; too many end the call with 1007.
struct MediaMalformed {
  const char* why = "";
};
/// The stream may not go on (unusable start): close with this code.
struct MediaRefused {
  std::uint16_t close_code = 1008;
  const char* why = "";
};

using MediaEvent = std::variant<MediaIgnored, MediaAudio, MediaDtmf, MediaMark, MediaCleared, MediaStop, StreamStart,
                                MediaMalformed, MediaRefused>;

/// Reused buffer of a call for decoded payloads; grows to the largest message seen, never shrinks while the call lives.
struct ParseScratch {
  std::vector<std::uint8_t> payload;
  void reset() noexcept {
    if (payload.capacity() > 4096) std::vector<std::uint8_t>().swap(payload);
    payload.clear();
  }
};

// ---- outbound
// --------------------------------------------------------------------------------------------------------

/// How what an encode function appended must be sent; none: the carrier has no such message and nothing was appended.
enum class Framing : std::uint8_t { none, text, binary };

class Dialect {
 public:
  virtual ~Dialect() = default;
  virtual std::string_view name() const = 0;
  virtual const Capabilities& capabilities() const = 0;
  /// One WebSocket message. Never throws on input; allocates only for the rare messages.
  virtual MediaEvent parse(bool is_text, std::span<const std::uint8_t> message, ParseScratch& scratch) = 0;
  /// Each appends exactly one message to `out`. Nothing may be sent before the start.
  virtual Framing encode_audio(std::span<const std::uint8_t> bytes, std::string& out) = 0;
  virtual Framing encode_mark(std::string_view mark, std::string& out) = 0;
  virtual Framing encode_clear(std::string& out) = 0;
  virtual Framing encode_dtmf(char digit, std::string& out) = 0;
  /// The stream's last message, for carriers that want one before the close.
  virtual Framing encode_end(std::string& out) = 0;
};

/// The dialect that the first message of a connection speaks; nullptr if none does. The message is to be given to
/// parse() too.
std::unique_ptr<Dialect> detect_dialect(bool is_text, std::span<const std::uint8_t> first_message);

/// A dialect by name ("twilio", "raw"); nullptr if there is none.
std::unique_ptr<Dialect> make_dialect(std::string_view name);

/// Names make_dialect() knows.
std::vector<std::string> dialect_names();

}  // namespace voxgate::carriers
