// The small shared parts behind the public door: tickets, stream tokens, transfers, the directory of live calls.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "gateway/transfers.hpp"
#include "voxgate/gateway/admission.hpp"
#include "voxgate/gateway/call_directory.hpp"
#include "voxgate/gateway/stream_token.hpp"

namespace voxgate::gateway {
namespace {

constexpr const char* kSecret = "0123456789abcdef0123456789abcdef";
const StreamClaim kClaim{"twilio", "demo", "CA1", 1000};

TEST(Admission, NeverHandsOutMoreTicketsThanThereAre) {
  Admission admission(50);
  std::atomic<int> admitted{0}, most{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 2000; ++i) {
        auto entered = admission.try_enter();
        if (!std::holds_alternative<Admission::Ticket>(entered)) continue;
        const int now = ++admitted;
        int seen = most.load();
        while (now > seen && !most.compare_exchange_weak(seen, now)) {
        }
        --admitted;
      }
    });
  }
  std::vector<Admission::Ticket> held;
  for (int i = 0; i < 49; ++i) {
    auto entered = admission.try_enter();
    if (auto* ticket = std::get_if<Admission::Ticket>(&entered)) held.push_back(std::move(*ticket));
  }
  for (auto& thread : threads) thread.join();
  EXPECT_LE(most.load(), 50);
  EXPECT_EQ(admission.active(), held.size());
  held.clear();
  EXPECT_EQ(admission.active(), 0u);
}

TEST(Admission, RefusesWithTheReason) {
  Admission admission(1);
  auto first = admission.try_enter();
  ASSERT_TRUE(std::holds_alternative<Admission::Ticket>(first));
  EXPECT_EQ(std::get<Refusal>(admission.try_enter()), Refusal::full);
  admission.drain();
  EXPECT_EQ(std::get<Refusal>(admission.try_enter()), Refusal::draining);
}

TEST(StreamToken, IsGoodForItsCallUntilItExpires) {
  const std::string token = make_stream_token(kSecret, kClaim);
  EXPECT_EQ(token.find_first_of("/+="), std::string::npos) << "it stands in a path";
  const auto claim = check_stream_token(kSecret, token, "CA1", 1000);
  ASSERT_TRUE(claim);
  EXPECT_EQ(claim->agent, "demo");
  EXPECT_EQ(claim->carrier, "twilio");
  EXPECT_FALSE(check_stream_token(kSecret, token, "CA1", 1001));
  EXPECT_FALSE(check_stream_token(kSecret, token, "CA2", 1000));
  EXPECT_FALSE(check_stream_token("another secret of thirty-two chars", token, "CA1", 1000));
}

TEST(StreamToken, RefusesEveryChangedCharacter) {
  const std::string token = make_stream_token(kSecret, kClaim);
  for (std::size_t i = 0; i < token.size(); ++i) {
    std::string changed = token;
    changed[i] = changed[i] == 'A' ? 'B' : 'A';
    EXPECT_FALSE(check_stream_token(kSecret, changed, "CA1", 1000)) << i;
  }
  for (const char* bad : {"", ".", "a.b", "nodot"}) EXPECT_FALSE(check_stream_token(kSecret, bad, "CA1", 1000));
}

TEST(UsedTokens, TakesEachOnceAndForgetsTheExpired) {
  UsedTokens used(3);
  EXPECT_TRUE(used.use("a", 10, 0));
  EXPECT_FALSE(used.use("a", 10, 1));
  EXPECT_TRUE(used.use("b", 10, 1));
  EXPECT_TRUE(used.use("c", 100, 1));
  EXPECT_FALSE(used.use("d", 100, 2)) << "full of tokens that still count: refuse rather than forget";
  EXPECT_TRUE(used.use("d", 100, 50)) << "a and b have expired";
}

TEST(Transfers, AreTakenOnceAndForgottenInTime) {
  Transfers transfers;
  const Instant now = Instant{} + std::chrono::hours(1);
  transfers.put("CA1", "+15550100", now);
  EXPECT_EQ(transfers.take("CA2"), std::nullopt);
  EXPECT_EQ(transfers.take("CA1"), "+15550100");
  EXPECT_EQ(transfers.take("CA1"), std::nullopt);
  transfers.put("CA3", "+15550100", now);
  transfers.put("CA4", "+15550101", now + Transfers::kKeep + Millis(1));
  EXPECT_EQ(transfers.take("CA3"), std::nullopt);
}

TEST(CallDirectory, HoldsOneLiveCallPerIdAndForgetsItWithItsToken) {
  CallDirectory directory;
  auto first = directory.add({nullptr, Handle{1, 1}, "CA1", "twilio", "demo", Instant{}});
  ASSERT_TRUE(first);
  EXPECT_FALSE(directory.add({nullptr, Handle{2, 1}, "CA1", "twilio", "demo", Instant{}}));
  ASSERT_TRUE(directory.find("CA1"));
  EXPECT_EQ(directory.find("CA1")->handle, (Handle{1, 1}));
  EXPECT_EQ(directory.size(), 1u);
  first->reset();
  EXPECT_EQ(directory.size(), 0u);
  EXPECT_FALSE(directory.find("CA1"));
}

}  // namespace
}  // namespace voxgate::gateway
