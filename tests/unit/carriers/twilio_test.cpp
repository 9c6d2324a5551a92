// telephony.md sections 1.4, 1.5 and 13 (rows 2, 3), and the hostile inputs of a media socket.
#include <gtest/gtest.h>

#include <string>

#include "voxgate/base/base64.hpp"
#include "voxgate/carriers/dialect.hpp"

namespace voxgate::carriers {
namespace {

const char kConnected[] = R"({"event":"connected","protocol":"Call","version":"1.0.0"})";
const char kStart[] =
    R"({"event":"start","sequenceNumber":"1","start":{"accountSid":"AC0001","streamSid":"MZ0001","callSid":"CA0001",
 "tracks":["inbound"],"mediaFormat":{"encoding":"audio/x-mulaw","sampleRate":8000,"channels":1},
 "customParameters":{"tenant":"7","token":"k3\"y","from":"+15005550006"}},"streamSid":"MZ0001"})";

struct Wire {
  std::unique_ptr<Dialect> dialect = make_dialect("twilio");
  ParseScratch scratch;
  MediaEvent text(std::string_view message) {
    return dialect->parse(true, {reinterpret_cast<const std::uint8_t*>(message.data()), message.size()}, scratch);
  }
  void start() { ASSERT_TRUE(std::holds_alternative<StreamStart>(text(kStart))); }
};

std::string media(std::string_view payload, int chunk, int timestamp, bool as_numbers = false) {
  const std::string q = as_numbers ? "" : "\"";
  return R"({"event":"media","sequenceNumber":"3","media":{"track":"inbound","chunk":)" + q + std::to_string(chunk) +
         q + R"(,"timestamp":)" + q + std::to_string(timestamp) + q + R"(,"payload":")" + std::string(payload) +
         R"("},"streamSid":"MZ0001"})";
}

std::span<const std::uint8_t> bytes_of(std::string_view s) {
  return {reinterpret_cast<const std::uint8_t*>(s.data()), s.size()};
}

TEST(Twilio, IsDetectedByItsFirstMessage) {
  ASSERT_TRUE(detect_dialect(true, bytes_of(kConnected)));
  EXPECT_EQ(detect_dialect(true, bytes_of(kConnected))->name(), "twilio");
  EXPECT_EQ(detect_dialect(true, bytes_of(kStart))->name(), "twilio");
  EXPECT_EQ(detect_dialect(true, bytes_of("{\"hello\":1}")), nullptr);
  EXPECT_EQ(detect_dialect(true, bytes_of("not json")), nullptr);
  EXPECT_EQ(detect_dialect(false, bytes_of(kConnected)), nullptr);
}

TEST(Twilio, ReadsAWholeTrace) {
  Wire wire;
  EXPECT_TRUE(std::holds_alternative<MediaIgnored>(wire.text(kConnected)));
  const auto event = wire.text(kStart);
  const auto* start = std::get_if<StreamStart>(&event);
  ASSERT_NE(start, nullptr);
  EXPECT_EQ(start->stream_id, "MZ0001");
  EXPECT_EQ(start->call_id, "CA0001");
  EXPECT_EQ(start->account_id, "AC0001");
  EXPECT_EQ(start->from, "+15005550006");
  EXPECT_EQ(start->in, audio::kMulaw8k);
  EXPECT_EQ(start->params[1], (std::pair<std::string, std::string>("token", "k3\"y")));
  for (int i = 1; i <= 50; ++i) {
    const auto frame = wire.text(media("/////w==", i, (i - 1) * 20));
    const auto* audio = std::get_if<MediaAudio>(&frame);
    ASSERT_NE(audio, nullptr);
    EXPECT_EQ(audio->bytes.size(), 4u);
    EXPECT_EQ(audio->bytes[0], 0xFF);
    EXPECT_EQ(audio->chunk, static_cast<std::uint32_t>(i));
    EXPECT_EQ(audio->timestamp_ms, (i - 1) * 20);
  }
  const auto dtmf = wire.text(
      R"({"event":"dtmf","streamSid":"MZ0001","sequenceNumber":"5","dtmf":{"track":"inbound_track","digit":"#"}})");
  ASSERT_TRUE(std::holds_alternative<MediaDtmf>(dtmf));
  EXPECT_EQ(std::get<MediaDtmf>(dtmf).digit, '#');
  const auto mark = wire.text(R"({"event":"mark","sequenceNumber":"4","streamSid":"MZ0001","mark":{"name":"g3-17"}})");
  ASSERT_TRUE(std::holds_alternative<MediaMark>(mark));
  EXPECT_EQ(std::get<MediaMark>(mark).name, "g3-17");
  EXPECT_TRUE(std::holds_alternative<MediaStop>(wire.text(
      R"({"event":"stop","sequenceNumber":"5","streamSid":"MZ0001","stop":{"accountSid":"AC0001","callSid":"CA0001"}})")));
}

TEST(Twilio, ToleratesNumbersAsNumbersAnyKeyOrderAndEscapedSlashes) {
  Wire wire;
  wire.start();
  EXPECT_TRUE(std::holds_alternative<MediaAudio>(wire.text(media("/////w==", 7, 140, true))));
  const auto event = wire.text(
      R"({ "streamSid" : "MZ0001", "media" : {"payload":"\/\/\/\/\/w==","x":[1,{"y":null}],"timestamp":40}, "event" : "media" })");
  const auto* audio = std::get_if<MediaAudio>(&event);
  ASSERT_NE(audio, nullptr);
  EXPECT_EQ(audio->bytes.size(), 4u);
  EXPECT_EQ(audio->timestamp_ms, 40);
}

TEST(Twilio, IgnoresMediaBeforeStartSecondStartUnknownEventsOtherTracksAndOtherStreams) {
  Wire wire;
  EXPECT_TRUE(std::holds_alternative<MediaIgnored>(wire.text(media("/////w==", 1, 0))));
  wire.start();
  EXPECT_TRUE(std::holds_alternative<MediaIgnored>(wire.text(kStart)));
  EXPECT_TRUE(std::holds_alternative<MediaIgnored>(wire.text(R"({"event":"wink","streamSid":"MZ0001"})")));
  EXPECT_TRUE(std::holds_alternative<MediaIgnored>(
      wire.text(R"({"event":"media","media":{"track":"outbound","payload":"/w=="},"streamSid":"MZ0001"})")));
  EXPECT_TRUE(std::holds_alternative<MediaIgnored>(
      wire.text(R"({"event":"media","media":{"payload":"/w=="},"streamSid":"MZ0002"})")));
}

TEST(Twilio, CallsBrokenMessagesMalformed) {
  Wire wire;
  wire.start();
  for (const char* bad :
       {"", "x", "[]", "{", "{\"event\":}", "{\"event\":\"media\"}", R"({"event":"media","media":{"payload":"!!!"}})",
        R"({"event":"media","media":{"payload":"Zm=v"}})", R"({"event":"dtmf","dtmf":{"digit":"12"}})",
        R"({"event":"dtmf","dtmf":{}})", R"({"event":"mark"})", R"({"event":"mark","mark":{"name":""}})",
        R"({"nothing":1})", R"({"event":"media"} x)"}) {
    EXPECT_TRUE(std::holds_alternative<MediaMalformed>(wire.text(bad))) << bad;
  }
  std::string deep = "{\"event\":\"media\",\"x\":";
  for (int i = 0; i < 60000; ++i) deep += '[';
  EXPECT_TRUE(std::holds_alternative<MediaMalformed>(wire.text(deep)));
  const std::uint8_t binary[] = {1, 2, 3};
  EXPECT_TRUE(std::holds_alternative<MediaMalformed>(wire.dialect->parse(false, binary, wire.scratch)));
}

TEST(Twilio, RefusesAStartItCannotServe) {
  const std::string format = R"({"event":"start","start":{"streamSid":"MZ1","callSid":"CA1","mediaFormat":)";
  for (const std::string& bad :
       {std::string(R"({"event":"start","start":{"streamSid":"MZ1"}})"),
        format + R"({"encoding":"audio/mpeg","sampleRate":8000,"channels":1}}})",
        format + R"({"encoding":"audio/x-mulaw","sampleRate":44100,"channels":1}}})",
        format + R"({"encoding":"audio/x-mulaw","sampleRate":8000,"channels":2}}})",
        R"({"event":"start","start":{"callSid":"CA1","streamSid":")" + std::string(500, 'x') + "\"}}"}) {
    Wire wire;
    EXPECT_TRUE(std::holds_alternative<MediaRefused>(wire.text(bad))) << bad;
  }
}

TEST(Twilio, WritesExactlyTheDocumentedMessages) {
  Wire wire;
  std::string out;
  EXPECT_EQ(wire.dialect->encode_clear(out), Framing::none) << "nothing may be sent before the start";
  wire.start();
  const std::uint8_t audio[] = {0xFF, 0xFF, 0xFF, 0xFF};
  EXPECT_EQ(wire.dialect->encode_audio(audio, out), Framing::text);
  EXPECT_EQ(out, R"({"event":"media","streamSid":"MZ0001","media":{"payload":"/////w=="}})");
  out.clear();
  EXPECT_EQ(wire.dialect->encode_mark("g3-17", out), Framing::text);
  EXPECT_EQ(out, R"({"event":"mark","streamSid":"MZ0001","mark":{"name":"g3-17"}})");
  out.clear();
  EXPECT_EQ(wire.dialect->encode_clear(out), Framing::text);
  EXPECT_EQ(out, R"({"event":"clear","streamSid":"MZ0001"})");
  EXPECT_EQ(wire.dialect->encode_dtmf('1', out), Framing::none);
}

TEST(Twilio, KeepsHostileIdsInsideTheirJsonString) {
  Wire wire;
  const auto event =
      wire.text(R"({"event":"start","start":{"streamSid":"M\"}\u0000\n{","callSid":"'; drop table calls; --"}})");
  ASSERT_TRUE(std::holds_alternative<StreamStart>(event));
  std::string out;
  wire.dialect->encode_clear(out);
  EXPECT_EQ(out, "{\"event\":\"clear\",\"streamSid\":\"M\\\"}\\u0000\\u000a{\"}");
}

TEST(Raw, CarriesBinaryAudioAndJsonControl) {
  const std::string start =
      R"({"event":"start","protocol":"raw","encoding":"s16le","rate":16000,"callId":"web-1","params":{"agent":"demo"}})";
  auto dialect = detect_dialect(true, bytes_of(start));
  ASSERT_TRUE(dialect);
  EXPECT_EQ(dialect->name(), "raw");
  ParseScratch scratch;
  const auto event = dialect->parse(true, bytes_of(start), scratch);
  const auto* begun = std::get_if<StreamStart>(&event);
  ASSERT_NE(begun, nullptr);
  EXPECT_EQ(begun->in, (audio::AudioFormat{audio::Encoding::s16le, 16000}));
  EXPECT_EQ(begun->params, (Params{{"agent", "demo"}}));
  const std::uint8_t pcm[640] = {};
  const auto media_event = dialect->parse(false, pcm, scratch);
  ASSERT_TRUE(std::holds_alternative<MediaAudio>(media_event));
  EXPECT_EQ(std::get<MediaAudio>(media_event).bytes.size(), 640u);
  EXPECT_TRUE(std::holds_alternative<MediaMalformed>(dialect->parse(false, {pcm, 3}, scratch)));
  std::string out;
  EXPECT_EQ(dialect->encode_audio({pcm, 4}, out), Framing::binary);
  EXPECT_EQ(out.size(), 4u);
  EXPECT_TRUE(std::holds_alternative<MediaStop>(dialect->parse(true, bytes_of(R"({"event":"stop"})"), scratch)));
}

}  // namespace
}  // namespace voxgate::carriers
