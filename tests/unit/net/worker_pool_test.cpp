#include "voxgate/net/worker_pool.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <map>
#include <memory>
#include <stdexcept>
#include <thread>
#include <vector>

namespace voxgate::net::test {
namespace {

/// A job that reports that it started and then waits to be let go.
struct Gate {
  std::promise<void> started, release;
  std::shared_future<void> released = release.get_future().share();
  Job job() {
    return Job([this] {
      started.set_value();
      released.wait();
    });
  }
};

TEST(WorkerPool, JobsOfOneKeyRunInOrderOneAtATime) {
  metrics::Registry registry;
  std::map<int, std::vector<int>> order;
  std::map<int, std::atomic<int>> inside;
  std::atomic<bool> overlapped{false};
  for (int key = 0; key < 8; ++key) {
    order[key];
    inside[key] = 0;
  }
  {
    WorkerPool pool("test", 4, 10000, registry);
    for (int i = 0; i < 100; ++i) {
      for (int key = 0; key < 8; ++key) {
        ASSERT_TRUE(pool.submit_keyed(static_cast<std::uint64_t>(key), [&, key, i] {
          if (inside.at(key).fetch_add(1) != 0) overlapped = true;
          order.at(key).push_back(i);  // safe only because jobs of a key do not overlap
          inside.at(key).fetch_sub(1);
        }));
      }
    }
  }  // drains
  EXPECT_FALSE(overlapped);
  for (const auto& [key, seen] : order) {
    ASSERT_EQ(seen.size(), 100u);
    for (int i = 0; i < 100; ++i) EXPECT_EQ(seen[static_cast<std::size_t>(i)], i);
  }
}

TEST(WorkerPool, DifferentKeysRunInParallelAndABusyKeyDoesNotBlockOthers) {
  metrics::Registry registry;
  WorkerPool pool("test", 2, 100, registry);
  Gate gate;
  ASSERT_TRUE(pool.submit_keyed(1, gate.job()));
  gate.started.get_future().wait();
  std::atomic<bool> second_of_one{false};
  ASSERT_TRUE(pool.submit_keyed(1, [&] { second_of_one = true; }));
  std::promise<void> other;
  ASSERT_TRUE(pool.submit_keyed(2, [&] { other.set_value(); }));
  other.get_future().wait();  // ends only if key 2 got the second thread
  EXPECT_FALSE(second_of_one);
  gate.release.set_value();
  pool.stop(WorkerPool::Pending::drain);
  EXPECT_TRUE(second_of_one);
}

TEST(WorkerPool, RefusesWhatItsQueueCannotHoldAndCountsIt) {
  metrics::Registry registry;
  WorkerPool pool("test", 1, 2, registry);
  Gate gate;
  ASSERT_TRUE(pool.submit(gate.job()));
  gate.started.get_future().wait();
  EXPECT_TRUE(pool.submit([] {}));
  EXPECT_TRUE(pool.submit_keyed(5, [] {}));
  EXPECT_FALSE(pool.submit([] {}));
  EXPECT_FALSE(pool.submit_keyed(5, [] {}));
  EXPECT_EQ(pool.queued(), 2u);
  EXPECT_EQ(pool.running(), 1u);
  EXPECT_EQ(registry.gauge("voxgate_pool_queued", "", {{"pool", "test"}}).value(), 2);
  EXPECT_EQ(registry.counter("voxgate_pool_rejected_total", "", {{"pool", "test"}}).value(), 2u);
  gate.release.set_value();
  pool.stop(WorkerPool::Pending::drain);
  EXPECT_EQ(registry.gauge("voxgate_pool_queued", "", {{"pool", "test"}}).value(), 0);
  EXPECT_EQ(registry.gauge("voxgate_pool_running", "", {{"pool", "test"}}).value(), 0);
}

TEST(WorkerPool, StopDiscardsWhatWaitsAndFinishesWhatRuns) {
  metrics::Registry registry;
  WorkerPool pool("test", 1, 100, registry);
  Gate gate;
  std::atomic<int> ran{0};
  auto token = std::make_shared<int>(0);
  ASSERT_TRUE(pool.submit_keyed(1, gate.job()));
  gate.started.get_future().wait();
  for (std::uint64_t key = 1; key <= 3; ++key) {
    for (int i = 0; i < 5; ++i) {
      ASSERT_TRUE(pool.submit_keyed(key, [&ran, token] { ++ran; }));
    }
  }
  auto stopping = std::async(std::launch::async, [&] { pool.stop(WorkerPool::Pending::discard); });
  while (token.use_count() > 1) std::this_thread::yield();  // the captures of discarded jobs are gone before the wait
  gate.release.set_value();
  stopping.get();
  EXPECT_EQ(ran, 0);
  EXPECT_FALSE(pool.submit([] {}));
  EXPECT_EQ(pool.queued(), 0u);
}

TEST(WorkerPool, AThreadOutlivesAJobThatThrows) {
  metrics::Registry registry;
  std::atomic<int> ran{0};
  {
    WorkerPool pool("test", 1, 10, registry);
    ASSERT_TRUE(pool.submit_keyed(1, [] { throw std::runtime_error("job failed on purpose"); }));
    ASSERT_TRUE(pool.submit_keyed(1, [&] { ++ran; }));
    ASSERT_TRUE(pool.submit([] { throw 1; }));
    ASSERT_TRUE(pool.submit([&, owned = std::make_unique<int>(1)] { ran += *owned; }));
  }
  EXPECT_EQ(ran, 2);
  EXPECT_EQ(registry.counter("voxgate_pool_failed_total", "", {{"pool", "test"}}).value(), 2u);
}

}  // namespace
}  // namespace voxgate::net::test
