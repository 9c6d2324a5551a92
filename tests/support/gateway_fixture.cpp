#include "support/gateway_fixture.hpp"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>

#include "voxgate/base/base64.hpp"
#include "voxgate/base/log.hpp"

namespace voxgate::test {
namespace {

// What is "now" rather than "ever": every series here must come back.
constexpr const char* kGauges[] = {
    "voxgate_calls_active",
    "voxgate_listeners{topic=\"calls\"}",
    "voxgate_listeners{topic=\"ticks\"}",
    "voxgate_pool_slots{state=\"leased\"}",
    "voxgate_sockets_open{listener=\"public\"}",
    "voxgate_sockets_open{listener=\"admin\"}",
    "voxgate_websockets_open{listener=\"public\"}",
    "voxgate_recogniser_decoders_in_use",
    "voxgate_recogniser_streams",
    "voxgate_voice_streams",
    "voxgate_recordings_active",
    "voxgate_records_spooled",
    "voxgate_pool_queued{pool=\"asr\"}",
    "voxgate_pool_queued{pool=\"tts\"}",
    "voxgate_pool_queued{pool=\"readers\"}",
    "voxgate_pool_running{pool=\"asr\"}",
    "voxgate_pool_running{pool=\"tts\"}",
    "voxgate_pool_running{pool=\"readers\"}",
};

}  // namespace

bool eventually(const std::function<bool()>& condition, Duration limit) {
  const Instant deadline = Clock::now() + limit;
  while (!condition()) {
    if (Clock::now() >= deadline) return condition();
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

std::string connected_message() {
  return R"({"event":"connected","protocol":"Call","version":"1.0.0"})";
}

std::string start_message(const std::string& call_id, const std::string& stream_id, const std::string& parameters) {
  return R"({"event":"start","sequenceNumber":"1","start":{"accountSid":"AC0001","streamSid":")" + stream_id +
         R"(","callSid":")" + call_id +
         R"(","tracks":["inbound"],"mediaFormat":{"encoding":"audio/x-mulaw","sampleRate":8000,"channels":1},)"
         R"("customParameters":)" +
         parameters + R"(},"streamSid":")" + stream_id + "\"}";
}

std::string media_message(std::string_view payload, int chunk, const std::string& stream_id) {
  return R"({"event":"media","sequenceNumber":")" + std::to_string(chunk + 1) +
         R"(","media":{"track":"inbound","chunk":")" + std::to_string(chunk) + R"(","timestamp":")" +
         std::to_string(20 * (chunk - 1) + 5) + R"(","payload":")" + std::string(payload) + R"("},"streamSid":")" +
         stream_id + "\"}";
}

std::string stop_message(const std::string& call_id, const std::string& stream_id) {
  return R"({"event":"stop","sequenceNumber":"5","streamSid":")" + stream_id +
         R"(","stop":{"accountSid":"AC0001","callSid":")" + call_id + "\"}}";
}

std::string mark_message(const std::string& name, const std::string& stream_id) {
  return R"({"event":"mark","sequenceNumber":"4","streamSid":")" + stream_id + R"(","mark":{"name":")" + name + "\"}}";
}

std::string dtmf_message(char digit, const std::string& stream_id) {
  return R"({"event":"dtmf","streamSid":")" + stream_id +
         R"(","sequenceNumber":"5","dtmf":{"track":"inbound_track","digit":")" + std::string(1, digit) + "\"}}";
}

std::vector<std::uint8_t> frame_bytes(int call, int frame) {
  std::vector<std::uint8_t> out(160);
  std::uint32_t state = static_cast<std::uint32_t>(call) * 2654435761u + static_cast<std::uint32_t>(frame) * 40503u + 1;
  for (auto& byte : out) {
    state = state * 1664525u + 1013904223u;
    byte = static_cast<std::uint8_t>(state >> 24);
  }
  return out;
}

std::string base64_text(const std::vector<std::uint8_t>& bytes) {
  std::string out(base64::encoded_size(bytes.size()), '\0');
  base64::encode(bytes, out.data());
  return out;
}

GatewayFixture::GatewayFixture() {
  log::set_level(log::Level::off);
  std::string pattern = (std::filesystem::temp_directory_path() / "voxgate-test-XXXXXX").string();
  if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no temporary directory");
  directory_ = pattern;
  std::filesystem::create_directory(directory_ + "/agents");
  add_agent("echo", R"({"name": "echo", "kind": "echo"})");
  config.listen.public_door = config.listen.admin = config.listen.metrics = "127.0.0.1:0";
  config.loops = 2;
  config.auth.mode = "none";
  config.agents.directory = directory_ + "/agents";
  config.agents.default_agent = "echo";
  config.records.path = directory_ + "/records.db";
  config.log.level = "off";
}

GatewayFixture::~GatewayFixture() {
  server_.reset();
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

void GatewayFixture::add_agent(const std::string& name, const std::string& text) {
  std::ofstream(directory_ + "/agents/" + name + ".json") << text;
}

void GatewayFixture::use_real_agents() {
  config.agents.directory = std::string(VOXGATE_SOURCE_DIR) + "/config/agents";
}

void GatewayFixture::start() {
  server_ = std::make_unique<gateway::Server>(config);
  server_->open();
  doors_ = server_->doors();
  baseline_ = series();
}

void GatewayFixture::TearDown() {
  if (!server_) return;
  EXPECT_TRUE(back_to_baseline()) << difference();
}

std::map<std::string, double> GatewayFixture::series() const {
  std::map<std::string, double> out;
  std::istringstream lines(server_->scrape());
  for (std::string line; std::getline(lines, line);) {
    const std::size_t space = line.rfind(' ');
    if (line.empty() || line[0] == '#' || space == std::string::npos) continue;
    out[line.substr(0, space)] = std::strtod(line.c_str() + space + 1, nullptr);
  }
  return out;
}

double GatewayFixture::metric(const std::string& name) const {
  const auto all = series();
  const auto found = all.find(name);
  return found == all.end() ? 0 : found->second;
}

std::string GatewayFixture::difference() const {
  std::string out;
  auto all = series();
  auto before = baseline_;
  for (const char* gauge : kGauges) {
    if (all[gauge] == before[gauge]) continue;
    out += std::string(gauge) + ": " + std::to_string(before[gauge]) + " -> " + std::to_string(all[gauge]) + '\n';
  }
  return out;
}

bool GatewayFixture::back_to_baseline(Duration limit) {
  return eventually([this] { return difference().empty(); }, limit);
}

RawPeer GatewayFixture::open_stream(const std::string& call_id, const std::string& query) {
  RawPeer peer(port());
  peer.send_upgrade("/v1/realtime/" + call_id + query);
  const HttpAnswer answer = peer.read_answer();
  EXPECT_EQ(answer.status, 101) << answer.body;
  if (answer.status != 101) peer.shut();
  return peer;
}

RawPeer GatewayFixture::open_call(const std::string& call_id, const std::string& query) {
  RawPeer peer = open_stream(call_id, query);
  peer.text(connected_message());
  peer.text(start_message(call_id));
  return peer;
}

}  // namespace voxgate::test
