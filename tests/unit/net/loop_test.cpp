#include "voxgate/net/loop.hpp"

#include <map>
#include <set>

#include "net_fixture.hpp"

namespace voxgate::net::test {
namespace {

class LoopTest : public ::testing::Test {
 protected:
  void SetUp() override { loop_.start(); }
  void TearDown() override {
    loop_.stop();
    EXPECT_TRUE(loop_.join());
  }
  metrics::Registry registry_{1};
  Loop loop_{0, registry_};
};

struct Recorder final : Tickable {
  std::function<void(Instant)> on_tick;
  std::vector<Instant> times;
  void tick(Instant now) override {
    times.push_back(now);
    if (on_tick) on_tick(now);
  }
};

TEST_F(LoopTest, PostsRunOnTheLoopInOrderAndMayBeMoveOnly) {
  std::vector<int> order;
  EXPECT_EQ(Loop::current(), nullptr);
  for (int i = 0; i < 5; ++i) {
    loop_.post([&order, p = std::make_unique<int>(i)] { order.push_back(*p); });
  }
  EXPECT_EQ(call_on(loop_, [] { return Loop::current(); }), &loop_);
  EXPECT_EQ(order, (std::vector<int>{0, 1, 2, 3, 4}));
}

TEST_F(LoopTest, SurvivesAnExceptionFromAPostedFunctionAndFromATick) {
  loop_.post([] { throw std::runtime_error("posted"); });
  Recorder bad;
  bad.on_tick = [](Instant) { throw std::runtime_error("tick"); };
  Subscription token = call_on(loop_, [&] { return loop_.add_tickable(bad); });
  EXPECT_TRUE(eventually([&] { return call_on(loop_, [&] { return bad.times.size(); }) >= 3; }));
  call_on(loop_, [&] { token.reset(); });
}

TEST_F(LoopTest, SpreadsTickablesOverTheGroupsAndTicksEachOnceAPeriod) {
  constexpr std::size_t kCount = 40;
  std::vector<Recorder> recorders(kCount);
  std::vector<Subscription> tokens;
  call_on(loop_, [&] {
    for (Recorder& r : recorders) tokens.push_back(loop_.add_tickable(r));
  });
  EXPECT_EQ(loop_.tickables(), kCount);
  ASSERT_TRUE(eventually([&] { return call_on(loop_, [&] { return recorders.back().times.size(); }) >= 10; }));
  call_on(loop_, [&] { tokens.clear(); });
  EXPECT_EQ(loop_.tickables(), 0u);
  // A late pass may run several groups at once, so only the count of members of a pass is certain: whole groups of ten.
  std::map<Instant, std::size_t> passes;
  for (const Recorder& r : recorders) {
    for (const Instant t : r.times) ++passes[t];
    for (std::size_t i = 1; i < r.times.size(); ++i) EXPECT_LT(r.times[i - 1], r.times[i]) << "twice in a pass";
  }
  EXPECT_GE(passes.size(), 10u);
  for (const auto& [time, members] : passes) EXPECT_EQ(members % (kCount / 4), 0u);
}

TEST_F(LoopTest, KeepsTheGridOverTime) {
  Recorder recorder;
  Subscription token = call_on(loop_, [&] { return loop_.add_tickable(recorder); });
  ASSERT_TRUE(eventually([&] { return call_on(loop_, [&] { return recorder.times.size(); }) >= 50; }));
  call_on(loop_, [&] { token.reset(); });
  // However late single ticks were, they cannot have come faster than the grid allows.
  EXPECT_GE(recorder.times.back() - recorder.times.front(),
            kTickPeriod * static_cast<int>(recorder.times.size() - 1) - kTickPeriod);
}

TEST_F(LoopTest, AStallIsCaughtUpWithoutABurst) {
  Recorder recorder;
  Subscription token = call_on(loop_, [&] { return loop_.add_tickable(recorder); });
  ASSERT_TRUE(eventually([&] { return call_on(loop_, [&] { return recorder.times.size(); }) >= 2; }));
  const auto before = call_on(loop_, [&] {
    const auto until = Clock::now() + 200ms;  // ten periods
    while (Clock::now() < until) {
    }
    return recorder.times.size();
  });
  const auto soon = call_on(loop_, [&] { return recorder.times.size(); });
  EXPECT_LE(soon, before + 1) << "a burst of ticks after the stall";
  EXPECT_GT(registry_.counter("voxgate_loop_skipped_ticks_total", "").value() + 1, 0u);
  ASSERT_TRUE(eventually([&] { return call_on(loop_, [&] { return recorder.times.size(); }) > before + 2; }));
  EXPECT_GE(registry_.counter("voxgate_loop_skipped_ticks_total", "").value(), 30u);
  call_on(loop_, [&] { token.reset(); });
}

TEST_F(LoopTest, RemovalDuringATickIsSafe) {
  // In one group (every fourth goes to the same) the first to tick removes itself and its neighbours.
  constexpr std::size_t kCount = 16;
  std::vector<Recorder> recorders(kCount);
  std::vector<Subscription> tokens(kCount);
  bool removed = false;
  call_on(loop_, [&] {
    for (std::size_t i = 0; i < kCount; ++i) {
      recorders[i].on_tick = [&](Instant) {
        if (std::exchange(removed, true)) return;
        for (std::size_t k = 0; k < kCount - 1; ++k) tokens[k].reset();
      };
      tokens[i] = loop_.add_tickable(recorders[i]);
    }
  });
  ASSERT_TRUE(eventually([&] { return call_on(loop_, [&] { return recorders.back().times.size(); }) >= 3; }));
  call_on(loop_, [&] {
    EXPECT_EQ(loop_.tickables(), 1u);
    std::size_t ticks = 0;
    for (std::size_t k = 0; k < kCount - 1; ++k) ticks += recorders[k].times.size();
    EXPECT_EQ(ticks, removed && recorders.back().times.empty() ? 0u : 1u);
    tokens.clear();
  });
}

TEST_F(LoopTest, AdditionDuringATickIsSafe) {
  Recorder first, second;
  Subscription first_token, second_token;
  call_on(loop_, [&] {
    first.on_tick = [&](Instant) {
      if (!second_token) second_token = loop_.add_tickable(second);
    };
    first_token = loop_.add_tickable(first);
  });
  EXPECT_TRUE(eventually([&] { return call_on(loop_, [&] { return second.times.size(); }) >= 2; }));
  call_on(loop_, [&] {
    first_token.reset();
    second_token.reset();
  });
}

TEST_F(LoopTest, BeatsWithNothingToDo) {
  const Instant first = loop_.last_tick();
  EXPECT_TRUE(eventually([&] { return loop_.last_tick() > first; }));
  EXPECT_EQ(registry_.histogram("voxgate_loop_lag_seconds", "", metrics::short_bounds()).snapshot().count > 0, true);
}

TEST_F(LoopTest, TokenMayOutliveItsLoop) {
  Recorder recorder;
  Subscription token;
  {
    Loop other(0, registry_);
    other.start();
    token = call_on(other, [&] { return other.add_tickable(recorder); });
    other.stop();
    EXPECT_TRUE(other.join());
  }
  token.reset();
}

TEST(LoopGroupTest, LeastLoadedFollowsTheLoadAndGoesRoundOnTies) {
  metrics::Registry registry(3);
  LoopGroup group(3, registry);
  std::set<Loop*> chosen;
  for (int i = 0; i < 3; ++i) chosen.insert(&group.least_loaded());
  EXPECT_EQ(chosen.size(), 3u);
  Subscription a = group.at(0).take_load();
  Subscription b = group.at(1).take_load();
  for (int i = 0; i < 5; ++i) EXPECT_EQ(&group.least_loaded(), &group.at(2));
  Subscription c = group.at(2).take_load();
  a.reset();
  for (int i = 0; i < 5; ++i) EXPECT_EQ(&group.least_loaded(), &group.at(0));
}

TEST(LoopGroupTest, StopWaitsForCoroutinesToFinish) {
  metrics::Registry registry(1);
  LoopGroup group(1, registry);
  group.start();
  Event go(group.at(0).executor());
  bool finished = false;
  auto work = [](Event& event, bool& done) -> Awaitable<void> {
    co_await event.wait();
    done = true;
  };
  group.at(0).post([&] { asio::co_spawn(group.at(0).executor(), work(go, finished), [](std::exception_ptr) {}); });
  group.stop();
  group.at(0).post([&] { go.set(); });
  EXPECT_TRUE(group.join());
  EXPECT_TRUE(finished);
}

TEST(LoopGroupTest, JoinGivesUpOnACoroutineThatNeverEnds) {
  metrics::Registry registry(1);
  LoopGroup group(1, registry);
  group.start();
  Event never(group.at(0).executor());
  auto work = [](Event& event) -> Awaitable<void> { co_await event.wait(); };
  call_on(group.at(0), [&] { asio::co_spawn(group.at(0).executor(), work(never), [](std::exception_ptr) {}); });
  group.stop();
  EXPECT_FALSE(group.join(50ms));
}

}  // namespace
}  // namespace voxgate::net::test
