#include <gmock/gmock.h>

#include <thread>

#include "net/http_codec.hpp"
#include "net_fixture.hpp"

namespace voxgate::net::test {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class HttpTest : public NetTest {};

std::string status_line(const std::string& received) {
  return received.substr(0, received.find("\r\n"));
}

TEST_F(HttpTest, AnswersARequestWithItsBody) {
  on_request_ = [](const HttpRequest& request) {
    HttpResponse response(201, request.method + "|" + request.path + "|" + request.query + "|" + request.body + "|" +
                                   std::string(request.headers.get("x-test")) + "|" + request.remote_address);
    response.headers.add("X-Answer", "42");
    return response;
  };
  serve();
  Headers headers{{"X-Test", "yes"}};
  auto response =
      run_on(loop(), http_request(loop(), "POST", url("http", "/a/b?c=d%20e"), headers, std::string(5000, 'x')));
  ASSERT_TRUE(response) << response.error().message();
  EXPECT_EQ(response->status, 201);
  EXPECT_EQ(response->body, "POST|/a/b|c=d%20e|" + std::string(5000, 'x') + "|yes|127.0.0.1");
  EXPECT_EQ(response->headers.get("x-answer"), "42");
}

TEST_F(HttpTest, PeerOfAnIpv6ListenerIsWrittenAsIpv4) {
  on_request_ = [](const HttpRequest& request) { return HttpResponse(200, request.remote_address); };
  HttpServerOptions options;
  options.name = "test";
  options.address = "::";
  server_ = std::make_unique<HttpServer>(*loops_, *this, options, registry_);
  try {
    server_->listen();
  } catch (const boost::system::system_error& e) {
    GTEST_SKIP() << "no IPv6 here: " << e.what();
  }
  Headers none;
  auto response = run_on(loop(), http_request(loop(), "GET", url("http"), none, ""));
  ASSERT_TRUE(response) << response.error().message();
  EXPECT_EQ(response->body, "127.0.0.1");
}

TEST_F(HttpTest, KeepsTheConnectionAndServesPipelinedRequests) {
  serve();
  RawClient client(port());
  client.send(
      "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nPOST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcGET /3 "
      "HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  EXPECT_TRUE(client.read_to_end());
  EXPECT_THAT(client.received(), HasSubstr("GET /1"));
  EXPECT_THAT(client.received(), HasSubstr("POST /2"));
  EXPECT_THAT(client.received(), HasSubstr("GET /3"));
}

TEST_F(HttpTest, ChunkedBodyArrivesWhole) {
  on_request_ = [](const HttpRequest& request) { return HttpResponse(200, request.body); };
  serve();
  RawClient client(port());
  client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
  client.send("4;x=y\r\ndefg\r\n0\r\n\r\n");
  EXPECT_THAT(client.read_until("abcdefg"), StartsWith("HTTP/1.1 200"));
}

TEST_F(HttpTest, HeadHasTheLengthButNoBody) {
  serve();
  RawClient client(port());
  client.send("HEAD /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  EXPECT_TRUE(client.read_to_end());
  EXPECT_THAT(client.received(), HasSubstr("Content-Length: 7\r\n"));
  EXPECT_TRUE(client.received().ends_with("\r\n\r\n"));
}

TEST_F(HttpTest, SendsContinueToAClientThatWaitsForIt) {
  on_request_ = [](const HttpRequest& request) { return HttpResponse(200, "got " + request.body); };
  serve();
  RawClient client(port());
  client.send("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  EXPECT_THAT(client.read_until("\r\n\r\n"), StartsWith("HTTP/1.1 100"));
  client.send("hi");
  EXPECT_THAT(client.read_until("got hi"), HasSubstr("HTTP/1.1 200"));
}

TEST_F(HttpTest, HandlerThatThrowsIsA500) {
  on_request_ = [](const HttpRequest&) -> HttpResponse { throw std::runtime_error("broken"); };
  serve();
  RawClient client(port());
  client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_THAT(client.read_until("internal"), StartsWith("HTTP/1.1 500"));
}

struct BadRequest {
  const char* name;
  std::string bytes;
  int status;
};

class HttpRefuses : public NetTest, public ::testing::WithParamInterface<BadRequest> {};

TEST_P(HttpRefuses, AnswersOnceAndCloses) {
  bool handled = false;
  on_request_ = [&](const HttpRequest&) {
    handled = true;
    return HttpResponse(200);
  };
  on_upgrade_ = [&](const HttpRequest&) {
    handled = true;
    return UpgradeDecision{};
  };
  serve();
  RawClient client(port());
  client.send(GetParam().bytes);  // and the client waits: nothing more comes from it
  EXPECT_TRUE(client.read_to_end());
  EXPECT_THAT(client.received(), StartsWith("HTTP/1.1 " + std::to_string(GetParam().status)));
  EXPECT_EQ(client.received().find("HTTP/1.1", 1), std::string::npos) << "more than one answer";
  EXPECT_FALSE(handled);
}

std::string upgrade_with(std::string_view old_line, std::string_view new_line) {
  std::string request = RawClient::upgrade_request();
  const std::size_t at = request.find(old_line);
  request.replace(at, old_line.size(), new_line);
  return request;
}

const std::string kHead = "POST / HTTP/1.1\r\nHost: a\r\n";
const std::string kKeyLine = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

INSTANTIATE_TEST_SUITE_P(
    Requests, HttpRefuses,
    ::testing::Values(
        BadRequest{"LengthAndChunked", kHead + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET ",
                   400},
        BadRequest{"ChunkedAndLength", kHead + "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\nGET ",
                   400},
        BadRequest{"TwoLengths", kHead + "Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcde", 400},
        BadRequest{"SameLengthTwice", kHead + "Content-Length: 4\r\nContent-Length: 4\r\n\r\nabcd", 400},
        BadRequest{"LengthList", kHead + "Content-Length: 4, 4\r\n\r\nabcd", 400},
        BadRequest{"NegativeLength", kHead + "Content-Length: -1\r\n\r\n", 400},
        BadRequest{"PlusLength", kHead + "Content-Length: +4\r\n\r\nabcd", 400},
        BadRequest{"UnknownCoding", kHead + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 400},
        BadRequest{"CodingList", kHead + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 400},
        BadRequest{"ChunkedTwice", kHead + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                   400},
        BadRequest{"ChunkedInHttp10", "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
        BadRequest{"ChunkOverflow", kHead + "Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\nabc", 400},
        BadRequest{"ChunkWithoutEnd", kHead + "Transfer-Encoding: chunked\r\n\r\n3\r\nabcX0\r\n\r\n", 400},
        BadRequest{"FoldedLine", kHead + "X: a\r\n b\r\n\r\n", 400},
        BadRequest{"BareLineFeed", "GET / HTTP/1.1\nHost: a\n\n", 400},
        BadRequest{"BareCarriageReturn", "GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n", 400},
        BadRequest{"NulByte", std::string("GET / HTTP/1.1\r\nHost: a\0b\r\n\r\n", 29), 400},
        BadRequest{"SpaceBeforeColon", kHead + "Content-Length : 4\r\n\r\nabcd", 400},
        BadRequest{"NoHost", "GET / HTTP/1.1\r\n\r\n", 400},
        BadRequest{"TwoHosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400},
        BadRequest{"NotHttp", "\x16\x03\x01\x02\x01\r\n\r\n", 400},
        BadRequest{"HugeHeader", "GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(20000, 'x'), 431},
        BadRequest{"HugeTarget", "GET /" + std::string(20000, 'x'), 431},
        BadRequest{"OversizeBodyAnnounced", kHead + "Content-Length: 70000\r\n\r\n", 413},
        BadRequest{"EightExabytes", kHead + "Content-Length: 9223372036854775807\r\n\r\n", 413},
        BadRequest{"OversizeChunked", kHead + "Transfer-Encoding: chunked\r\n\r\n20000\r\n", 413},
        BadRequest{"EmptyKey", upgrade_with(kKeyLine, "Sec-WebSocket-Key: \r\n"), 400},
        BadRequest{"NoKey", upgrade_with(kKeyLine, ""), 400},
        BadRequest{"ShortKey", upgrade_with(kKeyLine, "Sec-WebSocket-Key: dGhlIHNhbXBsZQ==\r\n"), 400},
        BadRequest{"GarbageKey", upgrade_with(kKeyLine, "Sec-WebSocket-Key: !GhlIHNhbXBsZSBub25jZQ==\r\n"), 400},
        BadRequest{"OldVersion", upgrade_with("Version: 13", "Version: 8"), 426},
        BadRequest{"NoVersion", upgrade_with("Sec-WebSocket-Version: 13\r\n", ""), 426},
        BadRequest{"UpgradeByPost", upgrade_with("GET", "POST"), 400},
        BadRequest{"UpgradeWithBody", upgrade_with("Host: test\r\n", "Host: test\r\nContent-Length: 1\r\n") + "x",
                   400}),
    [](const auto& param) { return param.param.name; });

TEST_F(HttpTest, RefusedVersionNamesTheOneWeSpeak) {
  serve();
  RawClient client(port());
  client.send(upgrade_with("Version: 13", "Version: 99"));
  EXPECT_TRUE(client.read_to_end());
  EXPECT_THAT(client.received(), HasSubstr("Sec-WebSocket-Version: 13\r\n"));
}

TEST_F(HttpTest, SlowHeaderIsCutAtItsDeadline) {
  HttpServerOptions options;
  options.header_timeout = 300ms;
  serve(options);
  RawClient silent(port()), dripping(port());
  const auto begin = Clock::now();
  std::atomic<bool> over{false};
  std::thread drip([&] {
    const std::string request = "GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(4000, 'x');
    for (std::size_t i = 0; i < request.size() && !over; ++i) {
      dripping.send(request.substr(i, 1));
      ::poll(nullptr, 0, 5);
    }
  });
  EXPECT_TRUE(silent.read_to_end());
  EXPECT_TRUE(dripping.read_to_end()) << "bytes that keep dripping do not extend the deadline";
  over = true;
  drip.join();
  EXPECT_GE(Clock::now() - begin, 250ms);
  EXPECT_EQ(silent.received(), "");
  EXPECT_TRUE(eventually([&] { return server_->connections() == 0; }));
}

TEST_F(HttpTest, SlowBodyAndIdleConnectionAreCutAtTheirDeadlines) {
  HttpServerOptions options;
  options.body_timeout = 300ms;
  options.idle_timeout = 300ms;
  serve(options);
  RawClient body(port()), idle(port());
  body.send(kHead + "Content-Length: 10\r\n\r\nabc");
  idle.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_TRUE(body.read_to_end());
  EXPECT_EQ(body.received(), "");
  EXPECT_TRUE(idle.read_to_end());
  EXPECT_THAT(idle.received(), StartsWith("HTTP/1.1 200"));
}

TEST_F(HttpTest, ConnectionsBeyondTheCapAreClosedAtOnceAndRoomIsReused) {
  HttpServerOptions options;
  options.max_connections = 2;
  serve(options);
  RawClient first(port()), second(port());
  ASSERT_TRUE(eventually([&] { return server_->connections() == 2; }));
  RawClient third(port());
  EXPECT_TRUE(third.read_to_end());
  EXPECT_EQ(registry_.counter("voxgate_connections_refused_total", "", {{"listener", "test"}}).value(), 1u);
  first.reset();
  ASSERT_TRUE(eventually([&] { return server_->connections() == 1; }));
  RawClient fourth(port());
  fourth.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_THAT(fourth.read_until("\r\n\r\n"), StartsWith("HTTP/1.1 200"));
}

TEST_F(HttpTest, StopAcceptingRefusesNewConnectionsAndKeepsOldOnes) {
  serve();
  RawClient old(port());
  ASSERT_TRUE(eventually([&] { return server_->connections() == 1; }));
  server_->stop_accepting();
  ASSERT_TRUE(eventually([&] { return !RawClient(port()).connected(); }));
  old.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_TRUE(old.read_to_end());
  EXPECT_THAT(old.received(), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(old.received(), HasSubstr("Connection: close"));
  EXPECT_TRUE(server_->wait_closed(kPatience));
}

TEST_F(HttpTest, CloseIdleCutsOnlyConnectionsThatWait) {
  script_->on_message = [](WebSocket& socket, bool text, std::string_view payload) { socket.send(text, payload); };
  serve();
  RawClient idle(port()), call(port());
  idle.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  idle.read_until("GET /");
  ASSERT_TRUE(call.upgrade());
  // The answer is on the wire a moment before the connection counts as waiting.
  ASSERT_TRUE(eventually([&] {
    server_->close_idle();
    return server_->connections() == 1;
  }));
  EXPECT_TRUE(idle.read_to_end());
  call.send(client_frame(0x81, "alive"));
  EXPECT_EQ(call.read_frame().second, "alive");
}

TEST_F(HttpTest, ListenOnATakenPortThrowsAndNamesIt) {
  serve();
  HttpServerOptions options;
  options.address = "127.0.0.1";
  options.port = port();
  HttpServer second(*loops_, *this, options, registry_);
  try {
    second.listen();
    FAIL() << "bound a port that is taken";
  } catch (const boost::system::system_error& e) {
    EXPECT_THAT(e.what(), HasSubstr("127.0.0.1:" + std::to_string(port())));
  }
}

TEST_F(HttpTest, SpreadsConnectionsOverTheLoops) {
  loops_->stop();
  loops_->join();
  start(2);
  serve();
  RawClient a(port()), b(port()), c(port()), d(port());
  ASSERT_TRUE(eventually([&] { return server_->connections() == 4; }));
  EXPECT_EQ(loops_->at(0).load(), 2u);
  EXPECT_EQ(loops_->at(1).load(), 2u);
}

TEST_F(HttpTest, RunningOutOfDescriptorsBacksOffAndRecovers) {
  serve();
  RawClient before(port());
  ASSERT_TRUE(eventually([&] { return server_->connections() == 1; }));
  std::vector<int> hoard;
  RawClient* waiting = new RawClient(port());  // its descriptor must exist before there are none left
  ASSERT_TRUE(eventually([&] { return server_->connections() == 2; }));
  const int late = ::socket(AF_INET, SOCK_STREAM, 0);
  for (int fd = ::dup(0); fd >= 0; fd = ::dup(0)) hoard.push_back(fd);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port());
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(::connect(late, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  auto& errors = registry_.counter("voxgate_accept_errors_total", "", {{"listener", "test"}});
  EXPECT_TRUE(eventually([&] { return errors.value() > 0; }));
  before.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_THAT(before.read_until("GET /"), StartsWith("HTTP/1.1 200")) << "running connections are served meanwhile";
  EXPECT_LT(errors.value(), 200u) << "it spins";
  for (const int fd : hoard) ::close(fd);
  EXPECT_TRUE(eventually([&] { return server_->connections() == 3; })) << "accepts again";
  ::close(late);
  delete waiting;
}

TEST_F(HttpTest, ClientReportsWhatWentWrong) {
  serve();
  Headers none;
  const auto ask = [&](std::string target) {
    return run_on(loop(), http_request(loop(), "GET", std::move(target), none, "", 5s)).error();
  };
  EXPECT_EQ(ask("https://localhost/"), Errc::unsupported);
  EXPECT_EQ(ask("gopher://localhost/"), Errc::bad_input);
  std::uint16_t closed_port = 0;
  {
    HttpServerOptions options;
    options.address = "127.0.0.1";
    HttpServer gone(*loops_, *this, options, registry_);
    gone.listen();
    closed_port = gone.port();
  }
  EXPECT_EQ(ask("http://127.0.0.1:" + std::to_string(closed_port) + "/"), asio::error::connection_refused);
}

TEST_F(HttpTest, ClientGivesUpAtItsTimeout) {
  const int listener = ::socket(AF_INET, SOCK_STREAM, 0);  // listens, never accepts
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(::bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  ASSERT_EQ(::listen(listener, 5), 0);
  socklen_t size = sizeof(address);
  ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size);
  const std::string target = "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port)) + "/";
  Headers none;
  EXPECT_EQ(run_on(loop(), http_request(loop(), "GET", target, none, "", 100ms)).error(), Errc::timed_out);
  ::close(listener);
}

TEST_F(HttpTest, ClientResolvesNames) {
  serve();
  Headers none;
  const std::string target = "http://localhost:" + std::to_string(port()) + "/named";
  auto response = run_on(loop(), http_request(loop(), "GET", target, none, ""));
  ASSERT_TRUE(response) << response.error().message();
  EXPECT_EQ(response->body, "GET /named");
}

TEST(Urls, AreTakenApart) {
  const auto url = parse_url("WS://example.org:8080/a?b=c#frag");
  ASSERT_TRUE(url);
  EXPECT_EQ(url->scheme, "ws");
  EXPECT_EQ(url->host, "example.org");
  EXPECT_EQ(url->port, 8080);
  EXPECT_EQ(url->target, "/a?b=c");
  EXPECT_EQ(url->host_header(), "example.org:8080");
  EXPECT_EQ(parse_url("https://a")->port, 443);
  EXPECT_EQ(parse_url("https://a")->host_header(), "a");
  EXPECT_EQ(parse_url("http://a?x")->target, "/?x");
  EXPECT_EQ(parse_url("http://[::1]:9/")->host, "::1");
  EXPECT_EQ(parse_url("http://[::1]:9/")->host_header(), "[::1]:9");
  for (const char* bad : {"", "a", "ftp://a/", "http://", "http://u:p@a/", "http://a:0/", "http://a:99999/",
                          "http://a:x/", "http://a b/", "http://a/\r\nX: y", "http://[::1/"}) {
    EXPECT_FALSE(parse_url(bad)) << bad;
  }
}

TEST(Requests, QueryParametersAreDecoded) {
  HttpRequest request;
  request.query = "a=1&b=x%20y+z&c&a=2&d=%zz";
  EXPECT_EQ(request.query_parameter("a"), "1");
  EXPECT_EQ(request.query_parameter("b"), "x y z");
  EXPECT_EQ(request.query_parameter("c"), "");
  EXPECT_EQ(request.query_parameter("d"), std::nullopt);
  EXPECT_EQ(request.query_parameter("e"), std::nullopt);
}

TEST(Responses, HeaderValuesCannotBreakOutOfTheirLine) {
  HttpResponse response(200, "x");
  response.headers.add("X-Evil", "a\r\nSet-Cookie: b");
  const std::string bytes = format_response(response, true, false);
  EXPECT_EQ(bytes.find("Set-Cookie"), std::string::npos);
  EXPECT_EQ(status_line(bytes), "HTTP/1.1 200 OK");
}

}  // namespace
}  // namespace voxgate::net::test
