#pragma once
// Call records: every call, every turn with the latency of its stages, what was said, how it ended. Written by a thread
// of its own into SQLite (WAL); the caller never waits.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "voxgate/base/metrics.hpp"
#include "voxgate/base/time.hpp"
#include "voxgate/call/timeline.hpp"

namespace voxgate::records {

/// Names one call in the records: unique in this store for ever (a carrier may reuse its own ids).
using RecordId = std::string;

struct CallStarted {
  RecordId record;
  std::string call_id, stream_id, carrier, account_id, from, to, agent, node;
  WallTime at{};
};

struct CallEnded {
  RecordId record;
  WallTime at{};
  std::string outcome;  // call::to_string(EndReason)
  std::string detail;
  std::int64_t duration_ms = 0;
  std::int64_t frames_in = 0, messages_out = 0, frames_late = 0, gaps = 0;
  std::string recording;  // path, or empty
};

struct StoredTurn {
  int number = 0;
  std::string cause, caller, agent;
  double confidence = 1.0;
  bool interrupted = false, speculative = false;
  std::int64_t at_ms = 0, agent_audio_ms = 0;
  double total_ms = -1;  // -1: no reply was heard
  std::vector<std::pair<std::string, double>> stages_ms;
};

struct StoredCall {
  RecordId record;
  std::string call_id, stream_id, carrier, account_id, from, to, agent, outcome, detail, recording;
  std::string started_at, ended_at;  // ISO 8601 UTC; ended_at empty while it lives
  std::int64_t duration_ms = 0;
  std::vector<StoredTurn> turns;
};

struct StoreConfig {
  std::string path;           // SQLite file; ":memory:" for tests
  std::size_t queue = 10000;  // events that may wait; beyond it the newest is dropped and counted
};

/// Threads: the three writing calls from any thread, never blocking; the reading ones block on SQLite, belong on a
/// worker pool and throw std::runtime_error when it fails. A row that the database refuses goes to
/// `<path>.rejected.jsonl`; a database that cannot be written (locked, full) is tried again until it can.
/// One process at a time owns a file: its `<path>.lock` says whether calls left open in it are of a dead one.
class Store {
 public:
  /// Opens and migrates; throws std::runtime_error naming the file and the reason.
  Store(StoreConfig config, metrics::Registry& registry);
  /// Writes what is queued, then closes.
  ~Store();
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  void call_started(CallStarted started);
  void turn(RecordId record, call::TurnRecord turn);
  void call_ended(CallEnded ended);

  /// Waits until everything queued so far is on disk; false after `limit`.
  bool flush(Duration limit);

  /// Newest calls first.
  std::vector<StoredCall> recent(std::size_t limit);
  /// The newest call with this call id, with its turns.
  std::optional<StoredCall> find(const std::string& call_id);

  std::size_t queued() const;
  std::uint64_t dropped() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace voxgate::records
