#pragma once
// Twilio Media Streams (bidirectional), and whoever speaks the same wire. Source: telephony.md section 1.

#include <string>

#include "voxgate/carriers/dialect.hpp"

namespace voxgate {
class JsonCursor;
}

namespace voxgate::carriers {

class TwilioDialect final : public Dialect {
 public:
  std::string_view name() const override { return "twilio"; }
  const Capabilities& capabilities() const override;
  MediaEvent parse(bool is_text, std::span<const std::uint8_t> message, ParseScratch& scratch) override;
  Framing encode_audio(std::span<const std::uint8_t> bytes, std::string& out) override;
  Framing encode_mark(std::string_view mark, std::string& out) override;
  Framing encode_clear(std::string& out) override;
  Framing encode_dtmf(char digit, std::string& out) override;
  Framing encode_end(std::string& out) override;

  /// True for a first message of this family: connected with protocol "Call", or a start that carries streamSid and
  /// callSid.
  static bool speaks(std::string_view first_message);

 private:
  struct Fields;
  MediaEvent on_start(Fields& fields);
  MediaEvent on_media(Fields& fields, ParseScratch& scratch);

  bool started_ = false;
  std::string stream_sid_;   // as the carrier wrote it, unescaped
  std::string escaped_sid_;  // ready for a JSON string
  std::string audio_head_;   // everything of a media message before the payload
};

}  // namespace voxgate::carriers
