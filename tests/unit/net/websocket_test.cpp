#include "voxgate/net/websocket.hpp"

#include <gmock/gmock.h>

#include "net_fixture.hpp"

namespace voxgate::net::test {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class WebSocketTest : public NetTest {};

void echo(WebSocket& socket, bool text, std::string_view payload) {
  socket.send(text, payload);
}

/// A client that sends some messages, collects as many and closes.
struct Collector final : MessageHandler {
  WebSocket* socket = nullptr;
  std::vector<std::string> got;
  std::size_t wanted = 0;
  void on_message(bool, std::span<const std::uint8_t> payload) override {
    got.emplace_back(payload.begin(), payload.end());
    if (got.size() == wanted) socket->close(1000, "done");
  }
};

Awaitable<std::pair<std::vector<std::string>, CloseInfo>> talk(Loop& loop, std::string url,
                                                               std::vector<std::string> messages) {
  Headers headers;
  WsConnectResult connected = co_await ws_connect(loop, url, headers, WebSocketOptions{});
  std::pair<std::vector<std::string>, CloseInfo> out;
  EXPECT_TRUE(connected) << connected.error.message();
  if (!connected) co_return out;
  Collector collector;
  collector.socket = connected.socket.get();
  collector.wanted = messages.size();
  for (const std::string& m : messages) EXPECT_TRUE(connected.socket->send(true, m));
  out.second = co_await connected.socket->run(collector);
  out.first = collector.got;
  co_return out;
}

TEST_F(WebSocketTest, EchoesMessagesOfEverySizeClass) {
  script_->on_message = echo;
  serve();
  const std::vector<std::string> messages = {"",
                                             "a",
                                             std::string(125, 'b'),
                                             std::string(126, 'c'),
                                             std::string(65535, 'd'),
                                             std::string(65536, 'e'),
                                             "gr\xC3\xBC\xC3\x9F dich"};
  auto [got, info] = run_on(loop(), talk(loop(), url("ws"), messages));
  EXPECT_EQ(got, messages);
  EXPECT_EQ(info.code, 1000);
  EXPECT_FALSE(info.error) << info.error.message();
  EXPECT_FALSE(info.peer_closed);
  const CloseInfo server_side = ended();
  EXPECT_EQ(server_side.code, 1000);
  EXPECT_EQ(server_side.reason, "done");
  EXPECT_TRUE(server_side.peer_closed);
  EXPECT_FALSE(server_side.error);
}

TEST_F(WebSocketTest, SteadyStateKeepsNothingQueuedAndCountsFrames) {
  WebSocket::Counters counters;
  script_->on_message = [&](WebSocket& socket, bool text, std::string_view payload) {
    socket.begin_message(text).append(payload).append("!");
    EXPECT_TRUE(socket.commit_message());
    counters = socket.counters();
  };
  serve();
  RawClient client(port());
  ASSERT_TRUE(client.upgrade());
  for (int i = 0; i < 50; ++i) {
    client.send(client_frame(0x82, "frame" + std::to_string(i)));
    EXPECT_EQ(client.read_frame(), std::make_pair(0x82, "frame" + std::to_string(i) + "!"));
  }
  client.send(client_frame(0x88, ""));
  EXPECT_EQ(client.read_frame(), std::make_pair(0x88, std::string()));
  EXPECT_TRUE(client.read_to_end());
  EXPECT_EQ(ended().code, 1005);
  EXPECT_EQ(counters.messages_in, 50u);
  EXPECT_EQ(counters.messages_out, 50u);
  EXPECT_EQ(counters.dropped, 0u);
}

TEST_F(WebSocketTest, MessagesOfOneReadLeaveTogetherAndInOrder) {
  script_->on_message = echo;
  serve();
  RawClient client(port());
  ASSERT_TRUE(client.upgrade());
  std::string burst;
  for (int i = 0; i < 100; ++i) burst += client_frame(0x81, std::to_string(i));
  client.send(burst);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(client.read_frame(), std::make_pair(0x81, std::to_string(i)));
  client.close();
  EXPECT_EQ(ended().code, 1006);
}

TEST_F(WebSocketTest, ReassemblesFragmentsWithControlFramesBetween) {
  script_->on_message = echo;
  serve();
  RawClient client(port());
  ASSERT_TRUE(client.upgrade());
  const std::string bytes = client_frame(0x01, "one ") + client_frame(0x89, "ping") + client_frame(0x00, "two ") +
                            client_frame(0x80, "three");
  for (const char c : bytes) client.send(std::string(1, c));  // and torn apart by the network
  EXPECT_EQ(client.read_frame(), std::make_pair(0x8A, std::string("ping")));
  EXPECT_EQ(client.read_frame(), std::make_pair(0x81, std::string("one two three")));
  client.send(client_frame(0x88, std::string("\x03\xE8", 2) + "bye"));
  EXPECT_EQ(close_code(client.read_frame().second), 1000);
  const CloseInfo info = ended();
  EXPECT_EQ(info.reason, "bye");
  EXPECT_TRUE(info.peer_closed);
}

struct BadFrames {
  const char* name;
  std::string bytes;
  int code;
};

class WebSocketRefuses : public NetTest, public ::testing::WithParamInterface<BadFrames> {};

TEST_P(WebSocketRefuses, WithTheRightCodeAndCloses) {
  int delivered = 0;
  script_->on_message = [&](WebSocket&, bool, std::string_view) { ++delivered; };
  serve();
  RawClient client(port());
  ASSERT_TRUE(client.upgrade());
  client.send(GetParam().bytes);
  const auto [first, payload] = client.read_frame();
  EXPECT_EQ(first, 0x88);
  EXPECT_EQ(close_code(payload), GetParam().code);
  client.close();
  const CloseInfo info = ended();
  EXPECT_EQ(info.code, GetParam().code);
  EXPECT_TRUE(info.error);
  EXPECT_FALSE(info.peer_closed);
  EXPECT_EQ(delivered, 0);
}

std::string many_fragments() {
  std::string out = client_frame(0x01, "x");
  for (int i = 0; i < 1100; ++i) out += client_frame(0x00, "");
  return out;
}

INSTANTIATE_TEST_SUITE_P(
    Frames, WebSocketRefuses,
    ::testing::Values(
        BadFrames{"Oversize", client_frame(0x82, std::string(65537, 'x')), 1009},
        BadFrames{"AnnouncedHuge", std::string("\x82\xFF\x40\0\0\0\0\0\0\0abcd", 14), 1009},
        BadFrames{"AnnouncedBeyondSigned", std::string("\x82\xFF\xC0\0\0\0\0\0\0\0abcd", 14), 1002},
        BadFrames{"OversizeInFragments",
                  client_frame(0x02, std::string(40000, 'x')) + client_frame(0x00, std::string(40000, 'x')), 1009},
        BadFrames{"TooManyFragments", many_fragments(), 1009},
        BadFrames{"InvalidUtf8", client_frame(0x81, "abc\xC0\xAF"), 1007},
        BadFrames{"CutUtf8", client_frame(0x81, "abc\xE2\x82"), 1007},
        BadFrames{"Unmasked", std::string("\x81\x01x", 3), 1002},
        BadFrames{"ReservedBit", client_frame(0xC1, "x"), 1002},
        BadFrames{"ReservedOpcode", client_frame(0x83, "x"), 1002},
        BadFrames{"LoneContinuation", client_frame(0x80, "x"), 1002},
        BadFrames{"FragmentedPing", client_frame(0x09, "x"), 1002},
        BadFrames{"LongPing", client_frame(0x89, std::string(126, 'x')), 1002},
        BadFrames{"CloseOfOneByte", client_frame(0x88, "x"), 1002},
        BadFrames{"CloseWith1005", client_frame(0x88, std::string("\x03\xED", 2)), 1002}),
    [](const auto& param) { return param.param.name; });

TEST_F(WebSocketTest, PeerThatNeverReadsIsBoundedAndCut) {
  ws_options_.outbox_limit = 64 * 1024;
  ws_options_.write_timeout = 300ms;
  std::size_t most = 0;
  std::uint64_t dropped = 0;
  bool refused = false;
  script_->on_message = [&](WebSocket& socket, bool, std::string_view) {
    const std::string audio(4000, 'a');
    for (int i = 0; i < 4000; ++i) {  // 16 MB: more than the kernel takes
      refused = !socket.send(false, audio, Delivery::droppable) || refused;
      most = std::max(most, socket.queued_bytes());
    }
    dropped = socket.counters().dropped;
  };
  serve();
  RawClient client(port(), 4096);
  ASSERT_TRUE(client.upgrade());
  client.send(client_frame(0x81, "go"));
  const CloseInfo info = ended();
  EXPECT_EQ(info.error, Errc::timed_out);
  EXPECT_EQ(info.code, 1006);
  EXPECT_LE(most, 64u * 1024 + 4010);
  EXPECT_GT(dropped, 0u);
  EXPECT_FALSE(refused) << "droppable messages are shed, they do not cut the call";
}

TEST_F(WebSocketTest, OutboxFullOfMessagesThatMustBeKeptCutsThePeer) {
  ws_options_.outbox_limit = 64 * 1024;
  bool refused = false;
  script_->on_message = [&](WebSocket& socket, bool, std::string_view) {
    const std::string text(4000, 'a');
    for (int i = 0; i < 4000 && !refused; ++i) refused = !socket.send(true, text);
  };
  serve();
  RawClient client(port(), 4096);
  ASSERT_TRUE(client.upgrade());
  client.send(client_frame(0x81, "go"));
  EXPECT_EQ(ended().error, Errc::full);
  EXPECT_TRUE(refused);
}

TEST_F(WebSocketTest, StaleAudioIsDroppedOldestFirstAndTheRestArrivesInOrder) {
  ws_options_.outbox_limit = 1024 * 1024;
  ws_options_.outbox_age = 100ms;
  WebSocket* server_socket = nullptr;
  script_->on_open = [&](WebSocket& socket) { server_socket = &socket; };
  serve();
  RawClient client(port(), 4096);
  ASSERT_TRUE(client.upgrade());
  ASSERT_TRUE(eventually([&] { return call_on(loop(), [&] { return server_socket != nullptr; }); }));
  call_on(loop(), [&] {  // outside a read or a tick every message is written at once, until the kernel takes no more
    const std::string audio(4000, 'a');
    while (server_socket->queued_bytes() < 200 * 1024) server_socket->send(false, audio, Delivery::droppable);
    return server_socket->send(true, "important");
  });
  ASSERT_TRUE(eventually([&] { return call_on(loop(), [&] { return server_socket->counters().dropped > 0; }); }));
  const auto dropped = call_on(loop(), [&] { return server_socket->counters().dropped; });
  EXPECT_GE(dropped, 40u);
  std::pair<int, std::string> frame;
  do {
    frame = client.read_frame();
  } while (frame.first == 0x82);
  EXPECT_EQ(frame, std::make_pair(0x81, std::string("important")));
  client.close();
  ended();
}

TEST_F(WebSocketTest, CloseWithoutAnAnswerIsCutAtItsDeadline) {
  ws_options_.close_timeout = 200ms;
  script_->on_open = [](WebSocket& socket) { socket.close(4001, "enough"); };
  serve();
  RawClient client(port());
  ASSERT_TRUE(client.upgrade());
  EXPECT_EQ(close_code(client.read_frame().second), 4001);
  const CloseInfo info = ended();  // the client stays silent
  EXPECT_EQ(info.code, 4001);
  EXPECT_EQ(info.error, Errc::timed_out);
  EXPECT_FALSE(info.peer_closed);
  EXPECT_TRUE(client.read_to_end());
}

TEST_F(WebSocketTest, CloseFollowsWhatIsQueuedAndNothingFollowsIt) {
  bool accepted_after = true;
  script_->on_message = [&](WebSocket& socket, bool, std::string_view) {
    socket.send(true, "last words");
    socket.close(1001);
    accepted_after = socket.send(true, "too late");
    EXPECT_FALSE(socket.is_open());
  };
  serve();
  RawClient client(port());
  ASSERT_TRUE(client.upgrade());
  client.send(client_frame(0x81, "go") + client_frame(0x81, "ignored"));
  EXPECT_EQ(client.read_frame().second, "last words");
  EXPECT_EQ(close_code(client.read_frame().second), 1001);
  client.send(client_frame(0x88, std::string("\x03\xE9", 2)));
  EXPECT_TRUE(client.read_to_end());
  const CloseInfo info = ended();
  EXPECT_EQ(info.code, 1001);
  EXPECT_FALSE(info.error);
  EXPECT_FALSE(accepted_after);
  EXPECT_EQ(client.received(), "");
}

TEST_F(WebSocketTest, SilentPeerIsPingedThenLost) {
  ws_options_.idle_timeout = 400ms;
  serve();
  RawClient client(port());
  ASSERT_TRUE(client.upgrade());
  EXPECT_EQ(client.read_frame().first, 0x89);
  const CloseInfo info = ended();
  EXPECT_EQ(info.error, Errc::timed_out);
  EXPECT_EQ(info.code, 1006);
  EXPECT_TRUE(client.read_to_end());
}

TEST_F(WebSocketTest, PongsKeepASilentPeerAlive) {
  ws_options_.idle_timeout = 400ms;
  std::uint64_t pongs = 0;
  script_->on_message = [&](WebSocket& socket, bool, std::string_view) { pongs = socket.counters().pongs_in; };
  serve();
  RawClient client(port());
  ASSERT_TRUE(client.upgrade());
  for (int i = 0; i < 6; ++i) {  // longer than the idle timeout by far
    ASSERT_EQ(client.read_frame().first, 0x89) << i;
    client.send(client_frame(0x8A, ""));
  }
  client.send(client_frame(0x81, "still there") + client_frame(0x88, ""));
  EXPECT_TRUE(client.read_to_end());
  EXPECT_EQ(ended().code, 1005);
  EXPECT_EQ(pongs, 6u);
}

TEST_F(WebSocketTest, PingFloodIsAnsweredWithoutGrowth) {
  std::size_t queued = 0;
  script_->on_message = [&](WebSocket& socket, bool, std::string_view) { queued = socket.queued_messages(); };
  serve();
  RawClient client(port());
  ASSERT_TRUE(client.upgrade());
  std::string flood;
  for (int i = 0; i < 1000; ++i) flood += client_frame(0x89, std::to_string(i));
  client.send(flood + client_frame(0x81, "look"));
  std::pair<int, std::string> last;
  do {
    last = client.read_frame();
    ASSERT_EQ(last.first, 0x8A);
  } while (last.second != "999");
  EXPECT_LE(queued, 1u);
  client.close();
  ended();
}

TEST_F(WebSocketTest, AbruptResetLeavesNothingBehind) {
  script_->on_message = echo;
  serve();
  RawClient client(port());
  ASSERT_TRUE(client.upgrade());
  client.send(client_frame(0x81, "hello"));
  client.read_frame();
  EXPECT_EQ(server_->websockets(), 1u);
  client.reset();
  const CloseInfo info = ended();
  EXPECT_EQ(info.code, 1006);
  EXPECT_TRUE(info.error);
  EXPECT_TRUE(eventually([&] { return server_->connections() == 0 && server_->websockets() == 0; }));
}

TEST_F(WebSocketTest, BytesBehindTheUpgradeAreNotLost) {
  script_->on_message = echo;
  serve();
  RawClient client(port());
  client.send(RawClient::upgrade_request() + client_frame(0x81, "early"));
  client.read_until("\r\n\r\n");
  EXPECT_THAT(client.read_until("early"), HasSubstr("\x81\x05"
                                                    "early"));
  client.close();
  ended();
}

TEST_F(WebSocketTest, CancellingRunCutsTheConnection) {
  script_->on_message = echo;
  serve();
  CloseInfo seen;
  bool running = false;
  auto client = [](Loop& l, std::string target, CloseInfo* out, bool* runs) -> Awaitable<void> {
    Headers headers;
    WsConnectResult connected = co_await ws_connect(l, target, headers, WebSocketOptions{});
    Collector collector;
    *runs = true;
    *out = co_await connected.socket->run(collector);
  };
  auto parent = [client](Loop& l, std::string target, CloseInfo* out, bool* runs) -> Awaitable<void> {
    TaskScope scope(l, "client");
    scope.spawn(client(l, target, out, runs));
    Timer timer(l.executor());
    while (!*runs) {
      timer.expires_after(1ms);
      co_await timer.async_wait(kTuple);
    }
    scope.cancel();
    co_await scope.join();
  };
  run_on(loop(), parent(loop(), url("ws"), &seen, &running));
  EXPECT_EQ(seen.error, Errc::cancelled);
  EXPECT_TRUE(ended().error);
}

TEST_F(WebSocketTest, CloseAllEndsEverySessionWithCancelled) {
  serve();
  RawClient client(port());
  ASSERT_TRUE(client.upgrade());
  ASSERT_TRUE(eventually([&] { return server_->websockets() == 1; }));
  server_->close_all();
  EXPECT_EQ(ended().error, Errc::cancelled);
  EXPECT_TRUE(server_->wait_closed(kPatience));
  EXPECT_TRUE(client.read_to_end());
}

TEST_F(WebSocketTest, ClientSeesTheRefusalWithItsHeadersAndBody) {
  on_upgrade_ = [](const HttpRequest& request) {
    EXPECT_EQ(request.path, "/v1/realtime/abc");
    EXPECT_EQ(request.query_parameter("agent"), "echo");
    HttpResponse refusal(503, R"({"reason":"full"})", "application/json");
    refusal.headers.add("Retry-After", "2");
    return UpgradeDecision(std::move(refusal));
  };
  serve();
  Headers headers;
  WsConnectResult result =
      run_on(loop(), ws_connect(loop(), url("ws", "/v1/realtime/abc?agent=echo"), headers, WebSocketOptions{}));
  EXPECT_FALSE(result);
  EXPECT_EQ(result.error, Errc::unavailable);
  EXPECT_EQ(result.response.status, 503);
  EXPECT_EQ(result.response.headers.get("retry-after"), "2");
  EXPECT_EQ(result.response.body, R"({"reason":"full"})");
}

TEST_F(WebSocketTest, SubprotocolIsEchoedOnlyWhenTheDecisionNamesOne) {
  on_upgrade_ = [this](const HttpRequest& request) {
    UpgradeDecision decision(std::make_unique<ScriptSession>(script_));
    EXPECT_EQ(request.offered_subprotocols(), (std::vector<std::string>{"one", "audio.example.org"}));
    if (request.path == "/named") decision.subprotocol = "audio.example.org";
    return decision;
  };
  serve();
  for (const char* path : {"/named", "/plain"}) {
    script_ = std::make_shared<Script>();
    RawClient client(port());
    client.send(RawClient::upgrade_request(path,
                                           "Sec-WebSocket-Protocol: one, audio.example.org\r\n"
                                           "Sec-WebSocket-Extensions: permessage-deflate\r\n"));
    const std::string head = client.read_until("\r\n\r\n");
    EXPECT_THAT(head, StartsWith("HTTP/1.1 101"));
    EXPECT_THAT(head, HasSubstr("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
    EXPECT_EQ(head.find("deflate"), std::string::npos);
    EXPECT_EQ(head.find("audio.example.org") != std::string::npos, std::string_view(path) == "/named");
    client.close();
    ended();
  }
}

}  // namespace
}  // namespace voxgate::net::test
