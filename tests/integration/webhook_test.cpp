// Who may open a stream: signatures on webhooks and upgrades, and the tokens that the voice webhook hands out.

#include <gmock/gmock.h>

#include <ctime>

#include "support/gateway_fixture.hpp"
#include "voxgate/carriers/twilio_signature.hpp"
#include "voxgate/gateway/stream_token.hpp"

namespace voxgate::test {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr const char* kAuthToken = "12345678901234567890123456789012";
constexpr const char* kSecret = "a-secret-of-more-than-32-characters-0123456789";
constexpr const char* kHost = "voice.example.com";

std::string sign(const std::string& url, const carriers::Params& form = {}, const char* token = kAuthToken) {
  return carriers::twilio_signature(token, url, form);
}

class Webhooks : public GatewayFixture {
 protected:
  Webhooks() {
    config.auth.mode = "token";
    config.auth.twilio_auth_tokens = {kAuthToken};
    config.auth.token_secret = kSecret;
    config.public_url = "https://voice.example.com";
  }

  HttpAnswer post(const std::string& target, const std::string& body, const std::string& signature) {
    HeaderList headers{{"Content-Type", "application/x-www-form-urlencoded"}};
    if (!signature.empty()) headers.emplace_back("X-Twilio-Signature", signature);
    return http(port(), "POST", target, headers, body);
  }

  HttpAnswer upgrade(const std::string& target, const std::string& signature, RawPeer* keep = nullptr) {
    RawPeer peer(port());
    HeaderList headers;
    if (!signature.empty()) headers.emplace_back("x-twilio-signature", signature);  // lower case, as seen in practice
    peer.send_upgrade(target, headers);
    HttpAnswer answer = peer.read_answer();
    if (keep != nullptr) *keep = std::move(peer);
    return answer;
  }

  /// The path of the stream URL that the voice webhook gives this call.
  std::string stream_path(const std::string& coded_call_id, std::string call_id = {}) {
    if (call_id.empty()) call_id = coded_call_id;
    const carriers::Params form{{"CallSid", call_id}, {"From", "+15005550006"}, {"To", "+15005550001"}};
    const HttpAnswer answer =
        post("/v1/twilio/voice", "CallSid=" + coded_call_id + "&From=%2B15005550006&To=%2B15005550001",
             sign("https://voice.example.com/v1/twilio/voice", form));
    EXPECT_EQ(answer.status, 200);
    EXPECT_THAT(answer.header("Content-Type"), StartsWith("text/xml"));
    const std::string before = "<Stream url=\"wss://voice.example.com";
    const std::size_t at = answer.body.find(before);
    EXPECT_NE(at, std::string::npos) << answer.body;
    if (at == std::string::npos) return {};
    const std::size_t from = at + before.size();
    return answer.body.substr(from, answer.body.find('"', from) - from);
  }

  static std::string wss(const std::string& path) { return "wss://" + std::string(kHost) + path; }
};

TEST_F(Webhooks, TheVoiceWebhookIsSignedAndItsStreamOpensOnce) {
  start();
  const std::string path = stream_path("CA0001");
  ASSERT_THAT(path, StartsWith("/v1/realtime/CA0001/"));
  RawPeer peer;
  ASSERT_EQ(upgrade(path, sign(wss(path)), &peer).status, 101);
  EXPECT_EQ(upgrade(path, sign(wss(path))).status, 403) << "the token was used";
  peer.text(connected_message());
  peer.text(start_message("CA0001", "MZ0001", R"({"agent":"echo"})"));
  const std::string payload = base64_text(frame_bytes(1, 1));
  peer.text(media_message(payload, 1));
  const auto frame = peer.read_frame();
  ASSERT_TRUE(frame);
  EXPECT_THAT(frame->payload, HasSubstr(payload));
  peer.text(stop_message("CA0001"));
  EXPECT_EQ(peer.read_close(), 1000);
}

TEST_F(Webhooks, TheDocumentCarriesWhatTheStreamNeeds) {
  add_agent("night", R"({"name": "night", "kind": "echo"})");
  config.agents.numbers = {{"+15005550001", "night"}};
  start();
  const carriers::Params form{{"CallSid", "CA0002"}, {"From", "+15005550006"}, {"To", "+15005550001"}};
  const HttpAnswer answer = post("/v1/twilio/voice", "CallSid=CA0002&From=%2B15005550006&To=%2B15005550001",
                                 sign("https://voice.example.com/v1/twilio/voice", form));
  EXPECT_THAT(answer.body,
              HasSubstr("<Connect action=\"https://voice.example.com/v1/twilio/continue\" method=\"POST\">"));
  EXPECT_THAT(answer.body, HasSubstr("statusCallback=\"https://voice.example.com/v1/twilio/status\""));
  EXPECT_THAT(answer.body, HasSubstr("<Parameter name=\"agent\" value=\"night\"/>"));
  EXPECT_THAT(answer.body, HasSubstr("<Parameter name=\"from\" value=\"+15005550006\"/>"));
}

TEST_F(Webhooks, WrongSignaturesOnTheWebhookAre403) {
  start();
  const carriers::Params form{{"CallSid", "CA0003"}};
  const std::string url = "https://voice.example.com/v1/twilio/voice", body = "CallSid=CA0003";
  EXPECT_EQ(post("/v1/twilio/voice", body, sign(url, form)).status, 200);
  EXPECT_EQ(post("/v1/twilio/voice?tenant=7", body, sign(url + "?tenant=7", form)).status, 200);
  const std::string wrong[] = {"",
                               "nonsense",
                               sign(url, form, "another-token"),
                               sign(url + "/", form),
                               sign("http://voice.example.com/v1/twilio/voice", form),
                               sign("https://voice.example.com:8443/v1/twilio/voice", form),
                               sign("https://voice.example.com/v1/twilio/status", form),
                               sign(url, {{"CallSid", "CA0004"}}),
                               sign(url)};
  for (const std::string& signature : wrong) {
    EXPECT_EQ(post("/v1/twilio/voice", body, signature).status, 403) << signature;
    EXPECT_EQ(post("/v1/twilio/continue", body, signature).status, 403);
    EXPECT_EQ(post("/v1/twilio/status", body, signature == wrong[6] ? "" : signature).status, 403);
  }
  EXPECT_EQ(post("/v1/twilio/voice", "CallSid=%zz", sign(url)).status, 400);
  EXPECT_EQ(post("/v1/twilio/voice", "To=x", sign(url, {{"To", "x"}})).status, 400) << "no CallSid";
}

TEST_F(Webhooks, StreamsWithoutARightTokenAndSignatureAreRefusedBeforeTheUpgrade) {
  start();
  const std::int64_t now = std::time(nullptr);
  const auto path_for = [](const gateway::StreamClaim& claim, const std::string& id, const char* secret = kSecret) {
    return "/v1/realtime/" + id + '/' + gateway::make_stream_token(secret, claim);
  };
  const std::string good = path_for({"twilio", "echo", "CA0005", now + 30}, "CA0005");
  EXPECT_EQ(upgrade(good, "").status, 401) << "no signature";
  EXPECT_EQ(upgrade(good, sign("https://voice.example.com" + good)).status, 403) << "signed as https, not wss";
  EXPECT_EQ(upgrade(good, sign(wss(good) + "/")).status, 403);
  EXPECT_EQ(upgrade(good, sign(wss(good), {}, "another")).status, 403);
  const std::string expired = path_for({"twilio", "echo", "CA0005", now - 1}, "CA0005");
  const std::string other = path_for({"twilio", "echo", "CA0005", now + 30}, "CA0006");
  const std::string forged =
      path_for({"twilio", "echo", "CA0005", now + 30}, "CA0005", "another-secret-of-32-characters!!");
  for (const std::string& path : {expired, other, forged, good + "x", good.substr(0, good.size() - 1),
                                  std::string("/v1/realtime/CA0005"), std::string("/v1/realtime/CA0005/x")}) {
    const int status = upgrade(path, sign(wss(path))).status;
    EXPECT_TRUE(status == 401 || status == 403) << status << ' ' << path;
  }
  EXPECT_EQ(metric("voxgate_calls_active"), 0);
  EXPECT_GT(metric("voxgate_connections_rejected_total{reason=\"unauthorized\"}"), 0);
  EXPECT_EQ(upgrade(good, sign(wss(good))).status, 101) << "none of that used the token up";
}

TEST_F(Webhooks, ARefusalFor503DoesNotConsumeTheToken) {
  config.limits.max_calls = 1;
  start();
  const std::string first = stream_path("CA0007"), second = stream_path("CA0008");
  RawPeer held;
  ASSERT_EQ(upgrade(first, sign(wss(first)), &held).status, 101);
  EXPECT_EQ(upgrade(second, sign(wss(second))).status, 503);
  held.reset();
  EXPECT_TRUE(eventually([this] { return metric("voxgate_calls_active") == 0; }));
  EXPECT_EQ(upgrade(second, sign(wss(second))).status, 101);
}

TEST_F(Webhooks, InSignatureModeTheSignatureIsEnough) {
  config.auth.mode = "signature";
  config.auth.twilio_auth_tokens = {"the-new-one", kAuthToken};  // a rotation
  start();
  const std::string path = "/v1/realtime/CA0009";
  EXPECT_EQ(upgrade(path, sign(wss(path))).status, 101);
  EXPECT_EQ(upgrade(path, sign(wss(path), {}, "the-new-one")).status, 101);
  EXPECT_EQ(upgrade(path, sign("wss://voice.example.com:443" + path)).status, 101);
  EXPECT_EQ(upgrade(path, "").status, 401);
  EXPECT_EQ(upgrade(path, sign("https://voice.example.com" + path)).status, 403);
  EXPECT_EQ(upgrade(path, sign(wss("/v1/realtime/CA0010"))).status, 403);
  const std::string named = path + "?agent=echo";
  EXPECT_EQ(upgrade(named, sign(wss(path))).status, 403) << "the query is part of what is signed";
  EXPECT_EQ(upgrade(path + "/", sign(wss(path))).status, 403) << "so is a trailing slash";
}

TEST_F(Webhooks, ContinueAndStatusAnswerWhatTheCarrierExpects) {
  start();
  const std::string base = "https://voice.example.com";
  const HttpAnswer next =
      post("/v1/twilio/continue", "CallSid=CA0011", sign(base + "/v1/twilio/continue", {{"CallSid", "CA0011"}}));
  EXPECT_EQ(next.status, 200);
  EXPECT_THAT(next.header("Content-Type"), StartsWith("text/xml"));
  EXPECT_THAT(next.body, HasSubstr("<Response><Hangup/></Response>"));
  const carriers::Params form{{"CallSid", "CA0011"}, {"StreamEvent", "stream-stopped"}};
  EXPECT_EQ(
      post("/v1/twilio/status", "CallSid=CA0011&StreamEvent=stream-stopped", sign(base + "/v1/twilio/status", form))
          .status,
      204);
  EXPECT_EQ(http(port(), "GET", "/v1/twilio/voice").status, 404);
}

TEST_F(Webhooks, AHostileCallIdStaysOneSegmentOfTheStreamsUrl) {
  start();
  const std::string id = "CA\"><Dial>+1900</Dial>/../x?y#z";
  const std::string path = stream_path("CA%22%3E%3CDial%3E%2B1900%3C%2FDial%3E%2F..%2Fx%3Fy%23z", id);
  for (const char* part : {"<", "\"", "?", "#", "/../", "&"}) EXPECT_THAT(path, ::testing::Not(HasSubstr(part)));
  EXPECT_EQ(upgrade(path, sign(wss(path))).status, 101) << "and names the same call when it comes back";
}

}  // namespace
}  // namespace voxgate::test
