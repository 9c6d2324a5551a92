#include "carriers/raw.hpp"

#include "voxgate/base/json_cursor.hpp"
#include "voxgate/base/text.hpp"

namespace voxgate::carriers {
namespace {

constexpr std::size_t kMaxIdChars = 128;
constexpr std::size_t kMaxParams = 64;

struct Control {
  std::string event, protocol, encoding = "s16le", call_id, name, digit;
  std::int64_t rate = 16000;
  Params params;
  bool valid = false;
};

void read_params(JsonCursor& in, Params& params) {
  std::string_view key;
  while (in.next_key(key)) {
    const auto kind = in.peek();
    std::string value;
    if (kind == JsonCursor::Kind::object || kind == JsonCursor::Kind::array) {
      in.skip();
    } else if (in.scalar(value) && params.size() < kMaxParams) {
      params.emplace_back(JsonCursor::unescape(key), std::move(value));
    }
  }
}

Control read_control(std::string_view message) {
  Control c;
  JsonCursor in(message);
  if (!in.enter_object()) return c;
  std::string_view key;
  while (in.next_key(key)) {
    const auto kind = in.peek();
    const bool nested = kind == JsonCursor::Kind::object || kind == JsonCursor::Kind::array;
    std::string* target = key == "event"      ? &c.event
                          : key == "protocol" ? &c.protocol
                          : key == "encoding" ? &c.encoding
                          : key == "callId"   ? &c.call_id
                          : key == "name"     ? &c.name
                          : key == "digit"    ? &c.digit
                                              : nullptr;
    if (target != nullptr && !nested) {
      in.scalar(*target);
    } else if (key == "rate") {
      c.rate = in.integer().value_or(0);
    } else if (key == "params" && kind == JsonCursor::Kind::object) {
      in.enter_object();
      read_params(in, c.params);
    } else {
      in.skip();
    }
  }
  c.valid = in.at_end();
  return c;
}

}  // namespace

const Capabilities& RawDialect::capabilities() const {
  static const Capabilities kCaps = [] {
    Capabilities caps;
    caps.binary_audio = true;
    caps.marks_on_clear = MarksOnClear::unknown;
    caps.hangup = Hangup::close;
    caps.out_multiple_bytes = 2;
    return caps;
  }();
  return kCaps;
}

bool RawDialect::speaks(std::string_view first_message) {
  const Control c = read_control(first_message);
  return c.valid && c.event == "start" && c.protocol == "raw";
}

MediaEvent RawDialect::on_start(std::string_view message) {
  Control c = read_control(message);
  if (started_) return MediaIgnored{"second start"};
  if (c.encoding == "s16le") {
    format_.encoding = audio::Encoding::s16le;
  } else if (c.encoding == "mulaw") {
    format_.encoding = audio::Encoding::mulaw;
  } else if (c.encoding == "alaw") {
    format_.encoding = audio::Encoding::alaw;
  } else {
    return MediaRefused{1003, "encoding not supported"};
  }
  if (c.rate != 8000 && c.rate != 16000) return MediaRefused{1003, "rate not supported"};
  if (c.call_id.size() > kMaxIdChars) return MediaRefused{1008, "id too long"};
  format_.rate_hz = static_cast<int>(c.rate);
  started_ = true;
  StreamStart start;
  start.provider = "raw";
  start.stream_id = start.call_id = c.call_id;
  start.in = start.out = format_;
  start.params = std::move(c.params);
  return start;
}

MediaEvent RawDialect::parse(bool is_text, std::span<const std::uint8_t> message, ParseScratch&) {
  if (!is_text) {
    if (!started_) return MediaIgnored{"media before start"};
    const std::size_t whole = message.size() / format_.bytes_per_sample() * format_.bytes_per_sample();
    if (whole == 0) return MediaIgnored{"empty media"};
    if (whole != message.size()) return MediaMalformed{"half a sample"};
    MediaAudio audio;
    audio.bytes = message;
    return audio;
  }
  const std::string_view text{reinterpret_cast<const char*>(message.data()), message.size()};
  const Control c = read_control(text);
  if (!c.valid) return MediaMalformed{"not a JSON object"};
  if (c.event == "start") return on_start(text);
  if (!started_) return MediaIgnored{"before start"};
  if (c.event == "mark") {
    if (c.name.empty()) return MediaMalformed{"mark without a name"};
    return MediaMark{c.name};
  }
  if (c.event == "dtmf") {
    constexpr std::string_view kDigits = "0123456789*#ABCD";
    if (c.digit.size() != 1 || kDigits.find(c.digit[0]) == std::string_view::npos) {
      return MediaMalformed{"dtmf with an unknown digit"};
    }
    return MediaDtmf{c.digit[0]};
  }
  if (c.event == "cleared") return MediaCleared{};
  if (c.event == "stop") return MediaStop{};
  return MediaIgnored{"unknown event"};
}

Framing RawDialect::encode_audio(std::span<const std::uint8_t> bytes, std::string& out) {
  if (!started_) return Framing::none;
  out.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  return Framing::binary;
}

Framing RawDialect::encode_mark(std::string_view mark, std::string& out) {
  if (!started_) return Framing::none;
  out += R"({"event":"mark","name":")" + text::json_escape(mark) + "\"}";
  return Framing::text;
}

Framing RawDialect::encode_clear(std::string& out) {
  if (!started_) return Framing::none;
  out += R"({"event":"clear"})";
  return Framing::text;
}

Framing RawDialect::encode_dtmf(char, std::string&) {
  return Framing::none;
}

Framing RawDialect::encode_end(std::string& out) {
  if (!started_) return Framing::none;
  out += R"({"event":"end"})";
  return Framing::text;
}

}  // namespace voxgate::carriers
