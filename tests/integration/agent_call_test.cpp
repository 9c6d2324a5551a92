// Calls with the demonstration agent and the real engines: a conversation, an interruption, callers who vanish in the
// middle of a word, and fifty at once. Speech takes its time; nothing else is waited for.

#include <gmock/gmock.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <nlohmann/json.hpp>

#include "support/gateway_fixture.hpp"
#include "voxgate/sim/sim_call.hpp"

namespace voxgate::test {
namespace {

class AgentCalls : public GatewayFixture {
 protected:
  AgentCalls() {
    use_real_agents();
    config.agents.default_agent = "demo";
    config.limits.max_calls = 100;
  }

  sim::PlannedTurn say(const std::string& text, std::optional<Duration> barge_at = {}) {
    sim::PlannedTurn turn;
    turn.script.kind = sim::TurnKind::say;
    turn.script.text = text;
    turn.script.barge_at = barge_at;
    turn.clip = std::make_shared<sim::Clip>(voice_.say(text));
    return turn;
  }

  sim::CallPlan plan(const std::string& call_id, const std::string& agent) const {
    sim::CallPlan out;
    out.url = "ws://127.0.0.1:" + std::to_string(port());
    out.admin.clear();
    out.agent = agent;
    out.call_id = call_id;
    out.expect_greeting = agent == "demo";
    return out;
  }

  /// Places all calls at once on one loop and waits for the last.
  static std::vector<sim::CallResult> place(std::vector<sim::CallPlan> plans) {
    metrics::Registry registry{2};
    net::Loop loop(0, registry);
    std::vector<sim::CallResult> results(plans.size());
    std::size_t left = plans.size();
    for (std::size_t i = 0; i < plans.size(); ++i) {
      auto task = sim::place_call(loop, std::move(plans[i]));
      auto done = [&, i](std::exception_ptr error, sim::CallResult result) {
        EXPECT_FALSE(error);
        results[i] = std::move(result);
        if (--left == 0) loop.stop();
      };
      net::asio::co_spawn(loop.executor(), std::move(task), std::move(done));
    }
    loop.run();
    return results;
  }

  sim::CallerVoice voice_{"rms"};
};

TEST_F(AgentCalls, AConversationWithAnInterruptionLeavesNothingBehind) {
  start();
  sim::CallPlan call = plan("CA0001", "demo");
  call.admin = "http://127.0.0.1:" + std::to_string(admin_port());
  call.turns.push_back(say("what are your opening hours"));
  if (!kSanitized) call.turns.push_back(say("where are you located", std::chrono::milliseconds(1500)));
  call.turns.push_back(say("goodbye"));
  const sim::CallResult result = place({call})[0];
  EXPECT_EQ(result.outcome, sim::CallOutcome::completed);
  EXPECT_EQ(result.bad_messages, 0);
  EXPECT_TRUE(result.greeting.replied);
  EXPECT_GT(result.marks, 0);
  ASSERT_TRUE(result.gateway.found);
  EXPECT_TRUE(back_to_baseline()) << difference();
  EXPECT_GT(metric("voxgate_turns_total"), 0);
  if (kSanitized) return;  // the recogniser is too slow there for a conversation in time
  std::string heard, said;
  for (const sim::GatewayTurn& turn : result.gateway.turns) {
    heard += turn.caller + '\n';
    said += turn.agent + '\n';
  }
  EXPECT_THAT(heard, ::testing::HasSubstr("opening hours"));
  EXPECT_THAT(said, ::testing::HasSubstr("Monday"));
  for (const sim::TurnTrace& turn : result.turns) EXPECT_TRUE(turn.replied);
  EXPECT_TRUE(result.turns[1].interrupting);
  EXPECT_TRUE(result.turns[1].clear) << "the interruption cleared the line";
  EXPECT_GE(metric("voxgate_barge_ins_total"), 1);
  EXPECT_TRUE(result.agent_ended) << "goodbye is said back, then the agent hangs up";
  EXPECT_EQ(metric("voxgate_calls_total{carrier=\"twilio\",outcome=\"agent_hung_up\"}"), 1);
}

TEST_F(AgentCalls, CallersWhoVanishInTheMiddleOfAWordLeaveNothingBehind) {
  start();
  const sim::Clip clip = voice_.say("i would like to book an appointment for a cleaning");
  const int calls = kSanitized ? 4 : 12;
  for (int i = 0; i < calls; ++i) {
    RawPeer peer = open_call("CA" + std::to_string(i), "?agent=demo");
    ASSERT_TRUE(peer.read_frame()) << "the greeting has begun";
    // Up to the middle of the speech, a little farther every time; the agent is speaking all the while.
    const std::size_t until = clip.speech_begin + (clip.speech_end - clip.speech_begin) *
                                                      static_cast<std::size_t>(i + 1) /
                                                      static_cast<std::size_t>(calls + 1);
    int chunk = 0;
    for (std::size_t at = 0; at + 160 <= until; at += 160) {
      const auto from = clip.ulaw.begin() + static_cast<std::ptrdiff_t>(at);
      peer.text(media_message(base64_text({from, from + 160}), ++chunk));
    }
    EXPECT_EQ(metric("voxgate_recogniser_streams"), 1);
    EXPECT_EQ(metric("voxgate_voice_streams"), 1);
    if (i % 3 == 0) {
      peer.shut();
    } else {
      peer.reset();
    }
    EXPECT_TRUE(back_to_baseline()) << "call " << i << ": " << difference();
  }
  EXPECT_EQ(metric("voxgate_recogniser_decoders_in_use"), 0);
  EXPECT_EQ(metric("voxgate_recogniser_streams"), 0);
  EXPECT_EQ(metric("voxgate_voice_streams"), 0);
  EXPECT_EQ(metric("voxgate_call_duration_seconds_count"), calls) << "one end each";
}

// The trace of telephony.md section 14, with its shapes: media and marks, an echo, the interruption's clear, the old
// marks echoed back at once, marks of the next generation.
TEST_F(AgentCalls, MarksAndClearFollowTheDocumentedTrace) {
  start();
  const sim::Clip clip = voice_.say("excuse me where are you located");
  RawPeer peer = open_call("CA0003", "?agent=demo");
  std::vector<std::string> marks;
  int media = 0, clears = 0;
  // The caller sends a frame every 20 ms, of `speech` while it lasts, and reads in between.
  std::vector<std::uint8_t> speech;
  sim::LineNoise noise(1);
  int chunk = 0;
  Instant due = Clock::now();
  const auto send_due_frames = [&] {
    for (; due <= Clock::now(); due += std::chrono::milliseconds(20)) {
      std::vector<std::uint8_t> bytes(160);
      noise.fill(bytes);
      if (speech.size() >= 160) {
        std::copy_n(speech.begin(), 160, bytes.begin());
        speech.erase(speech.begin(), speech.begin() + 160);
      }
      peer.text(media_message(base64_text(bytes), ++chunk));
    }
  };
  const auto read_until = [&](const std::function<bool()>& condition) {
    const Instant deadline = Clock::now() + kPatience;
    while (!condition() && Clock::now() < deadline) {
      send_due_frames();
      const auto frame = peer.read_frame(std::max(Duration{}, due - Clock::now()));
      if (!frame) {
        ASSERT_FALSE(peer.ended());
        continue;
      }
      ASSERT_TRUE(frame->fin && frame->opcode == 1 && frame->reserved == 0) << "opcode " << frame->opcode;
      const auto message = nlohmann::json::parse(frame->payload);
      ASSERT_EQ(message["streamSid"], "MZ0001");
      const std::string event = message["event"];
      if (event == "clear") {
        ASSERT_EQ(message.size(), 2u) << frame->payload;
        ++clears;
        continue;
      }
      ASSERT_EQ(message.size(), 3u) << frame->payload;
      ASSERT_TRUE(message.contains(event)) << frame->payload;
      ASSERT_EQ(message[event].size(), 1u) << frame->payload;
      if (event == "mark") {
        marks.push_back(message["mark"]["name"]);
      } else {
        ASSERT_EQ(event, "media");
        ASSERT_FALSE(message["media"]["payload"].get<std::string>().empty());
        ++media;
      }
    }
    ASSERT_TRUE(condition());
  };
  ASSERT_NO_FATAL_FAILURE(read_until([&] { return media >= 25 && !marks.empty(); }));
  peer.text(mark_message(marks.back()));  // sooner than played: then less is left than the gateway thinks, not nothing
  speech = clip.ulaw;
  ASSERT_NO_FATAL_FAILURE(read_until([&] { return clears > 0; }));
  const std::string old_generation = marks.back().substr(0, marks.back().find('-'));
  for (const std::string& mark : marks) {
    EXPECT_EQ(mark.substr(0, mark.find('-')), old_generation);
    peer.text(mark_message(mark));
  }
  const std::size_t before = marks.size();
  ASSERT_NO_FATAL_FAILURE(read_until([&] { return marks.size() > before; }));
  EXPECT_NE(marks.back().substr(0, marks.back().find('-')), old_generation);
  peer.text(stop_message("CA0003"));
  EXPECT_EQ(peer.read_close(), 1000);
}

TEST_F(AgentCalls, TheOperatorSpeaksAndHangsUp) {
  start();
  RawPeer peer = open_call("CA0002", "?agent=demo");
  ASSERT_TRUE(peer.read_frame());
  ASSERT_TRUE(eventually([this] { return metric("voxgate_listeners{topic=\"calls\"}") == 1; }));
  EXPECT_EQ(http(admin_port(), "POST", "/v1/calls/CA0002/say", {}, R"({"text":"One moment please."})").status, 200);
  EXPECT_EQ(http(admin_port(), "POST", "/v1/calls/CA0002/hangup").status, 200);
  EXPECT_EQ(peer.read_close(), 1001);
  peer.close_frame(1001);
  EXPECT_TRUE(peer.wait_end());
}

TEST_F(AgentCalls, FiftyAtOnceAFifthCutOffLeaveNothingBehind) {
  const int calls = kSanitized ? 10 : 50;
  start();
  const sim::PlannedTurn hello = say("hello");
  std::vector<sim::CallPlan> plans;
  for (int i = 0; i < calls; ++i) {
    plans.push_back(plan("CA" + std::to_string(i), i % 2 == 0 ? "demo" : "echo"));
    if (i % 2 != 0) plans.back().turns.push_back(hello);
    plans.back().hang_up_abruptly = i % 5 == 0;
    plans.back().keep_tracks = false;
  }
  for (const sim::CallResult& result : place(std::move(plans))) {
    EXPECT_EQ(result.outcome, sim::CallOutcome::completed) << result.call_id << ' ' << result.http_status;
    EXPECT_GT(result.media_received, 0) << result.call_id;
    EXPECT_EQ(result.bad_messages, 0);
  }
  EXPECT_TRUE(back_to_baseline()) << difference();
  const auto lost = static_cast<int>(metric("voxgate_calls_total{carrier=\"twilio\",outcome=\"transport_lost\"}"));
  EXPECT_EQ(lost, calls / 5);
  EXPECT_EQ(metric("voxgate_calls_total{carrier=\"twilio\",outcome=\"caller_hung_up\"}"), calls - lost);
  EXPECT_GT(metric("voxgate_pool_slots{state=\"high_water\"}"), calls / 2) << "they were there together";
}

}  // namespace
}  // namespace voxgate::test
