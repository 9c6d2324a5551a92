#include "voxgate/records/store.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <fstream>
#include <iterator>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <utility>

#include "records/call_tables.hpp"
#include "records/sqlite.hpp"
#include "voxgate/base/log.hpp"

namespace voxgate::records {
namespace {

constexpr std::size_t kMaxBatch = 512;                         // events of one transaction
constexpr std::int64_t kWriterBusyMs = 200;                    // short: the writer has its own, longer back-off
constexpr std::int64_t kOpenBusyMs = 5000;                     // migrating may wait for another process that does
constexpr std::int64_t kReaderBusyMs = 2000;                   // somebody waits for the answer
constexpr int kMaxTextBytes = 1 << 20;                         // a larger value is refused, as a row
constexpr std::uint64_t kMaxRejectedBytes = 64 * 1024 * 1024;  // of the dead-letter file
constexpr Duration kFirstRetry = 20ms, kLastRetry = 2s;
constexpr Duration kCloseLimit = 5s;  // how long the destructor tries a database that refuses
constexpr Duration kLogEvery = 10s;

// 256 KiB: rows are appended and hardly ever read again, and the default of 2 MB fills up with them.
constexpr const char* kPageCache = "PRAGMA cache_size = -256";

/// Lets one line through every ten seconds and says how many it held back. Threads: any.
class LogGate {
 public:
  bool open() {
    const std::int64_t now = Clock::now().time_since_epoch().count();
    std::int64_t next = next_.load(std::memory_order_relaxed);
    if (now >= next && next_.compare_exchange_strong(next, now + kLogEvery.count(), std::memory_order_relaxed)) {
      return true;
    }
    suppressed_.fetch_add(1, std::memory_order_relaxed);
    return false;
  }
  std::uint64_t suppressed() { return suppressed_.exchange(0, std::memory_order_relaxed); }

 private:
  std::atomic<std::int64_t> next_{0};
  std::atomic<std::uint64_t> suppressed_{0};
};

/// Tells whether another process carries calls in the same file: only the holder may call its open calls dead.
class OwnerLock {
 public:
  explicit OwnerLock(const std::string& path) {
    if (path.empty()) {
      held_ = true;
      return;
    }
    fd_ = ::open((path + ".lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    held_ = fd_ >= 0 && ::flock(fd_, LOCK_EX | LOCK_NB) == 0;
  }
  ~OwnerLock() {
    if (fd_ >= 0) ::close(fd_);
  }
  OwnerLock(const OwnerLock&) = delete;
  OwnerLock& operator=(const OwnerLock&) = delete;
  bool held() const { return held_; }

 private:
  int fd_ = -1;
  bool held_ = false;
};

/// Rows that the database refuses, one JSON object a line. Owner and thread: the writer. Bounded in size.
class DeadLetters {
 public:
  explicit DeadLetters(std::string path) : path_(std::move(path)) {}
  void append(const std::vector<std::string>& lines) {
    if (path_.empty() || lines.empty()) return;
    struct stat info {};
    std::uint64_t size = ::stat(path_.c_str(), &info) == 0 ? static_cast<std::uint64_t>(info.st_size) : 0;
    std::ofstream file(path_, std::ios::app | std::ios::binary);
    for (const std::string& line : lines) {
      size += line.size() + 1;
      if (size > kMaxRejectedBytes) break;
      file << line << '\n';
    }
    file.flush();
    if (!file && gate_.open()) log::error("records.dead_letters_failed", {{"file", path_}});
  }

 private:
  std::string path_;
  LogGate gate_;
};

/// A database in memory has a name of its own, so that two connections can share it.
std::string database_uri(const std::string& path) {
  if (path != ":memory:") return path;
  static std::atomic<std::uint64_t> next{0};
  return "file:/voxgate-records-" + std::to_string(::getpid()) + '-' + std::to_string(next.fetch_add(1)) + "?vfs=memdb";
}

}  // namespace

// Invariant: only the writer thread uses `db` and `rows`; readers take `read_mutex` and use `read_db` and `reader`.
// An event is in `queue` until the writer takes it, and counts as queued until its transaction is on disk.
struct Store::Impl {
  Impl(StoreConfig c, metrics::Registry& registry);
  void open();
  void push(Event event);
  void write_loop();
  void write_until_done(std::vector<Event>& batch);
  void write_batch(const std::vector<Event>& batch);
  void batch_failed(const char* reason, Duration next_try);
  void give_up(const std::vector<Event>& batch);
  bool waited_for_stop(Duration limit);
  void settled(std::size_t events);

  const StoreConfig config;
  const bool in_memory;
  const std::string uri;
  OwnerLock owner;
  DeadLetters dead_letters;
  metrics::Gauge& up;
  metrics::Gauge& spooled;
  metrics::Counter& written;
  metrics::Counter& dropped;
  metrics::Counter& rejected;
  LogGate drop_gate, reject_gate;

  std::unique_ptr<sqlite::Connection> db;
  std::unique_ptr<RowWriter> rows;
  bool failing = false;

  std::mutex read_mutex;
  std::unique_ptr<sqlite::Connection> read_db;
  std::unique_ptr<RowReader> reader;

  // Any thread, under the mutex.
  mutable std::mutex mutex;
  std::condition_variable work, done;
  std::deque<Event> queue;
  std::size_t in_flight = 0;
  std::uint64_t accepted = 0, finished = 0, dropped_here = 0;
  bool stopping = false;
  Instant give_up_at{};

  std::thread writer;
};

Store::Impl::Impl(StoreConfig c, metrics::Registry& registry)
    : config(std::move(c)),
      in_memory(config.path == ":memory:"),
      uri(database_uri(config.path)),
      owner(in_memory ? "" : config.path),
      dead_letters(in_memory ? "" : config.path + ".rejected.jsonl"),
      up(registry.gauge("voxgate_records_up", "1 while call records reach their database.")),
      spooled(registry.gauge("voxgate_records_spooled", "Events of call records that wait to be written.")),
      written(registry.counter("voxgate_records_written_total", "Events of call records that were written.")),
      dropped(registry.counter("voxgate_records_dropped_total", "Events of call records lost to a full queue.")),
      rejected(registry.counter("voxgate_records_rejected_total", "Events that the database refused as rows.")) {
  up.set(0);
  spooled.set(0);
  try {
    open();
  } catch (const std::exception& e) {
    throw std::runtime_error("cannot open the call records in " + config.path + ": " + e.what());
  }
  up.set(1);
  writer = std::thread([this] { write_loop(); });
}

void Store::Impl::open() {
  db = std::make_unique<sqlite::Connection>(uri, sqlite::Mode::read_write, kOpenBusyMs);
  db->run("PRAGMA journal_mode = WAL");
  db->run("PRAGMA synchronous = NORMAL");
  db->run("PRAGMA foreign_keys = ON");
  db->run("PRAGMA journal_size_limit = 67108864");
  db->run(kPageCache);
  migrate(*db);
  if (owner.held()) {
    const std::int64_t closed = close_abandoned(*db, std::chrono::system_clock::now());
    if (closed > 0) log::warn("records.abandoned_calls_closed", {{"calls", closed}});
  } else {
    log::warn("records.shared_file", {{"file", config.path}});
  }
  db->run(("PRAGMA busy_timeout = " + std::to_string(kWriterBusyMs)).c_str());
  db->limit_text(kMaxTextBytes);
  rows = std::make_unique<RowWriter>(*db);
  // In memory the second connection needs the right to write only because memdb gives no other.
  read_db = std::make_unique<sqlite::Connection>(uri, in_memory ? sqlite::Mode::read_write : sqlite::Mode::read_only,
                                                 kReaderBusyMs);
  read_db->run("PRAGMA query_only = ON");
  read_db->run(kPageCache);
  reader = std::make_unique<RowReader>(*read_db);
}

void Store::Impl::push(Event event) {
  {
    std::lock_guard lock(mutex);
    if (queue.size() + in_flight < config.queue) {
      queue.push_back(std::move(event));
      ++accepted;
      spooled.set(static_cast<double>(queue.size() + in_flight));
      // The writer waits only for an empty queue to end.
      if (queue.size() == 1) work.notify_one();
      return;
    }
    ++dropped_here;
  }
  dropped.add();
  if (drop_gate.open()) {
    log::error("records.dropped", {{"queue", config.queue}, {"suppressed", drop_gate.suppressed()}});
  }
}

void Store::Impl::write_loop() {
  std::vector<Event> batch;
  for (;;) {
    {
      std::unique_lock lock(mutex);
      work.wait(lock, [this] { return stopping || !queue.empty(); });
      if (queue.empty()) return;
      const std::size_t n = std::min(queue.size(), kMaxBatch);
      batch.assign(std::make_move_iterator(queue.begin()),
                   std::make_move_iterator(queue.begin() + static_cast<std::ptrdiff_t>(n)));
      queue.erase(queue.begin(), queue.begin() + static_cast<std::ptrdiff_t>(n));
      in_flight = n;
    }
    write_until_done(batch);
    settled(batch.size());
    batch.clear();
  }
}

void Store::Impl::settled(std::size_t events) {
  std::lock_guard lock(mutex);
  in_flight = 0;
  finished += events;
  spooled.set(static_cast<double>(queue.size()));
  done.notify_all();
}

void Store::Impl::write_until_done(std::vector<Event>& batch) {
  Duration retry = kFirstRetry;
  for (;;) {
    try {
      write_batch(batch);
      if (std::exchange(failing, false)) log::info("records.recovered");
      up.set(1);
      return;
    } catch (const std::exception& e) {
      batch_failed(e.what(), retry);
    }
    if (waited_for_stop(retry)) return give_up(batch);
    retry = std::min(retry * 2, kLastRetry);
  }
}

void Store::Impl::batch_failed(const char* reason, Duration next_try) {
  up.set(0);
  if (!std::exchange(failing, true)) {
    log::error("records.down", {{"error", reason}, {"file", config.path}, {"retry_ms", to_ms(next_try)}});
  }
}

/// Waits between two tries; true when the store is being closed and has tried for long enough.
bool Store::Impl::waited_for_stop(Duration limit) {
  std::unique_lock lock(mutex);
  const bool was_stopping = stopping;
  if (stopping) limit = std::min<Duration>(limit, 100ms);
  work.wait_for(lock, limit, [&] { return stopping && !was_stopping; });
  return stopping && Clock::now() >= give_up_at;
}

void Store::Impl::write_batch(const std::vector<Event>& batch) {
  std::vector<std::string> refused;
  sqlite::Transaction transaction(*db, "BEGIN IMMEDIATE");
  for (const Event& event : batch) {
    try {
      rows->write(event);
    } catch (const sqlite::Error& e) {
      if (!e.blames_the_row()) throw;
      refused.push_back(dead_letter(event, e.what()));
      if (reject_gate.open()) {
        log::warn("records.rejected", {{"error", e.what()}, {"suppressed", reject_gate.suppressed()}});
      }
    }
  }
  transaction.commit();
  // After the commit: a batch that is tried again must not leave its refused rows twice.
  dead_letters.append(refused);
  rejected.add(refused.size());
  written.add(batch.size() - refused.size());
}

/// The database still refuses and the process must end: what is left goes where an operator can find it.
void Store::Impl::give_up(const std::vector<Event>& batch) {
  std::vector<std::string> lines;
  lines.reserve(batch.size());
  for (const Event& event : batch) lines.push_back(dead_letter(event, "the database was not available until the end"));
  dead_letters.append(lines);
  rejected.add(batch.size());
  log::error("records.not_written", {{"events", batch.size()}, {"file", config.path}});
}

Store::Store(StoreConfig config, metrics::Registry& registry)
    : impl_(std::make_unique<Impl>(std::move(config), registry)) {}

Store::~Store() {
  {
    std::lock_guard lock(impl_->mutex);
    impl_->stopping = true;
    impl_->give_up_at = Clock::now() + kCloseLimit;
    impl_->work.notify_all();
  }
  impl_->writer.join();
  impl_->up.set(0);
}

void Store::call_started(CallStarted started) {
  impl_->push(std::move(started));
}

void Store::turn(RecordId record, call::TurnRecord turn) {
  impl_->push(TurnEnded{std::move(record), std::move(turn)});
}

void Store::call_ended(CallEnded ended) {
  impl_->push(std::move(ended));
}

bool Store::flush(Duration limit) {
  std::unique_lock lock(impl_->mutex);
  const std::uint64_t wanted = impl_->accepted;
  return impl_->done.wait_for(lock, limit, [&] { return impl_->finished >= wanted; });
}

std::vector<StoredCall> Store::recent(std::size_t limit) {
  std::lock_guard lock(impl_->read_mutex);
  return impl_->reader->recent(limit);
}

std::optional<StoredCall> Store::find(const std::string& call_id) {
  std::lock_guard lock(impl_->read_mutex);
  return impl_->reader->find(call_id);
}

std::size_t Store::queued() const {
  std::lock_guard lock(impl_->mutex);
  return impl_->queue.size() + impl_->in_flight;
}

std::uint64_t Store::dropped() const {
  std::lock_guard lock(impl_->mutex);
  return impl_->dropped_here;
}

}  // namespace voxgate::records
