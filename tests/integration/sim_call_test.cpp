// Many simulated callers on one loop against a whole gateway: they share a clip, and every frame comes back.

#include <gmock/gmock.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>

#include "support/gateway_fixture.hpp"
#include "voxgate/audio/g711.hpp"
#include "voxgate/sim/sim_call.hpp"

namespace voxgate::test {
namespace {

class SimCalls : public GatewayFixture {
 protected:
  sim::CallPlan plan(const std::string& call_id) const {
    sim::CallPlan out;
    out.url = "ws://127.0.0.1:" + std::to_string(port());
    out.admin.clear();
    out.agent = "echo";
    out.call_id = call_id;
    sim::PlannedTurn turn;
    turn.script.kind = sim::TurnKind::wav;
    turn.clip = clip_;
    out.turns = {turn};
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

  std::shared_ptr<const sim::Clip> clip_ = std::make_shared<sim::Clip>(
      sim::clip_of_ulaw(std::vector<std::uint8_t>(4800, audio::g711::linear_to_ulaw(8000))));
};

TEST_F(SimCalls, ManyOnOneLoopHearTheirEcho) {
  start();
  std::vector<sim::CallPlan> plans;
  for (int i = 0; i < 10; ++i) {
    plans.push_back(plan("CA" + std::to_string(i)));
    plans.back().hang_up_abruptly = i % 5 == 0;
  }
  for (const sim::CallResult& result : place(std::move(plans))) {
    EXPECT_EQ(result.outcome, sim::CallOutcome::completed);
    EXPECT_FALSE(result.agent_ended);
    EXPECT_EQ(result.bad_messages, 0);
    ASSERT_EQ(result.turns.size(), 1u);
    EXPECT_TRUE(result.turns[0].replied);
    EXPECT_LE(result.media_received, result.frames_sent);
    const auto loud = [](std::uint8_t b) { return audio::g711::ulaw_to_linear(b) > 4000; };
    EXPECT_EQ(std::count_if(result.agent_track.begin(), result.agent_track.end(), loud), 4800)
        << "every sample that was spoken is heard back";
  }
  EXPECT_TRUE(back_to_baseline()) << difference();
}

TEST_F(SimCalls, ARefusalIsToldWithItsReason) {
  start();
  sim::CallPlan unknown = plan("CA1");
  unknown.agent = "nobody";
  const auto results = place({unknown});
  EXPECT_EQ(results[0].outcome, sim::CallOutcome::refused);
  EXPECT_EQ(results[0].http_status, 404);
  EXPECT_THAT(results[0].http_body, ::testing::HasSubstr("nobody"));
}

TEST_F(SimCalls, ASignedUpgradeIsAccepted) {
  config.auth.mode = "signature";
  config.auth.twilio_auth_tokens = {"12345678901234567890123456789012"};
  start();
  sim::CallPlan signed_plan = plan("CA1"), bare = plan("CA2"), wrong = plan("CA3");
  signed_plan.auth_token = config.auth.twilio_auth_tokens[0];
  wrong.auth_token = "another";
  const auto results = place({signed_plan, bare, wrong});
  EXPECT_EQ(results[0].outcome, sim::CallOutcome::completed);
  EXPECT_EQ(results[1].http_status, 401);
  EXPECT_EQ(results[2].http_status, 403);
}

TEST_F(SimCalls, NobodyThereIsToldApart) {
  start();
  sim::CallPlan lost = plan("CA1");
  stop();
  EXPECT_EQ(place({lost})[0].outcome, sim::CallOutcome::no_gateway);
}

}  // namespace
}  // namespace voxgate::test
