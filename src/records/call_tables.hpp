#pragma once
// The tables of calls and turns: their schema and its migrations, the rows written, the rows read.

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "records/sqlite.hpp"
#include "voxgate/records/store.hpp"

namespace voxgate::records {

struct TurnEnded {
  RecordId record;
  call::TurnRecord turn;
};

using Event = std::variant<CallStarted, TurnEnded, CallEnded>;

/// One line of JSON with everything the event holds and why it was refused.
std::string dead_letter(const Event& event, std::string_view reason);

/// "2026-01-31T23:59:59.123Z"
std::string iso_utc(WallTime at);

/// Brings the schema up to this binary's version; throws sqlite::Error, or std::runtime_error where the schema is
/// newer than this binary.
void migrate(sqlite::Connection& db);
/// The version migrate() brings a file to.
std::int64_t schema_version();

/// Closes the calls that no process carries any more; returns how many.
std::int64_t close_abandoned(sqlite::Connection& db, WallTime now);

/// Writes events. Writing the same event twice leaves one row; a turn or an end whose start was lost makes a row of
/// its own for the call.
class RowWriter {
 public:
  explicit RowWriter(sqlite::Connection& db);
  void write(const Event& event);

 private:
  void write_row(const CallStarted& started);
  void write_row(const TurnEnded& ended);
  void write_row(const CallEnded& ended);
  sqlite::Statement start_, placeholder_, turn_, end_;
};

class RowReader {
 public:
  explicit RowReader(sqlite::Connection& db);
  std::vector<StoredCall> recent(std::size_t limit);
  std::optional<StoredCall> find(const std::string& call_id);

 private:
  void read_turns(StoredCall& call);
  sqlite::Connection& db_;
  sqlite::Statement recent_, find_, turns_;
};

}  // namespace voxgate::records
