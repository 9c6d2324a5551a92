// The hard cap: exact under bursts, decided before the upgrade, and given back whatever a stream ends with.

#include <gmock/gmock.h>
#include <thread>

#include "support/gateway_fixture.hpp"

namespace voxgate::test {
namespace {

using ::testing::HasSubstr;

constexpr int kCap = 5;

class Admission : public GatewayFixture {
 protected:
  Admission() {
    config.limits.max_calls = kCap;
    config.limits.retry_after = std::chrono::seconds(7);
    config.limits.max_connections = 4000;
  }

  /// `many` upgrades at once; the accepted ones are returned, all others must be proper refusals.
  std::vector<RawPeer> burst(int many) {
    std::vector<RawPeer> peers, accepted;
    for (int i = 0; i < many; ++i) peers.emplace_back(port());
    for (int i = 0; i < many; ++i) {
      peers[static_cast<std::size_t>(i)].send_upgrade("/v1/realtime/CA" + std::to_string(i) + "?agent=echo");
    }
    for (RawPeer& peer : peers) {
      const HttpAnswer answer = peer.read_answer();
      if (answer.status == 101) {
        accepted.push_back(std::move(peer));
        continue;
      }
      EXPECT_EQ(answer.status, 503);
      EXPECT_EQ(answer.header("Retry-After"), "7");
      EXPECT_EQ(answer.header("Content-Type"), "application/json");
      EXPECT_EQ(answer.body, "{\"reason\":\"full\"}\n");
    }
    return accepted;
  }

  double rejected() { return metric("voxgate_connections_rejected_total{reason=\"full\"}"); }
};

TEST_F(Admission, ABurstOfAThousandGetsExactlyTheCap) {
  start();
  std::vector<RawPeer> inside = burst(200);
  ASSERT_EQ(inside.size(), static_cast<std::size_t>(kCap));
  for (int i = 0; i < 4; ++i) EXPECT_EQ(burst(200).size(), 0u) << "burst " << i;
  EXPECT_EQ(rejected(), 1000 - kCap);
  EXPECT_EQ(metric("voxgate_calls_active"), kCap);
  EXPECT_EQ(metric("voxgate_pool_slots{state=\"leased\"}"), kCap);
  // Those inside did not notice.
  int call = 0;
  for (RawPeer& peer : inside) {
    const std::string id = "CA" + std::to_string(++call);
    peer.text(start_message(id));
    const std::string payload = base64_text(frame_bytes(call, 1));
    peer.text(media_message(payload, 1));
    const auto frame = peer.read_frame();
    ASSERT_TRUE(frame);
    EXPECT_THAT(frame->payload, HasSubstr(payload));
    peer.text(stop_message(id));
    EXPECT_EQ(peer.read_close(), 1000);
    peer.close_frame(1000);
  }
  inside.clear();
  EXPECT_TRUE(back_to_baseline()) << difference();
  EXPECT_EQ(burst(50).size(), static_cast<std::size_t>(kCap)) << "exactly as many fit again";
}

TEST_F(Admission, EveryWayToEndGivesThePlaceBack) {
  start();
  for (int round = 0; round < 3; ++round) {
    std::vector<RawPeer> inside = burst(40);
    ASSERT_EQ(inside.size(), static_cast<std::size_t>(kCap)) << "round " << round;
    inside[0].reset();
    inside[1].finish_writing();
    inside[2].send(std::string("\x83\x80\x01\x02\x03\x04", 6));  // opcode 3
    inside[3].text("no protocol of ours");
    inside[4].text(start_message("CA4"));
    inside[4].text(stop_message("CA4"));
    for (std::size_t i = 1; i < inside.size(); ++i) {
      inside[i].read_close();
      inside[i].shut();
    }
    std::vector<RawPeer> half;  // handshakes that stop half-way hold no place
    for (int i = 0; i < 20; ++i) {
      half.emplace_back(port());
      half.back().send("GET /v1/realtime/CA1 HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnec");
    }
    EXPECT_TRUE(eventually([this] { return metric("voxgate_calls_active") == 0; }));
    for (std::size_t i = 0; i < half.size(); ++i) {
      if (i % 2 == 0) {
        half[i].reset();
      } else {
        half[i].shut();
      }
    }
    EXPECT_TRUE(back_to_baseline()) << difference();
  }
  EXPECT_EQ(burst(40).size(), static_cast<std::size_t>(kCap));
}

TEST_F(Admission, APeerThatIsGoneBeforeThe101GivesThePlaceBack) {
  start();
  for (int i = 0; i < 200; ++i) {
    RawPeer peer(port());
    peer.send_upgrade("/v1/realtime/CA1?agent=echo");
    peer.reset();
  }
  EXPECT_TRUE(back_to_baseline()) << difference();
  EXPECT_EQ(burst(40).size(), static_cast<std::size_t>(kCap));
}

TEST_F(Admission, ReadinessSaysFullAndTheWebhookRejects) {
  start();
  EXPECT_EQ(http(port(), "GET", "/readyz").status, 200);
  std::vector<RawPeer> inside = burst(kCap);
  ASSERT_EQ(inside.size(), static_cast<std::size_t>(kCap));
  const HttpAnswer ready = http(port(), "GET", "/readyz");
  EXPECT_EQ(ready.status, 503);
  EXPECT_THAT(ready.body, HasSubstr("\"reasons\":[\"full\"]"));
  EXPECT_EQ(http(port(), "GET", "/healthz").status, 200) << "full is not sick";
  const HttpAnswer voice = http(port(), "POST", "/v1/twilio/voice",
                                {{"Content-Type", "application/x-www-form-urlencoded"}}, "CallSid=CA1&To=%2B1");
  EXPECT_EQ(voice.status, 200);
  EXPECT_THAT(voice.body, HasSubstr("<Reject reason=\"busy\"/>"));
  inside.clear();
  EXPECT_TRUE(eventually([this] { return http(port(), "GET", "/readyz").status == 200; }));
}

TEST_F(Admission, WhileDrainingNewStreamsGetTheReason) {
  start();
  RawPeer live = open_call("CA1");
  std::thread serving([this] { server().serve(false); });
  server().request_stop();
  EXPECT_TRUE(eventually([this] { return http(port(), "GET", "/readyz").status == 503; }));
  EXPECT_THAT(http(port(), "GET", "/readyz").body, HasSubstr("\"draining\""));
  RawPeer late(port());
  late.send_upgrade("/v1/realtime/CA2?agent=echo");
  const HttpAnswer answer = late.read_answer();
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.body, "{\"reason\":\"draining\"}\n");
  EXPECT_EQ(answer.header("Retry-After"), "7");
  const std::string payload = base64_text(frame_bytes(1, 1));
  live.text(media_message(payload, 1));
  const auto frame = live.read_frame();
  ASSERT_TRUE(frame);
  EXPECT_THAT(frame->payload, HasSubstr(payload));
  live.text(stop_message("CA1"));
  EXPECT_EQ(live.read_close(), 1000);
  live.shut();
  serving.join();
  EXPECT_EQ(server().active_calls(), 0u);
  stop();
}

}  // namespace
}  // namespace voxgate::test
