// A whole call over the Twilio protocol against the echo agent, seen by a client that hides nothing.

#include <gmock/gmock.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "support/gateway_fixture.hpp"
#include "voxgate/base/base64.hpp"
#include "voxgate/records/store.hpp"

namespace voxgate::test {
namespace {

using ::testing::HasSubstr;

class EchoCall : public GatewayFixture {
 protected:
  EchoCall() { config.limits.start_timeout = std::chrono::seconds(1); }

  /// The rows the calls left behind, once the writer is through.
  std::vector<records::StoredCall> records() {
    EXPECT_TRUE(back_to_baseline()) << difference();
    metrics::Registry registry;
    records::Store store({config.records.path, 100}, registry);
    return store.recent(10000);
  }

  double ended(const char* outcome) {
    return metric("voxgate_calls_total{carrier=\"twilio\",outcome=\"" + std::string(outcome) + "\"}");
  }

  /// Sends one frame and expects its echo.
  void echo_once(RawPeer& peer, int call, int frame) {
    const std::string payload = base64_text(frame_bytes(call, frame));
    ASSERT_TRUE(peer.text(media_message(payload, frame)));
    const auto answer = peer.read_frame();
    ASSERT_TRUE(answer) << "frame " << frame;
    ASSERT_EQ(answer->payload, R"({"event":"media","streamSid":"MZ0001","media":{"payload":")" + payload + "\"}}");
  }
};

TEST_F(EchoCall, SendsEveryFrameBackUnchangedInOneTextFrameEach) {
  start();
  RawPeer peer = open_call("CA0001");
  for (int i = 1; i <= 200; ++i) {
    const std::string payload = base64_text(frame_bytes(1, i));
    ASSERT_TRUE(peer.text(media_message(payload, i)));
    const auto frame = peer.read_frame();
    ASSERT_TRUE(frame) << "frame " << i;
    EXPECT_TRUE(frame->fin);
    EXPECT_EQ(frame->reserved, 0);
    EXPECT_EQ(frame->opcode, 1);
    EXPECT_FALSE(frame->masked);
    // Exactly the documented shape: an extra field or another stream's id is warning 31951.
    ASSERT_EQ(frame->payload, R"({"event":"media","streamSid":"MZ0001","media":{"payload":")" + payload + "\"}}");
  }
  peer.text(stop_message("CA0001"));
  EXPECT_EQ(peer.read_close(), 1000);
  peer.close_frame(1000);
  EXPECT_TRUE(peer.wait_end());

  const auto rows = records();
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].call_id, "CA0001");
  EXPECT_EQ(rows[0].stream_id, "MZ0001");
  EXPECT_EQ(rows[0].account_id, "AC0001");
  EXPECT_EQ(rows[0].carrier, "twilio");
  EXPECT_EQ(rows[0].agent, "echo");
  EXPECT_EQ(rows[0].outcome, "caller_hung_up");
  EXPECT_FALSE(rows[0].ended_at.empty());
  EXPECT_EQ(ended("caller_hung_up"), 1);
  EXPECT_EQ(metric("voxgate_media_frames_total{direction=\"in\"}"), 200);
  EXPECT_EQ(metric("voxgate_media_frames_total{direction=\"out\"}"), 200);
}

TEST_F(EchoCall, TheDocumentedTraceIsOneCall) {
  start();
  RawPeer peer = open_call("CA0002");
  for (int i = 1; i <= 50; ++i) echo_once(peer, 2, i);
  peer.text(dtmf_message('7'));
  peer.text(mark_message("never-sent"));
  peer.text(stop_message("CA0002"));
  peer.close_frame(1000);
  EXPECT_EQ(peer.read_close(), 1000);
  const auto rows = records();
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].outcome, "caller_hung_up");
  EXPECT_EQ(ended("caller_hung_up"), 1);
  EXPECT_EQ(metric("voxgate_messages_malformed_total"), 0);
}

TEST_F(EchoCall, TheStreamsParametersNameTheAgent) {
  config.agents.default_agent = "echo";
  add_agent("other", R"({"name": "other", "kind": "echo"})");
  start();
  RawPeer peer = open_stream("CA0003", "");
  peer.text(connected_message());
  peer.text(start_message("CA0003", "MZ0001", R"({"agent":"other","from":"+15005550006","to":"+15005550001"})"));
  echo_once(peer, 3, 1);
  peer.text(stop_message("CA0003"));
  EXPECT_EQ(peer.read_close(), 1000);
  peer.shut();
  const auto rows = records();
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].agent, "other");
  EXPECT_EQ(rows[0].from, "+15005550006");
  EXPECT_EQ(rows[0].to, "+15005550001");
}

TEST_F(EchoCall, OutOfPlaceMessagesAreToleratedAndTheCallGoesOn) {
  start();
  RawPeer peer = open_stream("CA0004");
  peer.text(connected_message());
  peer.text(media_message(base64_text(frame_bytes(9, 9)), 1));  // before start: no echo
  peer.text(start_message("CA0004"));
  peer.text(start_message("CA0004", "MZ0002"));  // a second start changes nothing
  peer.text(R"({"event":"hologram","streamSid":"MZ0001"})");
  peer.text(media_message(base64_text(frame_bytes(9, 9)), 1, "MZ9999"));  // another stream's
  // Numbers as numbers.
  const std::string payload = base64_text(frame_bytes(4, 1));
  peer.text(R"({"event":"media","sequenceNumber":3,"media":{"track":"inbound","chunk":1,"timestamp":5,"payload":")" +
            payload + R"("},"streamSid":"MZ0001"})");
  const auto frame = peer.read_frame();
  ASSERT_TRUE(frame);
  EXPECT_THAT(frame->payload, HasSubstr(payload));
  for (int i = 2; i <= 20; ++i) echo_once(peer, 4, i);
  peer.text(stop_message("CA0004"));
  EXPECT_EQ(peer.read_close(), 1000);
  peer.shut();
  EXPECT_EQ(records().size(), 1u);
}

TEST_F(EchoCall, BadBase64IsDroppedAndCountedAndTheCallGoesOn) {
  start();
  RawPeer peer = open_call("CA0005");
  const std::vector<std::string> broken{"!!!!", "abc=def=", "a", "====", "\\u0000AAA"};
  int chunk = 0;
  for (const std::string& payload : broken) peer.text(media_message(payload, ++chunk));
  echo_once(peer, 5, ++chunk);
  EXPECT_EQ(metric("voxgate_messages_malformed_total"), static_cast<double>(broken.size()));
  peer.text(stop_message("CA0005"));
  EXPECT_EQ(peer.read_close(), 1000);
}

TEST_F(EchoCall, PayloadsOfAnySizeAreEchoed) {
  start();
  RawPeer peer = open_call("CA0022");
  int bytes_sent = 0, chunk = 0;
  for (const int size : {1, 33000, 7, 160}) {  // 45 KB of text is within the limit
    std::vector<std::uint8_t> payload(static_cast<std::size_t>(size), 0x55);
    peer.text(R"({"event":"media","media":{"chunk":")" + std::to_string(++chunk) + R"(","timestamp":")" +
              std::to_string(bytes_sent / 8) + R"(","payload":")" + base64_text(payload) +
              R"("},"streamSid":"MZ0001"})");
    bytes_sent += size;
  }
  std::size_t echoed = 0;
  while (echoed < static_cast<std::size_t>(bytes_sent)) {
    const auto frame = peer.read_frame();
    ASSERT_TRUE(frame) << echoed << " of " << bytes_sent;
    const auto message = nlohmann::json::parse(frame->payload);
    const std::string payload = message["media"]["payload"];
    echoed += base64::max_decoded_size(payload.size()) -
              static_cast<std::size_t>(std::count(payload.begin(), payload.end(), '='));
  }
  EXPECT_EQ(metric("voxgate_messages_malformed_total"), 0);
  peer.text(stop_message("CA0022"));
  EXPECT_EQ(peer.read_close(), 1000);
}

TEST_F(EchoCall, TooManyBrokenMessagesAre1007) {
  config.limits.malformed_messages = 20;
  start();
  RawPeer peer = open_call("CA0006");
  echo_once(peer, 6, 1);
  for (int i = 0; i < 25; ++i) peer.text("{\"event\":");
  EXPECT_EQ(peer.read_close(), 1007);
  peer.shut();
  const auto rows = records();
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].outcome, "protocol_error");
  EXPECT_EQ(metric("voxgate_messages_malformed_total"), 20);
}

TEST_F(EchoCall, DeepAndHugeJsonIsRefusedWithoutHarm) {
  start();
  RawPeer peer = open_call("CA0007");
  peer.text(std::string(60000, '['));
  peer.text("{\"event\":" + std::string(60000, '{'));
  peer.text("{\"event\":\"media\",\"media\":{\"timestamp\":" + std::string(60000, '9') + "}}");
  std::string keys = "{\"event\":\"media\"";
  for (int i = 0; i < 4000; ++i) keys += ",\"k" + std::to_string(i) + "\":1";
  peer.text(keys + "}");
  echo_once(peer, 7, 1);
  peer.text(stop_message("CA0007"));
  EXPECT_EQ(peer.read_close(), 1000);
}

TEST_F(EchoCall, ATwoMegabyteTextIs1009AtItsHeader) {
  start();
  RawPeer peer = open_call("CA0008");
  echo_once(peer, 8, 1);
  peer.send_frame(1, std::string(2'000'000, 'x'));  // the peer may stop reading half-way
  EXPECT_EQ(peer.read_close(), 1009);
  peer.shut();
  const auto rows = records();
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].outcome, "protocol_error");
}

TEST_F(EchoCall, AnAnnouncedExabyteAndEndlessFragmentsAre1009) {
  start();
  {
    RawPeer peer = open_call("CA0009");
    peer.send(std::string("\x81\xFF\x40\x00\x00\x00\x00\x00\x00\x00\x01\x02\x03\x04", 14));
    EXPECT_EQ(peer.read_close(), 1009);
  }
  RawPeer peer = open_call("CA0010");
  peer.send_frame(1, "{", false);
  for (int i = 0; i < 3000; ++i) {
    if (!peer.send_frame(0, " ", false)) break;
  }
  EXPECT_EQ(peer.read_close(), 1009);
}

TEST_F(EchoCall, FirstMessagesOfNoKnownProtocolAreRefused) {
  start();
  const std::pair<int, std::string> strangers[] = {
      {2, std::string(320, '\0')}, {1, "hello"}, {1, "[]"}, {1, "{}"}, {1, R"({"event":"no such thing"})"}};
  for (const auto& [opcode, message] : strangers) {
    RawPeer peer = open_stream("CA0011");
    peer.send_frame(opcode, message);
    const int code = peer.read_close();
    EXPECT_TRUE(code == 1003 || code == 1008) << code << " for " << message;
  }
}

TEST_F(EchoCall, StartsThatCannotBeServedAreRefused) {
  start();
  const std::string good = start_message("CA0012");
  const auto with = [&good](const std::string& from, const std::string& to) {
    std::string out = good;
    for (std::size_t at = out.find(from); at != std::string::npos; at = out.find(from, at + to.size())) {
      out.replace(at, from.size(), to);
    }
    return out;
  };
  const std::pair<std::string, int> cases[] = {
      {with("CA0012", ""), 1008},
      {with("MZ0001", ""), 1008},
      {with("CA0012", std::string(200, 'A')), 1008},
      {with("MZ0001", std::string(200, 'M')), 1008},
      {with("\"channels\":1", "\"channels\":2"), 1008},
      {with("\"sampleRate\":8000", "\"sampleRate\":44100"), 1003},
      {with("audio/x-mulaw", "audio/opus"), 1003},
      {with("\"customParameters\":{}", "\"customParameters\":{\"k\":\"" + std::string(5000, 'v') + "\"}"), 1008},
      {with("\"customParameters\":{}", R"("customParameters":{"agent":"nobody"})"), 1008},
  };
  for (const auto& [message, code] : cases) {
    RawPeer peer = open_stream("CA0012", "");
    peer.text(connected_message());
    peer.text(message);
    EXPECT_EQ(peer.read_close(), code) << message.substr(0, 400);
    peer.shut();
  }
  EXPECT_TRUE(records().empty()) << "what never became a call leaves no record";
}

TEST_F(EchoCall, WithoutAStartMessageTheStreamIsClosed) {
  start();
  RawPeer talks = open_stream("CA0013");
  talks.text(connected_message());
  RawPeer silent = open_stream("CA0014");  // nor does it ever answer the close
  EXPECT_EQ(talks.read_close(), 1008);
  talks.close_frame(1008);
  EXPECT_TRUE(talks.wait_end());
  EXPECT_EQ(silent.read_close(), 1008);
  EXPECT_TRUE(silent.wait_end()) << "cut when the peer does not answer the close";
}

TEST_F(EchoCall, AResetInMidCallEndsItOnceAndFreesEverything) {
  start();
  for (int round = 0; round < 3; ++round) {
    RawPeer peer = open_call("CA0015");
    for (int i = 1; i <= 5; ++i) echo_once(peer, round, i);
    EXPECT_EQ(metric("voxgate_calls_active"), 1);
    EXPECT_EQ(metric("voxgate_listeners{topic=\"calls\"}"), 1);
    EXPECT_EQ(metric("voxgate_pool_slots{state=\"leased\"}"), 1);
    EXPECT_EQ(metric("voxgate_websockets_open{listener=\"public\"}"), 1);
    peer.reset();
    EXPECT_TRUE(back_to_baseline(std::chrono::seconds(5))) << difference();
  }
  const auto rows = records();
  ASSERT_EQ(rows.size(), 3u);
  for (const auto& row : rows) EXPECT_EQ(row.outcome, "transport_lost");
  EXPECT_EQ(ended("transport_lost"), 3);
  EXPECT_EQ(metric("voxgate_call_duration_seconds_count"), 3) << "one end each";
}

TEST_F(EchoCall, AFinOrAVanishedPeerIsATransportLost) {
  config.limits.idle_timeout = std::chrono::seconds(2);
  start();
  RawPeer fin = open_call("CA0016");
  echo_once(fin, 16, 1);
  fin.finish_writing();
  EXPECT_TRUE(fin.wait_end());
  fin.shut();
  RawPeer half = open_call("CA0017");  // half a frame, then nothing ever again
  echo_once(half, 17, 1);
  half.send(std::string("\x81\xFE\x01\x00\x01\x02\x03\x04{\"ev", 13));
  EXPECT_TRUE(half.wait_end());
  half.shut();
  const auto rows = records();
  ASSERT_EQ(rows.size(), 2u);
  for (const auto& row : rows) EXPECT_EQ(row.outcome, "transport_lost") << row.call_id;
}

TEST_F(EchoCall, FramesThatBreakTheWebSocketProtocolAre1002) {
  start();
  const std::string broken[] = {
      std::string("\x81\x02{}", 4),                  // not masked
      std::string("\xC1\x82\x01\x02\x03\x04{}", 8),  // compressed, which was never agreed
      std::string("\x83\x80\x01\x02\x03\x04", 6),    // opcode 3
      std::string("\x09\x80\x01\x02\x03\x04", 6),    // a fragmented ping
      std::string("\x80\x80\x01\x02\x03\x04", 6),    // continues nothing
  };
  int call = 0;
  for (const std::string& bytes : broken) {
    // A name of its own each: the one before may still be saying goodbye.
    RawPeer peer = open_call("CA0018" + std::to_string(++call));
    echo_once(peer, 18, 1);
    peer.send(bytes);
    EXPECT_EQ(peer.read_close(), 1002);
  }
  RawPeer peer = open_call("CA0019");
  peer.send_frame(1, "\xC3\x28");  // not UTF-8
  EXPECT_EQ(peer.read_close(), 1007);
}

TEST_F(EchoCall, OffersOfCompressionAndSubprotocolsAreNotTakenUp) {
  start();
  RawPeer peer(port());
  peer.send_upgrade("/v1/realtime/CA0020?agent=echo",
                    {{"Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits, x-webkit-deflate-frame"},
                     {"Sec-WebSocket-Protocol", "audio.twilio.com, chat"}});
  const HttpAnswer answer = peer.read_answer();
  ASSERT_EQ(answer.status, 101);
  EXPECT_EQ(answer.header("Sec-WebSocket-Accept"), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  EXPECT_EQ(answer.header("Sec-WebSocket-Extensions"), "");
  EXPECT_EQ(answer.header("Sec-WebSocket-Protocol"), "");
  peer.text(connected_message());
  peer.text(start_message("CA0020"));
  for (int i = 1; i <= 10; ++i) echo_once(peer, 20, i);
  peer.text(stop_message("CA0020"));
  EXPECT_EQ(peer.read_close(), 1000);
}

TEST_F(EchoCall, PingsAreAnsweredWithTheirPayload) {
  start();
  RawPeer peer = open_call("CA0021");
  peer.send_frame(9, "are you there");
  const auto pong = peer.read_frame();
  ASSERT_TRUE(pong);
  EXPECT_EQ(pong->opcode, 10);
  EXPECT_EQ(pong->payload, "are you there");
  peer.close_frame(1001);  // a going-away without stop is the caller's end too
  EXPECT_EQ(peer.read_close(), 1001);
  peer.shut();
  const auto rows = records();
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].outcome, "caller_hung_up");
}

}  // namespace
}  // namespace voxgate::test
