#include "voxgate/records/store.hpp"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <limits>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "records/call_tables.hpp"
#include "records/sqlite.hpp"
#include "unit/records/records_support.hpp"

namespace voxgate::records {
namespace {

using namespace test;

const WallTime kNoon = WallTime(std::chrono::seconds(1'767'268'800));  // 2026-01-01T12:00:00Z

CallStarted started(const std::string& record, const std::string& call_id = "CA1", WallTime at = kNoon) {
  return {record, call_id, "MZ1", "twilio", "AC1", "+15550001", "+15550002", "demo", "node-1", at};
}

call::TurnRecord turn(int number, const std::string& caller = "what are your hours",
                      const std::string& agent = "We are open from nine to five.") {
  call::TurnRecord t;
  t.number = number;
  t.at = 3500ms;
  t.caller = caller;
  t.confidence = 0.75;
  t.agent = agent;
  t.interrupted = true;
  t.speculative = true;
  t.merged = 2;
  t.agent_audio_ms = 1800;
  t.mark_delay_ms = 90;
  Instant at = Instant{} + 10s;
  t.stamps.speech_end = at;
  t.stamps.end_of_turn = at += 200ms;
  t.stamps.asr_final = at += 30ms;
  t.stamps.llm_first = at += 25ms;
  t.stamps.clause = at += 5ms;
  t.stamps.tts_first = at += 40ms;
  t.stamps.first_frame = at += 10ms;
  return t;
}

CallEnded ended(const std::string& record, WallTime at = kNoon + 61s) {
  return {record, at, "caller_hung_up", "stop", 61000, 3050, 900, 4, 1, "/recordings/a.wav"};
}

double gauge(metrics::Registry& registry, const char* name) {
  return registry.gauge(name, "").value();
}

std::uint64_t counter(metrics::Registry& registry, const char* name) {
  return registry.counter(name, "").value();
}

std::int64_t count(const std::string& path, const char* sql) {
  sqlite::Connection db(path, sqlite::Mode::read_only, 5000);
  return db.number(sql);
}

struct StoreTest : ::testing::Test {
  TempDir dir;
  metrics::Registry registry;
  const std::string path = dir / "calls.db";
  StoreConfig config(std::size_t queue = 10000) const { return {path, queue}; }
};

TEST_F(StoreTest, KeepsEverythingACallSays) {
  Store store(config(), registry);
  store.call_started(started("r1"));
  store.turn("r1", turn(1));
  store.call_ended(ended("r1"));
  ASSERT_TRUE(store.flush(kPatience));

  const auto call = store.find("CA1");
  ASSERT_TRUE(call);
  EXPECT_EQ(call->record, "r1");
  EXPECT_EQ(call->stream_id, "MZ1");
  EXPECT_EQ(call->carrier, "twilio");
  EXPECT_EQ(call->account_id, "AC1");
  EXPECT_EQ(call->from, "+15550001");
  EXPECT_EQ(call->to, "+15550002");
  EXPECT_EQ(call->agent, "demo");
  EXPECT_EQ(call->started_at, "2026-01-01T12:00:00.000Z");
  EXPECT_EQ(call->ended_at, "2026-01-01T12:01:01.000Z");
  EXPECT_EQ(call->outcome, "caller_hung_up");
  EXPECT_EQ(call->detail, "stop");
  EXPECT_EQ(call->recording, "/recordings/a.wav");
  EXPECT_EQ(call->duration_ms, 61000);
  ASSERT_EQ(call->turns.size(), 1u);
  const StoredTurn& t = call->turns[0];
  EXPECT_EQ(t.number, 1);
  EXPECT_EQ(t.cause, "user_turn");
  EXPECT_EQ(t.caller, "what are your hours");
  EXPECT_EQ(t.agent, "We are open from nine to five.");
  EXPECT_DOUBLE_EQ(t.confidence, 0.75);
  EXPECT_TRUE(t.interrupted);
  EXPECT_TRUE(t.speculative);
  EXPECT_EQ(t.at_ms, 3500);
  EXPECT_EQ(t.agent_audio_ms, 1800);
  const std::vector<std::pair<std::string, double>> stages = {{"endpointing", 200}, {"asr", 30}, {"llm", 25},
                                                              {"split", 5},         {"tts", 40}, {"out", 10}};
  EXPECT_EQ(t.stages_ms, stages);
  EXPECT_DOUBLE_EQ(t.total_ms, 310);
  EXPECT_EQ(count(path, "SELECT frames_in * 1000000 + messages_out * 100 + frames_late * 10 + gaps FROM calls"),
            3050'090'041);
  EXPECT_EQ(count(path, "SELECT merged * 1000 + mark_delay_ms FROM turns"), 2090);
  EXPECT_EQ(gauge(registry, "voxgate_records_up"), 1);
  EXPECT_EQ(gauge(registry, "voxgate_records_spooled"), 0);
  EXPECT_EQ(counter(registry, "voxgate_records_written_total"), 3u);
}

TEST_F(StoreTest, ATurnNobodyHeardHasNoLatency) {
  Store store(config(), registry);
  store.call_started(started("r1"));
  call::TurnRecord silent = turn(1);
  silent.stamps.first_frame = {};
  silent.confidence = std::numeric_limits<double>::quiet_NaN();
  store.turn("r1", silent);
  ASSERT_TRUE(store.flush(kPatience));
  const auto call = store.find("CA1");
  ASSERT_TRUE(call && call->turns.size() == 1);
  EXPECT_EQ(call->turns[0].total_ms, -1);
  EXPECT_TRUE(call->turns[0].stages_ms.empty());
  EXPECT_EQ(call->ended_at, "");
}

TEST_F(StoreTest, ListsNewestFirstAndFindsTheNewestOfOneId) {
  Store store(config(), registry);
  store.call_started(started("r2", "reused", kNoon + 10s));
  store.call_started(started("r1", "reused", kNoon));
  store.call_started(started("r3", "other", kNoon + 5s));
  store.turn("r3", turn(2));
  store.turn("r3", turn(1));
  ASSERT_TRUE(store.flush(kPatience));
  const auto calls = store.recent(2);
  ASSERT_EQ(calls.size(), 2u);
  EXPECT_EQ(calls[0].record, "r2");
  EXPECT_EQ(calls[1].record, "r3");
  ASSERT_EQ(calls[1].turns.size(), 2u);
  EXPECT_EQ(calls[1].turns[0].number, 1);
  EXPECT_EQ(store.find("reused")->record, "r2");
  EXPECT_FALSE(store.find("nobody"));
}

TEST_F(StoreTest, WritesTheSameEventsTwiceIntoOneRow) {
  Store store(config(), registry);
  for (int i = 0; i < 2; ++i) {
    store.call_started(started("r1"));
    store.turn("r1", turn(1));
    store.call_ended(ended("r1"));
  }
  ASSERT_TRUE(store.flush(kPatience));
  EXPECT_EQ(count(path, "SELECT count(*) FROM calls"), 1);
  EXPECT_EQ(count(path, "SELECT count(*) FROM turns"), 1);
  const auto call = store.find("CA1");
  ASSERT_TRUE(call);
  EXPECT_EQ(call->outcome, "caller_hung_up");
}

TEST_F(StoreTest, KeepsTheEndOfACallWhoseStartWasLost) {
  Store store(config(), registry);
  store.turn("lost", turn(1));
  store.call_ended(ended("lost"));
  ASSERT_TRUE(store.flush(kPatience));
  const auto calls = store.recent(5);
  ASSERT_EQ(calls.size(), 1u);
  EXPECT_EQ(calls[0].outcome, "caller_hung_up");
  EXPECT_EQ(calls[0].started_at, "2026-01-01T12:00:00.000Z");
  EXPECT_EQ(calls[0].turns.size(), 1u);
}

TEST_F(StoreTest, StoresTextFromOutsideAsData) {
  const std::string evil = "'); DROP TABLE calls; --\" ; ${jndi:x} %s \x1b[31m \\ \r\n";
  const std::string bytes = "\xff\xfe not utf-8";
  {
    Store store(config(), registry);
    store.call_started({"r'1", evil, evil, evil, evil, bytes, evil, evil, evil, kNoon});
    store.turn("r'1", turn(1, evil, bytes));
    CallEnded end = ended("r'1");
    end.detail = evil;
    store.call_ended(end);
  }
  Store store(config(), registry);
  const auto call = store.find(evil);
  ASSERT_TRUE(call);
  EXPECT_EQ(call->stream_id, evil);
  EXPECT_EQ(call->from, bytes);
  EXPECT_EQ(call->detail, evil);
  ASSERT_EQ(call->turns.size(), 1u);
  EXPECT_EQ(call->turns[0].caller, evil);
  EXPECT_EQ(call->turns[0].agent, bytes);
  EXPECT_EQ(count(path, "SELECT count(*) FROM sqlite_master WHERE type = 'table'"), 2);
  EXPECT_EQ(counter(registry, "voxgate_records_rejected_total"), 0u);
}

TEST_F(StoreTest, PutsRefusedRowsAsideAndGoesOn) {
  Store store(config(), registry);
  store.call_started(started("r1"));
  store.turn("r1", turn(1, std::string("a\0b\n\"", 5)));
  store.turn("r1", turn(2, std::string(3 << 20, 'x')));
  store.turn("r1", turn(3));
  store.call_ended(ended("r1"));
  ASSERT_TRUE(store.flush(kPatience));
  const auto call = store.find("CA1");
  ASSERT_TRUE(call && call->turns.size() == 1);
  EXPECT_EQ(call->turns[0].number, 3);
  EXPECT_EQ(call->outcome, "caller_hung_up");
  EXPECT_EQ(counter(registry, "voxgate_records_rejected_total"), 2u);
  EXPECT_EQ(gauge(registry, "voxgate_records_up"), 1);

  const auto lines = read_lines(path + ".rejected.jsonl");
  ASSERT_EQ(lines.size(), 2u);
  const auto row = nlohmann::json::parse(lines[0]);
  EXPECT_EQ(row["event"], "turn");
  EXPECT_EQ(row["record"], "r1");
  EXPECT_EQ(row["caller"].get<std::string>(), std::string("a\0b\n\"", 5));
  EXPECT_EQ(row["endpointing_ms"], 200);
  EXPECT_NE(row["reason"].get<std::string>().find("CHECK"), std::string::npos);
  EXPECT_EQ(nlohmann::json::parse(lines[1])["number"], 2);
}

TEST_F(StoreTest, DropsTheNewestWhenTheQueueIsFullAndLosesNothingOfTheRest) {
  Store store(config(10), registry);
  sqlite::Connection blocker(path, sqlite::Mode::read_write, 5000);
  blocker.run("BEGIN IMMEDIATE");
  for (int i = 0; i < 25; ++i) store.call_started(started("r" + std::to_string(i)));
  EXPECT_EQ(store.dropped(), 15u);
  EXPECT_EQ(store.queued(), 10u);
  EXPECT_EQ(gauge(registry, "voxgate_records_spooled"), 10);
  EXPECT_EQ(counter(registry, "voxgate_records_dropped_total"), 15u);
  EXPECT_FALSE(store.flush(Duration::zero()));
  blocker.run("COMMIT");
  ASSERT_TRUE(store.flush(kPatience));
  EXPECT_EQ(store.queued(), 0u);
  EXPECT_EQ(count(path, "SELECT count(*) FROM calls"), 10);
  EXPECT_EQ(count(path, "SELECT count(*) FROM calls WHERE record = 'r9'"), 1);
}

TEST_F(StoreTest, WaitsForALockedDatabaseAndRecovers) {
  Store store(config(), registry);
  {
    sqlite::Connection blocker(path, sqlite::Mode::read_write, 5000);
    blocker.run("BEGIN EXCLUSIVE");
    store.call_started(started("r1"));
    store.turn("r1", turn(1));
    ASSERT_TRUE(eventually([&] { return gauge(registry, "voxgate_records_up") == 0; }));
    EXPECT_EQ(store.queued(), 2u);
    store.call_ended(ended("r1"));
    blocker.run("ROLLBACK");
  }
  ASSERT_TRUE(store.flush(kPatience));
  EXPECT_EQ(gauge(registry, "voxgate_records_up"), 1);
  EXPECT_EQ(store.dropped(), 0u);
  const auto call = store.find("CA1");
  ASSERT_TRUE(call && call->turns.size() == 1);
  EXPECT_EQ(call->outcome, "caller_hung_up");
}

TEST_F(StoreTest, LeavesWhatItCouldNotWriteInTheDeadLetters) {
  auto store = std::make_unique<Store>(config(), registry);
  sqlite::Connection blocker(path, sqlite::Mode::read_write, 5000);
  blocker.run("BEGIN IMMEDIATE");
  store->call_started(started("r1"));
  store->call_ended(ended("r1"));
  store.reset();  // bounded, however long the lock is held
  const auto lines = read_lines(path + ".rejected.jsonl");
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(nlohmann::json::parse(lines[0])["event"], "call_started");
  EXPECT_EQ(nlohmann::json::parse(lines[1])["outcome"], "caller_hung_up");
}

TEST_F(StoreTest, KeepsWhatAFullDiskRefuses) {
  Store store(config(), registry);
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const rlimit full{8192, before.rlim_max};  // no file of this process may grow beyond it
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &full), 0);
  for (int i = 0; i < 50; ++i) store.call_started(started("r" + std::to_string(i), std::string(2000, 'x')));
  EXPECT_TRUE(eventually([&] { return gauge(registry, "voxgate_records_up") == 0; }));
  store.call_ended(ended("r0"));
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  ASSERT_TRUE(store.flush(kPatience));
  EXPECT_EQ(gauge(registry, "voxgate_records_up"), 1);
  EXPECT_EQ(count(path, "SELECT count(*) FROM calls"), 50);
  EXPECT_EQ(count(path, "SELECT count(*) FROM calls WHERE ended_at IS NOT NULL"), 1);
  EXPECT_EQ(counter(registry, "voxgate_records_rejected_total"), 0u);
}

TEST_F(StoreTest, OpensAgainWhereItStopped) {
  {
    Store store(config(), registry);
    store.call_started(started("r1"));
    store.call_ended(ended("r1"));
  }  // closing writes what is queued
  Store store(config(), registry);
  EXPECT_EQ(store.find("CA1")->outcome, "caller_hung_up");
  EXPECT_EQ(count(path, "PRAGMA user_version"), schema_version());
}

TEST_F(StoreTest, ClosesTheCallsOfAProcessThatDied) {
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    metrics::Registry own;
    Store store(config(), own);
    store.call_started(started("over", "A"));
    store.call_ended(ended("over"));
    store.call_started(started("live", "B"));
    store.turn("live", turn(1));
    ::_exit(store.flush(kPatience) ? 0 : 1);  // without a word to anybody
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);

  Store store(config(), registry);
  EXPECT_EQ(store.find("A")->outcome, "caller_hung_up");
  const auto call = store.find("B");
  ASSERT_TRUE(call);
  EXPECT_EQ(call->outcome, "unknown");
  EXPECT_NE(call->detail.find("died"), std::string::npos);
  EXPECT_NE(call->ended_at, "");
  EXPECT_EQ(call->duration_ms, 3500 + 1800);
  EXPECT_EQ(call->turns.size(), 1u);
}

TEST_F(StoreTest, ACopyTakenInTheMiddleIsWhole) {
  Store store(config(), registry);
  store.call_started(started("live", "B"));
  store.turn("live", turn(1));
  ASSERT_TRUE(store.flush(kPatience));
  for (const char* suffix : {"", "-wal"}) {
    std::filesystem::copy_file(path + suffix, (dir / "copy.db") + suffix);
  }
  Store copy({dir / "copy.db", 100}, registry);
  const auto call = copy.find("B");
  ASSERT_TRUE(call && call->turns.size() == 1);
  EXPECT_EQ(call->outcome, "unknown");
}

TEST_F(StoreTest, LeavesTheCallsOfALivingOwnerAlone) {
  Store store(config(), registry);
  store.call_started(started("live", "B"));
  ASSERT_TRUE(store.flush(kPatience));
  Store visitor(config(), registry);
  EXPECT_EQ(visitor.find("B")->ended_at, "");
}

TEST_F(StoreTest, RefusesANewerSchema) {
  { Store store(config(), registry); }
  sqlite::Connection(path, sqlite::Mode::read_write, 5000).run("PRAGMA user_version = 99");
  try {
    Store store(config(), registry);
    FAIL() << "a newer schema was accepted";
  } catch (const std::runtime_error& e) {
    EXPECT_NE(std::string(e.what()).find(path), std::string::npos) << e.what();
    EXPECT_NE(std::string(e.what()).find("version 99"), std::string::npos) << e.what();
  }
  EXPECT_EQ(count(path, "PRAGMA user_version"), 99);
}

TEST_F(StoreTest, SaysWhichFileItCannotOpen) {
  const std::string bad = dir / "missing/calls.db";
  try {
    Store store({bad, 100}, registry);
    FAIL() << "opened a file in no directory";
  } catch (const std::runtime_error& e) {
    EXPECT_NE(std::string(e.what()).find(bad), std::string::npos);
  }
  std::ofstream(dir / "text.db") << std::string(5000, 'x');
  EXPECT_THROW(Store({dir / "text.db", 100}, registry), std::runtime_error);
}

TEST_F(StoreTest, WorksInMemory) {
  Store store({":memory:", 100}, registry), other({":memory:", 100}, registry);
  store.call_started(started("r1"));
  store.turn("r1", turn(1));
  ASSERT_TRUE(store.flush(kPatience));
  ASSERT_TRUE(store.find("CA1"));
  EXPECT_EQ(store.find("CA1")->turns.size(), 1u);
  EXPECT_FALSE(other.find("CA1"));
}

TEST_F(StoreTest, ManyWritersAndReadersAtOnce) {
  constexpr int kWriters = 4, kCalls = 60;
  Store store(config(), registry);
  std::atomic<bool> over{false};
  std::vector<std::thread> readers, writers;
  for (int r = 0; r < 2; ++r) {
    readers.emplace_back([&] {
      do {
        for (const StoredCall& call : store.recent(20)) {
          // One snapshot: an ended call has its turn.
          EXPECT_TRUE(call.ended_at.empty() || call.turns.size() == 1);
        }
        store.find("0-1");
      } while (!over);
    });
  }
  for (int w = 0; w < kWriters; ++w) {
    writers.emplace_back([&, w] {
      for (int i = 0; i < kCalls; ++i) {
        const std::string id = std::to_string(w) + '-' + std::to_string(i);
        store.call_started(started("r" + id, id));
        store.turn("r" + id, turn(1));
        store.call_ended(ended("r" + id));
      }
    });
  }
  for (auto& t : writers) t.join();
  EXPECT_TRUE(store.flush(kPatience));
  over = true;
  for (auto& t : readers) t.join();
  EXPECT_EQ(count(path, "SELECT count(*) FROM calls WHERE outcome = 'caller_hung_up'"), kWriters * kCalls);
  EXPECT_EQ(count(path, "SELECT count(*) FROM turns"), kWriters * kCalls);
  EXPECT_EQ(counter(registry, "voxgate_records_written_total"), 3u * kWriters * kCalls);
}

}  // namespace
}  // namespace voxgate::records
