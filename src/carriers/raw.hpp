#pragma once
// The raw dialect: binary audio both ways with a few JSON control messages; for browsers and programs of one's own.
//
// client -> gateway:
// {"event":"start","protocol":"raw","encoding":"s16le|mulaw|alaw","rate":16000,"callId":"...","params":{}}
//                    first, then binary messages of audio in that format; {"event":"dtmf","digit":"1"},
//                    {"event":"mark","name":"g1-1"} when what came before it has been played, {"event":"cleared"},
//                    {"event":"stop"}
// gateway -> client: binary audio in the same format; {"event":"mark","name":"g1-1"}, {"event":"clear"},
// {"event":"end"}

#include "voxgate/carriers/dialect.hpp"

namespace voxgate::carriers {

class RawDialect final : public Dialect {
 public:
  std::string_view name() const override { return "raw"; }
  const Capabilities& capabilities() const override;
  MediaEvent parse(bool is_text, std::span<const std::uint8_t> message, ParseScratch& scratch) override;
  Framing encode_audio(std::span<const std::uint8_t> bytes, std::string& out) override;
  Framing encode_mark(std::string_view mark, std::string& out) override;
  Framing encode_clear(std::string& out) override;
  Framing encode_dtmf(char digit, std::string& out) override;
  Framing encode_end(std::string& out) override;

  static bool speaks(std::string_view first_message);

 private:
  MediaEvent on_start(std::string_view message);
  bool started_ = false;
  AudioFormat format_;
};

}  // namespace voxgate::carriers
