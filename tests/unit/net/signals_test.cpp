#include "voxgate/net/signals.hpp"

#include <atomic>
#include <csignal>
#include <map>

#include "net_fixture.hpp"

namespace voxgate::net::test {
namespace {

TEST(SignalsTest, AreDeliveredOnTheLoopAgainAndAgain) {
  metrics::Registry registry(1);
  LoopGroup loops(1, registry);
  loops.start();
  std::map<int, int> seen;
  bool on_loop = true;
  {
    Signals signals(loops.at(0), [&](int signal) {
      ++seen[signal];
      on_loop = on_loop && loops.at(0).on_loop();
    });
    for (const int signal : {SIGHUP, SIGTERM, SIGHUP}) {
      const int before = call_on(loops.at(0), [&] { return seen[signal]; });  // the set waits once this has run
      ::kill(::getpid(), signal);
      ASSERT_TRUE(eventually([&] { return call_on(loops.at(0), [&] { return seen[signal]; }) == before + 1; }));
    }
  }
  EXPECT_TRUE(on_loop);
  loops.stop();
  EXPECT_TRUE(loops.join()) << "the signal set kept the loop alive";
  EXPECT_EQ(seen[SIGHUP], 2);
  EXPECT_EQ(seen[SIGTERM], 1);
}

TEST(SignalsTest, WritingToAClosedPipeIsAnErrorNotADeath) {
  ignore_sigpipe();
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  ::close(ends[0]);
  EXPECT_EQ(::write(ends[1], "x", 1), -1);
  EXPECT_EQ(errno, EPIPE);
  ::close(ends[1]);
}

}  // namespace
}  // namespace voxgate::net::test
