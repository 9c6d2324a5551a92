#include "voxgate/net/task_scope.hpp"

#include <atomic>

#include "net_fixture.hpp"

namespace voxgate::net::test {
namespace {

class TaskScopeTest : public ::testing::Test {
 protected:
  void SetUp() override { loop_.start(); }
  void TearDown() override {
    loop_.stop();
    EXPECT_TRUE(loop_.join());
  }
  metrics::Registry registry_{1};
  Loop loop_{0, registry_};
};

Awaitable<void> wait_for(Event& event, int& ended) {
  const bool woken = co_await event.wait();
  if (woken) ++ended;
}

Awaitable<void> fail_at_once() {
  throw std::runtime_error("child failed on purpose");
  co_return;
}

TEST_F(TaskScopeTest, JoinWaitsForEveryChild) {
  auto body = [](Loop& loop) -> Awaitable<int> {
    Event go(loop.executor());
    int ended = 0;
    TaskScope scope(loop, "test");
    for (int i = 0; i < 3; ++i) scope.spawn(wait_for(go, ended));
    EXPECT_EQ(scope.running(), 3u);
    loop.post([&go] { go.set(); });
    co_await scope.join();
    EXPECT_EQ(scope.running(), 0u);
    co_return ended;
  };
  EXPECT_EQ(run_on(loop_, body(loop_)), 3);
}

TEST_F(TaskScopeTest, AnyDoneReturnsAtTheFirstEndAndCancelEndsTheRest) {
  auto body = [](Loop& loop) -> Awaitable<int> {
    Event go(loop.executor()), never(loop.executor());
    int ended = 0;
    TaskScope scope(loop, "test");
    scope.spawn(wait_for(never, ended));
    scope.spawn(wait_for(go, ended));
    scope.spawn(wait_for(never, ended));
    loop.post([&go] { go.set(); });
    co_await scope.any_done();
    EXPECT_EQ(scope.running(), 2u);
    scope.cancel();
    co_await scope.join();
    co_return ended;
  };
  EXPECT_EQ(run_on(loop_, body(loop_)), 1);
}

TEST_F(TaskScopeTest, AChildThatThrowsCountsAsEnded) {
  auto body = [](Loop& loop) -> Awaitable<bool> {
    Event never(loop.executor());
    int ended = 0;
    TaskScope scope(loop, "test");
    scope.spawn(wait_for(never, ended));
    scope.spawn(fail_at_once());
    co_await scope.any_done();
    const bool other_runs = scope.running() == 1;
    scope.cancel();
    co_await scope.join();
    co_return other_runs;
  };
  EXPECT_TRUE(run_on(loop_, body(loop_)));
}

TEST_F(TaskScopeTest, EmptyScopeWaitsForNothingAndCanBeUsedAgain) {
  auto body = [](Loop& loop) -> Awaitable<int> {
    TaskScope scope(loop, "test");
    co_await scope.any_done();
    co_await scope.join();
    int ended = 0;
    for (int round = 0; round < 3; ++round) {
      Event go(loop.executor());
      scope.spawn(wait_for(go, ended));
      loop.post([&go] { go.set(); });
      co_await scope.join();
    }
    co_return ended;
  };
  EXPECT_EQ(run_on(loop_, body(loop_)), 3);
}

TEST_F(TaskScopeTest, JoinIsNotCutShortByACancellationOfTheParent) {
  auto child = [](Loop& loop, Event& release, bool& cleaned) -> Awaitable<void> {
    co_await asio::this_coro::throw_if_cancelled(false);
    Event never(loop.executor());
    co_await never.wait();
    co_await release.wait_uncancelled();  // clean-up that takes its time
    cleaned = true;
  };
  auto parent = [child](Loop& loop, Event& release, bool& cleaned, bool& joined) -> Awaitable<void> {
    co_await asio::this_coro::throw_if_cancelled(false);
    TaskScope scope(loop, "inner");
    scope.spawn(child(loop, release, cleaned));
    scope.cancel();
    co_await scope.join();
    joined = cleaned;
  };
  auto body = [parent](Loop& loop) -> Awaitable<bool> {
    Event release(loop.executor());
    bool cleaned = false, joined = false;
    TaskScope scope(loop, "outer");
    scope.spawn(parent(loop, release, cleaned, joined));
    scope.cancel();
    loop.post([&release] { release.set(); });
    co_await scope.join();
    co_return joined;
  };
  EXPECT_TRUE(run_on(loop_, body(loop_)));
}

#if !defined(NDEBUG) && !defined(VOXGATE_SANITIZED)
TEST(TaskScopeDeathTest, DestroyedWithARunningChildAborts) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        metrics::Registry registry(1);
        Loop loop(0, registry);
        Event never(loop.executor());
        int ended = 0;
        TaskScope scope(loop, "test");
        scope.spawn(wait_for(never, ended));
      },
      "children");
}
#endif

Awaitable<Result<int>> answer_when(Event& event) {
  const bool woken = co_await event.wait();
  if (!woken) co_return make_error_code(Errc::cancelled);
  co_return 42;
}

Awaitable<Result<int>> throw_instead() {
  throw std::runtime_error("operation failed on purpose");
  co_return 1;
}

TEST_F(TaskScopeTest, WithTimeoutPassesTheResultOn) {
  auto body = [](Loop& loop) -> Awaitable<int> {
    Event go(loop.executor());
    loop.post([&go] { go.set(); });
    auto result = co_await with_timeout(answer_when(go), 10s);
    co_return result.value();
  };
  EXPECT_EQ(run_on(loop_, body(loop_)), 42);
}

TEST_F(TaskScopeTest, WithTimeoutCancelsWaitsForAndReportsALateOperation) {
  auto body = [](Loop& loop) -> Awaitable<ErrorCode> {
    Event never(loop.executor());
    auto result = co_await with_timeout(answer_when(never), 20ms);
    co_return result.error();
  };
  EXPECT_EQ(run_on(loop_, body(loop_)), Errc::timed_out);
}

TEST_F(TaskScopeTest, WithTimeoutTurnsAnExceptionIntoAnErrorAtOnce) {
  auto body = []() -> Awaitable<ErrorCode> {
    auto result = co_await with_timeout(throw_instead(), 10s);
    co_return result.error();
  };
  EXPECT_EQ(run_on(loop_, body()), Errc::internal);
}

TEST_F(TaskScopeTest, WithTimeoutReportsACancelledCaller) {
  auto caller = [](Event& never, ErrorCode& seen) -> Awaitable<void> {
    auto result = co_await with_timeout(answer_when(never), 10s);
    seen = result.error();
  };
  auto body = [caller](Loop& loop) -> Awaitable<ErrorCode> {
    Event never(loop.executor());
    ErrorCode seen;
    TaskScope scope(loop, "test");
    scope.spawn(caller(never, seen));
    scope.cancel();
    co_await scope.join();
    co_return seen;
  };
  EXPECT_EQ(run_on(loop_, body(loop_)), Errc::cancelled);
}

TEST_F(TaskScopeTest, OffloadRunsElsewhereAndResumesOnTheLoop) {
  WorkerPool pool("test", 1, 4, registry_);
  auto body = [](Loop& loop, WorkerPool& workers) -> Awaitable<int> {
    auto job = [owned = std::make_unique<int>(7)]() -> int { return Loop::current() == nullptr ? *owned : -1; };
    auto result = co_await offload(loop, workers, std::move(job));
    EXPECT_TRUE(loop.on_loop());
    auto nothing = [] {};
    auto done = co_await offload(loop, workers, std::move(nothing));
    EXPECT_TRUE(done);
    auto bad = []() -> int { throw std::runtime_error("job failed on purpose"); };
    auto failed = co_await offload(loop, workers, std::move(bad));
    EXPECT_EQ(failed.error(), Errc::internal);
    co_return result.value();
  };
  EXPECT_EQ(run_on(loop_, body(loop_, pool)), 7);
}

TEST_F(TaskScopeTest, OffloadReportsAFullOrStoppedPool) {
  WorkerPool pool("test", 1, 1, registry_);
  std::promise<void> release;
  std::promise<void> started;
  ASSERT_TRUE(pool.submit([&] {
    started.set_value();
    release.get_future().wait();
  }));
  started.get_future().wait();
  auto body = [](Loop& loop, WorkerPool& workers) -> Awaitable<ErrorCode> {
    auto job = [] { return 1; };
    auto result = co_await offload(loop, workers, std::move(job));
    co_return result.has_error() ? result.error() : ErrorCode{};
  };
  auto waiting = std::async(std::launch::async, [&] { return run_on(loop_, body(loop_, pool)); });
  ASSERT_TRUE(eventually([&] { return pool.queued() == 1; }));
  EXPECT_EQ(run_on(loop_, body(loop_, pool)), Errc::full);
  auto stopping = std::async(std::launch::async, [&] { pool.stop(WorkerPool::Pending::discard); });
  EXPECT_EQ(waiting.get(), Errc::cancelled) << "a discarded job wakes its waiter";
  release.set_value();
  stopping.get();
  EXPECT_EQ(run_on(loop_, body(loop_, pool)), Errc::full);
}

}  // namespace
}  // namespace voxgate::net::test
