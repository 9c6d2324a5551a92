#include "sim/twilio_wire.hpp"

#include <random>

#include "voxgate/base/base64.hpp"
#include "voxgate/base/json_cursor.hpp"
#include "voxgate/base/text.hpp"

namespace voxgate::sim {
namespace {

std::string quoted(std::string_view s) {
  return '"' + text::json_escape(s) + '"';
}

}  // namespace

StreamIds random_ids(std::uint64_t seed) {
  std::mt19937_64 random(seed);
  const auto id = [&random](const char* prefix) {
    std::string out(prefix);
    for (int i = 0; i < 32; ++i) out += "0123456789abcdef"[random() & 15];
    return out;
  };
  StreamIds ids;
  ids.account = id("AC");
  ids.call = id("CA");
  ids.stream = id("MZ");
  return ids;
}

void TwilioSender::connected(std::string& out) const {
  out += R"({"event":"connected","protocol":"Call","version":"1.0.0"})";
}

void TwilioSender::head(std::string& out, std::string_view event) {
  out += R"({"event":")";
  out += event;
  out += R"(","sequenceNumber":")" + std::to_string(++sequence_) + R"(","streamSid":)" + quoted(ids_.stream);
}

void TwilioSender::start(std::string& out, const std::vector<std::pair<std::string, std::string>>& params) {
  head(out, "start");
  out += R"(,"start":{"accountSid":)" + quoted(ids_.account) + R"(,"streamSid":)" + quoted(ids_.stream) +
         R"(,"callSid":)" + quoted(ids_.call) +
         R"(,"tracks":["inbound"],"mediaFormat":{"encoding":"audio/x-mulaw","sampleRate":8000,"channels":1})" +
         R"(,"customParameters":{)";
  for (std::size_t i = 0; i < params.size(); ++i) {
    out += (i == 0 ? "" : ",") + quoted(params[i].first) + ":" + quoted(params[i].second);
  }
  out += "}}}";
}

void TwilioSender::media(std::string& out, std::int64_t timestamp_ms, std::span<const std::uint8_t> ulaw) {
  head(out, "media");
  out += R"(,"media":{"track":"inbound","chunk":")" + std::to_string(++chunk_) + R"(","timestamp":")" +
         std::to_string(timestamp_ms) + R"(","payload":")";
  const std::size_t at = out.size();
  out.resize(at + base64::encoded_size(ulaw.size()));
  base64::encode(ulaw, out.data() + at);
  out += "\"}}";
}

void TwilioSender::dtmf(std::string& out, char digit) {
  head(out, "dtmf");
  out += R"(,"dtmf":{"track":"inbound_track","digit":")" + std::string(1, digit) + "\"}}";
}

void TwilioSender::mark(std::string& out, std::string_view name) {
  head(out, "mark");
  out += R"(,"mark":{"name":)" + quoted(name) + "}}";
}

void TwilioSender::stop(std::string& out) {
  head(out, "stop");
  out += R"(,"stop":{"accountSid":)" + quoted(ids_.account) + R"(,"callSid":)" + quoted(ids_.call) + "}}";
}

GatewayMessage parse_gateway_message(std::string_view text, std::string_view stream_id) {
  JsonCursor in(text);
  std::string event, stream, name;
  std::string_view payload, key;
  bool escaped = false;
  const auto inner = [&](std::string_view wanted, auto&& read) {
    if (!in.enter_object()) return;
    std::string_view inner_key;
    while (in.next_key(inner_key)) inner_key == wanted ? read() : static_cast<void>(in.skip());
  };
  in.enter_object();
  while (in.next_key(key)) {
    if (key == "event") {
      in.scalar(event);
    } else if (key == "streamSid") {
      in.scalar(stream);
    } else if (key == "media") {
      inner("payload", [&] { in.string(payload, escaped); });
    } else if (key == "mark") {
      inner("name", [&] { in.scalar(name); });
    } else {
      in.skip();
    }
  }
  GatewayMessage out;
  if (!in.ok() || !in.at_end() || stream != stream_id) return out;
  if (event == "clear") out.kind = GatewayMessage::Kind::clear;
  if (event == "mark" && !name.empty()) {
    out.kind = GatewayMessage::Kind::mark;
    out.mark = std::move(name);
  }
  if (event != "media") return out;
  const std::string plain = escaped ? JsonCursor::unescape(payload) : std::string(payload);
  out.audio.resize(base64::max_decoded_size(plain.size()));
  const auto size = base64::decode(plain, out.audio.data());
  if (!size || *size == 0) return out;
  out.audio.resize(*size);
  out.kind = GatewayMessage::Kind::media;
  return out;
}

}  // namespace voxgate::sim
