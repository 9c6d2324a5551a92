#include "carriers/twilio.hpp"

#include <algorithm>
#include <optional>

#include "voxgate/base/base64.hpp"
#include "voxgate/base/json_cursor.hpp"
#include "voxgate/base/text.hpp"

namespace voxgate::carriers {
namespace {

constexpr std::size_t kMaxIdChars = 128;  // real ones have 34
constexpr std::size_t kMaxParams = 64;
constexpr std::size_t kMaxParamChars = 1024;  // documented: name and value together below 500

struct RawString {
  std::string_view text;
  bool escaped = false;
  std::string plain() const { return escaped ? JsonCursor::unescape(text) : std::string(text); }
};

// Reads a string value if there is one; anything else is stepped over and leaves the field empty.
void read(JsonCursor& in, RawString& out) {
  if (in.peek() == JsonCursor::Kind::string) {
    in.string(out.text, out.escaped);
  } else {
    in.skip();
  }
}

std::optional<audio::AudioFormat> format_of(std::string_view encoding, std::int64_t rate) {
  using audio::Encoding;
  audio::AudioFormat format;
  if (encoding == "audio/x-mulaw" || encoding == "audio/mulaw" || encoding == "PCMU") {
    format.encoding = Encoding::mulaw;
  } else if (encoding == "audio/x-alaw" || encoding == "PCMA") {
    format.encoding = Encoding::alaw;
  } else if (encoding == "audio/x-l16" || encoding == "audio/l16" || encoding == "L16") {
    format.encoding = Encoding::s16le;
  } else {
    return std::nullopt;
  }
  if (rate != 8000 && rate != 16000) return std::nullopt;
  format.rate_hz = static_cast<int>(rate);
  return format;
}

}  // namespace

// Everything any message of the protocol carries, found in one pass whatever the order of keys.
struct TwilioDialect::Fields {
  RawString event, stream_sid, payload, track, digit, mark;
  std::int64_t chunk = 0, timestamp = -1;
  bool has_media = false, has_start = false, has_dtmf = false, has_mark = false;
  // of "start"
  RawString start_stream_sid, call_sid, account_sid, encoding;
  std::int64_t rate = 8000, channels = 1;
  Params params;
  bool too_many_params = false;

  void read_media(JsonCursor& in) {
    std::string_view key;
    while (in.next_key(key)) {
      if (key == "payload") {
        read(in, payload);
      } else if (key == "timestamp") {
        timestamp = in.integer().value_or(-1);
      } else if (key == "chunk") {
        chunk = in.integer().value_or(0);
      } else if (key == "track") {
        read(in, track);
      } else {
        in.skip();
      }
    }
  }

  void read_params(JsonCursor& in) {
    std::string_view key;
    while (in.next_key(key)) {
      const auto kind = in.peek();
      std::string value;
      if (kind == JsonCursor::Kind::object || kind == JsonCursor::Kind::array) {
        in.skip();
        continue;
      }
      if (!in.scalar(value)) return;
      if (params.size() >= kMaxParams || key.size() + value.size() > kMaxParamChars) {
        too_many_params = true;
        continue;
      }
      params.emplace_back(JsonCursor::unescape(key), std::move(value));
    }
  }

  void read_start(JsonCursor& in) {
    std::string_view key;
    while (in.next_key(key)) {
      if (key == "streamSid") {
        read(in, start_stream_sid);
      } else if (key == "callSid") {
        read(in, call_sid);
      } else if (key == "accountSid") {
        read(in, account_sid);
      } else if (key == "mediaFormat" && in.peek() == JsonCursor::Kind::object) {
        in.enter_object();
        std::string_view inner;
        while (in.next_key(inner)) {
          if (inner == "encoding") {
            read(in, encoding);
          } else if (inner == "sampleRate") {
            rate = in.integer().value_or(0);
          } else if (inner == "channels") {
            channels = in.integer().value_or(0);
          } else {
            in.skip();
          }
        }
      } else if (key == "customParameters" && in.peek() == JsonCursor::Kind::object) {
        in.enter_object();
        read_params(in);
      } else {
        in.skip();
      }
    }
  }

  void read_one(JsonCursor& in, std::string_view wanted, RawString& out) {
    std::string_view key;
    while (in.next_key(key)) {
      if (key == wanted) {
        read(in, out);
      } else {
        in.skip();
      }
    }
  }

  bool read_all(std::string_view message) {
    JsonCursor in(message);
    if (!in.enter_object()) return false;
    std::string_view key;
    while (in.next_key(key)) {
      const bool object = in.peek() == JsonCursor::Kind::object;
      if (key == "event") {
        read(in, event);
      } else if (key == "streamSid") {
        read(in, stream_sid);
      } else if (key == "media" && object) {
        has_media = in.enter_object();
        read_media(in);
      } else if (key == "start" && object) {
        has_start = in.enter_object();
        read_start(in);
      } else if (key == "dtmf" && object) {
        has_dtmf = in.enter_object();
        read_one(in, "digit", digit);
      } else if (key == "mark" && object) {
        has_mark = in.enter_object();
        read_one(in, "name", mark);
      } else {
        in.skip();
      }
    }
    return in.at_end();
  }
};

const Capabilities& TwilioDialect::capabilities() const {
  static const Capabilities kCaps{};  // the defaults are Twilio's
  return kCaps;
}

bool TwilioDialect::speaks(std::string_view first_message) {
  Fields fields;
  if (!fields.read_all(first_message)) return false;
  if (fields.event.text == "connected") return true;
  return fields.event.text == "start" && !fields.start_stream_sid.text.empty() && !fields.call_sid.text.empty();
}

MediaEvent TwilioDialect::parse(bool is_text, std::span<const std::uint8_t> message, ParseScratch& scratch) {
  if (!is_text) return MediaMalformed{"binary message"};
  Fields fields;
  if (!fields.read_all({reinterpret_cast<const char*>(message.data()), message.size()})) {
    return MediaMalformed{"not a JSON object"};
  }
  const std::string_view event = fields.event.text;
  if (event == "media") return on_media(fields, scratch);
  if (event == "start") return on_start(fields);
  if (event.empty()) return MediaMalformed{"no event"};
  if (!started_) return MediaIgnored{event == "connected" ? "connected" : "before start"};
  if (fields.stream_sid.text != stream_sid_ && !fields.stream_sid.text.empty() &&
      fields.stream_sid.plain() != stream_sid_) {
    return MediaIgnored{"other stream"};
  }
  if (event == "mark") {
    if (!fields.has_mark || fields.mark.text.empty()) return MediaMalformed{"mark without a name"};
    return MediaMark{fields.mark.plain()};
  }
  if (event == "dtmf") {
    const std::string_view digit = fields.digit.text;
    constexpr std::string_view kDigits = "0123456789*#ABCD";
    if (digit.size() != 1) return MediaMalformed{"dtmf without a digit"};
    const char c = digit[0] >= 'a' && digit[0] <= 'd' ? static_cast<char>(digit[0] - 'a' + 'A') : digit[0];
    if (kDigits.find(c) == std::string_view::npos) return MediaMalformed{"dtmf with an unknown digit"};
    return MediaDtmf{c};
  }
  if (event == "stop") return MediaStop{};
  return MediaIgnored{"unknown event"};
}

MediaEvent TwilioDialect::on_start(Fields& f) {
  if (started_) return MediaIgnored{"second start"};
  if (!f.has_start) return MediaMalformed{"start without its object"};
  std::string sid = f.start_stream_sid.text.empty() ? f.stream_sid.plain() : f.start_stream_sid.plain();
  std::string call = f.call_sid.plain();
  if (sid.empty() || call.empty()) return MediaRefused{1008, "start without streamSid or callSid"};
  if (sid.size() > kMaxIdChars || call.size() > kMaxIdChars) return MediaRefused{1008, "id too long"};
  if (f.too_many_params) return MediaRefused{1008, "custom parameters too long"};
  if (f.channels != 1) return MediaRefused{1008, "more than one channel"};
  const auto format = f.encoding.text.empty() ? audio::kMulaw8k : format_of(f.encoding.plain(), f.rate);
  if (!format) return MediaRefused{1003, "media format not supported"};

  started_ = true;
  stream_sid_ = std::move(sid);
  escaped_sid_ = text::json_escape(stream_sid_);
  audio_head_ = R"({"event":"media","streamSid":")" + escaped_sid_ + R"(","media":{"payload":")";

  StreamStart start;
  start.provider = "twilio";
  start.stream_id = stream_sid_;
  start.call_id = std::move(call);
  start.account_id = f.account_sid.plain();
  start.in = start.out = *format;
  for (auto& [key, value] : f.params) {
    if (key == "from") start.from = value;
    if (key == "to") start.to = value;
  }
  start.params = std::move(f.params);
  return start;
}

MediaEvent TwilioDialect::on_media(Fields& f, ParseScratch& scratch) {
  if (!started_) return MediaIgnored{"media before start"};
  if (!f.has_media) return MediaMalformed{"media without its object"};
  if (!f.track.text.empty() && f.track.text != "inbound" && f.track.text != "inbound_track") {
    return MediaIgnored{"other track"};
  }
  if (f.stream_sid.text != stream_sid_ && !f.stream_sid.text.empty() && f.stream_sid.plain() != stream_sid_) {
    return MediaIgnored{"other stream"};
  }
  std::string unescaped;  // some writers escape the slash of base64
  std::string_view coded = f.payload.text;
  if (f.payload.escaped) coded = unescaped = f.payload.plain();
  const std::size_t room = base64::max_decoded_size(coded.size());
  if (scratch.payload.size() < room) scratch.payload.resize(room);
  const auto size = base64::decode(coded, scratch.payload.data());
  if (!size) return MediaMalformed{"payload is not base64"};
  if (*size == 0) return MediaIgnored{"empty media"};
  MediaAudio audio;
  audio.bytes = {scratch.payload.data(), *size};
  audio.chunk = static_cast<std::uint32_t>(std::clamp<std::int64_t>(f.chunk, 0, 0xFFFFFFFF));
  audio.timestamp_ms = f.timestamp;
  return audio;
}

Framing TwilioDialect::encode_audio(std::span<const std::uint8_t> bytes, std::string& out) {
  if (!started_) return Framing::none;
  const std::size_t head = out.size() + audio_head_.size();
  const std::size_t coded = base64::encoded_size(bytes.size());
  constexpr std::string_view kTail = "\"}}";
  out.resize(head + coded + kTail.size());
  char* p = out.data() + head;
  std::copy(audio_head_.begin(), audio_head_.end(), p - audio_head_.size());
  base64::encode(bytes, p);
  std::copy(kTail.begin(), kTail.end(), p + coded);
  return Framing::text;
}

Framing TwilioDialect::encode_mark(std::string_view mark, std::string& out) {
  if (!started_) return Framing::none;
  out += R"({"event":"mark","streamSid":")" + escaped_sid_ + R"(","mark":{"name":")" + text::json_escape(mark) + "\"}}";
  return Framing::text;
}

Framing TwilioDialect::encode_clear(std::string& out) {
  if (!started_) return Framing::none;
  out += R"({"event":"clear","streamSid":")" + escaped_sid_ + "\"}";
  return Framing::text;
}

Framing TwilioDialect::encode_dtmf(char, std::string&) {
  return Framing::none;
}  // not possible on this wire
Framing TwilioDialect::encode_end(std::string&) {
  return Framing::none;
}  // the close is the end

}  // namespace voxgate::carriers
