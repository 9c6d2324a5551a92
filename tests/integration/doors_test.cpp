// Health, the admin door, and what hostile requests get.

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "support/gateway_fixture.hpp"

namespace voxgate::test {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

class Doors : public GatewayFixture {
 protected:
  json get_json(const std::string& target) {
    const HttpAnswer answer = http(admin_port(), "GET", target);
    EXPECT_EQ(answer.status, 200) << target << ": " << answer.body;
    return json::parse(answer.body, nullptr, false);
  }
};

TEST_F(Doors, HealthIsAnsweredAtEveryDoor) {
  start();
  for (const std::uint16_t door : {port(), admin_port(), server().doors().metrics_port}) {
    EXPECT_EQ(http(door, "GET", "/healthz").body, "{\"status\":\"ok\"}\n");
    const HttpAnswer ready = http(door, "GET", "/readyz");
    EXPECT_EQ(ready.status, 200);
    EXPECT_EQ(json::parse(ready.body)["ready"], true);
    EXPECT_EQ(json::parse(ready.body)["reasons"], json::array());
  }
  EXPECT_EQ(http(port(), "GET", "/metrics").status, 404) << "not for the public";
  EXPECT_EQ(http(server().doors().metrics_port, "GET", "/metrics").header("Content-Type"),
            "text/plain; version=0.0.4; charset=utf-8");
  EXPECT_EQ(http(admin_port(), "GET", "/metrics").status, 200);
}

TEST_F(Doors, UnknownPathsAre404AndTheMediaPathWantsAnUpgrade) {
  start();
  for (const char* path : {"/", "/v1", "/v1/calls", "/v1/twilio", "/v1/nobody/voice", "/favicon.ico", "/healthz/x"}) {
    EXPECT_EQ(http(port(), "GET", path).status, 404) << path;
  }
  const HttpAnswer answer = http(port(), "GET", "/v1/realtime/CA1");
  EXPECT_EQ(answer.status, 426);
  EXPECT_EQ(answer.header("Upgrade"), "websocket");
  for (const char* path :
       {"/v1/realtime", "/v1/realtime/", "/v1/realtime/a/b/c", "/v2/realtime/a", "/x", "/v1/realtime/%zz"}) {
    RawPeer peer(port());
    peer.send_upgrade(path);
    EXPECT_EQ(peer.read_answer().status, 404) << path;
  }
  RawPeer nobody(port());
  nobody.send_upgrade("/v1/realtime/CA1?agent=nobody");
  EXPECT_EQ(nobody.read_answer().status, 404);
  EXPECT_EQ(metric("voxgate_calls_active"), 0);
}

TEST_F(Doors, BrokenUpgradesAreRefused) {
  start();
  const std::pair<std::string, std::string> good[] = {{"Upgrade", "websocket"},
                                                      {"Connection", "Upgrade"},
                                                      {"Sec-WebSocket-Version", "13"},
                                                      {"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="}};
  const auto attempt = [&](const std::string& name, const std::string& value) {
    RawPeer peer(port());
    std::string request = "GET /v1/realtime/CA1?agent=echo HTTP/1.1\r\nHost: x\r\n";
    for (const auto& [key, usual] : good) {
      if (key != name) {
        request += key + ": " + usual + "\r\n";
      } else if (value != "-") {
        request += key + ": " + value + "\r\n";
      }
    }
    peer.send(request + "\r\n");
    return peer.read_answer().status;
  };
  EXPECT_EQ(attempt("", ""), 101);
  EXPECT_EQ(attempt("Sec-WebSocket-Key", ""), 400);
  EXPECT_EQ(attempt("Sec-WebSocket-Key", "-"), 400);
  EXPECT_EQ(attempt("Sec-WebSocket-Key", "short"), 400);
  const int version = attempt("Sec-WebSocket-Version", "8");
  EXPECT_TRUE(version == 426 || version == 400) << version;
  EXPECT_TRUE(eventually([this] { return metric("voxgate_calls_active") == 0; }));
}

TEST_F(Doors, LiveCallsAreListedShownAndEnded) {
  config.loops = 3;
  start();
  EXPECT_EQ(get_json("/v1/calls")["calls"], json::array());
  RawPeer first = open_call("CA1"), second = open_call("CA2");
  ASSERT_TRUE(eventually([this] { return get_json("/v1/calls")["calls"].size() == 2; }));
  const json shown = get_json("/v1/calls/CA2");
  EXPECT_EQ(shown["call"], "CA2");
  EXPECT_EQ(shown["stream"], "MZ0001");
  EXPECT_EQ(shown["carrier"], "twilio");
  EXPECT_EQ(shown["agent"], "echo");
  EXPECT_EQ(shown["live"], true);
  EXPECT_EQ(http(admin_port(), "POST", "/v1/calls/CA2/say", {}, "{\"text\":\"hello\"}").status, 200)
      << "an agent without a voice takes it and stays silent";
  EXPECT_EQ(http(admin_port(), "POST", "/v1/calls/CA2/say", {}, "{\"text\":7}").status, 400);
  EXPECT_EQ(http(admin_port(), "POST", "/v1/calls/CA2/say", {}, "[[[").status, 400);
  EXPECT_EQ(http(admin_port(), "POST", "/v1/calls/CA2/dance").status, 404);
  EXPECT_EQ(http(admin_port(), "DELETE", "/v1/calls/CA2").status, 405);
  EXPECT_EQ(http(admin_port(), "POST", "/v1/calls/CA2/hangup").status, 200);
  EXPECT_EQ(second.read_close(), 1001);
  second.close_frame(1001);
  EXPECT_TRUE(second.wait_end());
  ASSERT_TRUE(eventually([this] {
    return http(admin_port(), "GET", "/v1/calls/CA2").body.find("\"operator_ended\"") != std::string::npos;
  })) << http(admin_port(), "GET", "/v1/calls/CA2").body;
  const json over = get_json("/v1/calls/CA2");
  EXPECT_EQ(over["live"], false);
  EXPECT_EQ(http(admin_port(), "POST", "/v1/calls/CA2/hangup").status, 404);
  EXPECT_EQ(get_json("/v1/calls")["calls"].size(), 1u);
  first.text(stop_message("CA1"));
  EXPECT_EQ(first.read_close(), 1000);
}

TEST_F(Doors, HostileIdsAreJustNames) {
  start();
  const std::string ids[] = {"%2e%2e%2f%2e%2e%2fetc%2fpasswd",
                             "%00",
                             "%22%3E%3Cscript%3E",
                             "'%3Bdrop%20table%20calls--",
                             "%F0%9F%92%A9",
                             "%ff%fe",
                             "a%0d%0aSet-Cookie:%20x",
                             std::string(120, 'A')};
  for (const std::string& id : ids) {
    RawPeer peer = open_stream(id);
    peer.text(connected_message());
    peer.shut();
    EXPECT_EQ(http(admin_port(), "GET", "/v1/calls/" + id).status, 404) << id;
    EXPECT_EQ(http(admin_port(), "POST", "/v1/calls/" + id + "/hangup").status, 404) << id;
  }
  RawPeer peer(port());
  peer.send_upgrade("/v1/realtime/" + std::string(200, 'A') + "?agent=echo");
  EXPECT_EQ(peer.read_answer().status, 400);
  // The same names as the carrier's own ids: they come out of the record as they went in.
  RawPeer call = open_stream("x");
  call.text(start_message(R"(CA\"}{\\\u0007<b>)", R"(MZ\"\u2028)"));
  ASSERT_TRUE(eventually([this] { return get_json("/v1/calls")["calls"].size() == 1; }));
  EXPECT_EQ(get_json("/v1/calls")["calls"][0]["call"], "CA\"}{\\\a<b>");
  call.text(media_message(base64_text(frame_bytes(1, 1)), 1, R"(MZ\"\u2028)"));
  const auto frame = call.read_frame();
  ASSERT_TRUE(frame);
  EXPECT_EQ(json::parse(frame->payload)["streamSid"], "MZ\"\u2028");
  call.reset();
}

TEST_F(Doors, TheAdminDoorWantsItsToken) {
  config.admin_token = "open-sesame";
  start();
  EXPECT_EQ(http(admin_port(), "GET", "/healthz").status, 200) << "a probe has no token";
  for (const char* path : {"/v1/calls", "/v1/config", "/metrics", "/v1/nothing"}) {
    EXPECT_EQ(http(admin_port(), "GET", path).status, 401) << path;
    EXPECT_EQ(http(admin_port(), "GET", path, {{"Authorization", "Bearer open-sesamf"}}).status, 401);
    EXPECT_EQ(http(admin_port(), "GET", path, {{"Authorization", "open-sesame"}}).status, 401);
  }
  EXPECT_EQ(http(admin_port(), "POST", "/v1/drain").status, 401);
  const HeaderList right{{"Authorization", "Bearer open-sesame"}};
  EXPECT_EQ(http(admin_port(), "GET", "/v1/calls", right).status, 200);
  EXPECT_EQ(http(admin_port(), "GET", "/v1/nothing", right).status, 404);
  const HttpAnswer shown = http(admin_port(), "GET", "/v1/config", right);
  EXPECT_EQ(shown.status, 200);
  EXPECT_THAT(shown.body, ::testing::Not(HasSubstr("open-sesame")));
}

TEST_F(Doors, TheLogLevelIsSet) {
  start();
  EXPECT_EQ(http(admin_port(), "PUT", "/v1/log-level", {}, "error\n").status, 204);
  EXPECT_EQ(http(admin_port(), "PUT", "/v1/log-level", {}, "loud").status, 400);
  EXPECT_EQ(http(admin_port(), "PUT", "/v1/log-level", {}, "off").status, 204);
}

}  // namespace
}  // namespace voxgate::test
