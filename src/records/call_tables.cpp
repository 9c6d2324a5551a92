#include "records/call_tables.hpp"

#include <array>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <span>
#include <stdexcept>

#include "voxgate/base/text.hpp"

namespace voxgate::records {
namespace {

// Applied in order; entry n brings a file from version n to n + 1. An entry that was released is never changed.
// Text with NUL bytes is refused by the tables: tools and other databases would cut it there.
constexpr std::array kMigrations = {
    R"sql(
CREATE TABLE calls (
  id INTEGER PRIMARY KEY,
  record TEXT NOT NULL UNIQUE CHECK (record <> '' AND instr(record, char(0)) = 0),
  call_id TEXT NOT NULL DEFAULT '' CHECK (instr(call_id, char(0)) = 0),
  stream_id TEXT NOT NULL DEFAULT '' CHECK (instr(stream_id, char(0)) = 0),
  carrier TEXT NOT NULL DEFAULT '' CHECK (instr(carrier, char(0)) = 0),
  account_id TEXT NOT NULL DEFAULT '' CHECK (instr(account_id, char(0)) = 0),
  from_number TEXT NOT NULL DEFAULT '' CHECK (instr(from_number, char(0)) = 0),
  to_number TEXT NOT NULL DEFAULT '' CHECK (instr(to_number, char(0)) = 0),
  agent TEXT NOT NULL DEFAULT '' CHECK (instr(agent, char(0)) = 0),
  node TEXT NOT NULL DEFAULT '' CHECK (instr(node, char(0)) = 0),
  started_at TEXT NOT NULL,
  ended_at TEXT,
  outcome TEXT NOT NULL DEFAULT '' CHECK (instr(outcome, char(0)) = 0),
  detail TEXT NOT NULL DEFAULT '' CHECK (instr(detail, char(0)) = 0),
  duration_ms INTEGER NOT NULL DEFAULT 0,
  frames_in INTEGER NOT NULL DEFAULT 0,
  messages_out INTEGER NOT NULL DEFAULT 0,
  frames_late INTEGER NOT NULL DEFAULT 0,
  gaps INTEGER NOT NULL DEFAULT 0,
  recording TEXT NOT NULL DEFAULT '' CHECK (instr(recording, char(0)) = 0)
);
CREATE INDEX calls_by_call_id ON calls (call_id);
CREATE INDEX calls_by_start ON calls (started_at);
CREATE INDEX calls_alive ON calls (id) WHERE ended_at IS NULL;
CREATE TABLE turns (
  record TEXT NOT NULL REFERENCES calls (record) ON DELETE CASCADE,
  number INTEGER NOT NULL,
  cause TEXT NOT NULL,
  caller TEXT NOT NULL CHECK (instr(caller, char(0)) = 0),
  agent TEXT NOT NULL CHECK (instr(agent, char(0)) = 0),
  confidence REAL NOT NULL,
  interrupted INTEGER NOT NULL,
  speculative INTEGER NOT NULL,
  merged INTEGER NOT NULL,
  at_ms INTEGER NOT NULL,
  audio_ms INTEGER NOT NULL,
  mark_delay_ms INTEGER NOT NULL,
  total_ms REAL,
  endpointing_ms REAL,
  asr_ms REAL,
  llm_ms REAL,
  split_ms REAL,
  tts_ms REAL,
  out_ms REAL,
  PRIMARY KEY (record, number)
) WITHOUT ROWID;
)sql",
};

constexpr const char* kStartSql =
    "INSERT INTO calls (record, call_id, stream_id, carrier, account_id, from_number, to_number, agent, node, "
    "started_at)"
    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)"
    " ON CONFLICT (record) DO UPDATE SET call_id = ?2, stream_id = ?3, carrier = ?4, account_id = ?5, from_number = ?6,"
    " to_number = ?7, agent = ?8, node = ?9, started_at = ?10";

constexpr const char* kPlaceholderSql = "INSERT OR IGNORE INTO calls (record, started_at) VALUES (?1, ?2)";

constexpr const char* kEndSql =
    "INSERT INTO calls (record, started_at, ended_at, outcome, detail, duration_ms, frames_in, messages_out,"
    " frames_late, gaps, recording) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)"
    " ON CONFLICT (record) DO UPDATE SET started_at = CASE started_at WHEN '' THEN ?2 ELSE started_at END, ended_at = "
    "?3, outcome = ?4,"
    " detail = ?5, duration_ms = ?6, frames_in = ?7, messages_out = ?8, frames_late = ?9, gaps = ?10, recording = ?11";

constexpr int kStageParameter = 14;  // position of the first stage in the turn's statement

std::string stage_column(std::size_t stage) {
  return std::string(call::to_string(static_cast<call::Stage>(stage))) + "_ms";
}

std::string turn_sql() {
  std::string columns =
      "record, number, cause, caller, agent, confidence, interrupted, speculative, merged, at_ms, audio_ms,"
      " mark_delay_ms, total_ms";
  std::string values = "?1";
  for (std::size_t i = 0; i < call::kStages; ++i) columns += ", " + stage_column(i);
  for (std::size_t i = 2; i < kStageParameter + call::kStages; ++i) values += ", ?" + std::to_string(i);
  return "INSERT OR REPLACE INTO turns (" + columns + ") VALUES (" + values + ")";
}

constexpr const char* kCallColumns =
    "record, call_id, stream_id, carrier, account_id, from_number, to_number, agent, outcome, detail, recording,"
    " started_at, ended_at, duration_ms";

std::string select_calls(const char* rest) {
  return std::string("SELECT ") + kCallColumns + " FROM calls " + rest;
}

std::string select_turns() {
  std::string sql =
      "SELECT number, cause, caller, agent, confidence, interrupted, speculative, at_ms, audio_ms, total_ms";
  for (std::size_t i = 0; i < call::kStages; ++i) sql += ", " + stage_column(i);
  return sql + " FROM turns WHERE record = ?1 ORDER BY number";
}

double finite(double value) {
  return std::isfinite(value) ? value : 0.0;
}

/// Builds one line of JSON; everything that is text is escaped.
class JsonLine {
 public:
  JsonLine& text(const char* key, std::string_view value) { return raw(key, '"' + text::json_escape(value) + '"'); }
  JsonLine& number(const char* key, std::int64_t value) { return raw(key, std::to_string(value)); }
  JsonLine& real(const char* key, double value) {
    char buffer[32];
    std::snprintf(buffer, sizeof buffer, "%.6g", finite(value));
    return raw(key, buffer);
  }
  std::string finish() { return line_ + "}"; }

 private:
  JsonLine& raw(const char* key, const std::string& value) {
    line_ += line_.size() == 1 ? "\"" : ",\"";
    line_ += key;
    line_ += "\":" + value;
    return *this;
  }
  std::string line_ = "{";
};

void describe(JsonLine& line, const CallStarted& e) {
  line.text("event", "call_started").text("record", e.record).text("call_id", e.call_id).text("stream_id", e.stream_id);
  line.text("carrier", e.carrier).text("account_id", e.account_id).text("from", e.from).text("to", e.to);
  line.text("agent", e.agent).text("node", e.node).text("at", iso_utc(e.at));
}

void describe(JsonLine& line, const TurnEnded& e) {
  const call::TurnRecord& t = e.turn;
  line.text("event", "turn")
      .text("record", e.record)
      .number("number", t.number)
      .text("cause", vendors::to_string(t.cause));
  line.text("caller", t.caller).text("agent", t.agent).real("confidence", t.confidence);
  line.number("interrupted", t.interrupted).number("speculative", t.speculative).number("merged", t.merged);
  line.number("at_ms", to_ms(t.at)).number("audio_ms", t.agent_audio_ms).number("mark_delay_ms", t.mark_delay_ms);
  if (!t.stamps.complete()) return;
  line.real("total_ms", to_ms_f(t.stamps.total()));
  const auto stages = t.stamps.stages();
  for (std::size_t i = 0; i < stages.size(); ++i) line.real(stage_column(i).c_str(), to_ms_f(stages[i]));
}

void describe(JsonLine& line, const CallEnded& e) {
  line.text("event", "call_ended").text("record", e.record).text("at", iso_utc(e.at)).text("outcome", e.outcome);
  line.text("detail", e.detail).number("duration_ms", e.duration_ms).number("frames_in", e.frames_in);
  line.number("messages_out", e.messages_out).number("frames_late", e.frames_late).number("gaps", e.gaps);
  line.text("recording", e.recording);
}

StoredCall read_call(const sqlite::Statement& row) {
  StoredCall call;
  int column = 0;
  for (std::string* field :
       {&call.record, &call.call_id, &call.stream_id, &call.carrier, &call.account_id, &call.from, &call.to,
        &call.agent, &call.outcome, &call.detail, &call.recording, &call.started_at, &call.ended_at}) {
    *field = row.text(column++);
  }
  call.duration_ms = row.integer(column);
  return call;
}

}  // namespace

std::string dead_letter(const Event& event, std::string_view reason) {
  JsonLine line;
  line.text("reason", reason);
  std::visit([&](const auto& e) { describe(line, e); }, event);
  return line.finish();
}

std::string iso_utc(WallTime at) {
  const auto ms = std::chrono::floor<std::chrono::milliseconds>(at.time_since_epoch()).count();
  const auto fraction = ((ms % 1000) + 1000) % 1000;
  const auto seconds = static_cast<std::time_t>((ms - fraction) / 1000);
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  char date[32], out[48];
  std::strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &utc);
  std::snprintf(out, sizeof out, "%s.%03dZ", date, static_cast<int>(fraction));
  return out;
}

std::int64_t schema_version() {
  return static_cast<std::int64_t>(kMigrations.size());
}

void migrate(sqlite::Connection& db) {
  // The lock first: of two processes that start at once, the second finds the work done.
  sqlite::Transaction transaction(db, "BEGIN IMMEDIATE");
  const std::int64_t found = db.number("PRAGMA user_version");
  if (found > schema_version() || found < 0) {
    throw std::runtime_error("its schema has version " + std::to_string(found) + ", this program knows up to " +
                             std::to_string(schema_version()) + ": a newer voxgate wrote it");
  }
  for (std::int64_t v = found; v < schema_version(); ++v) db.run(kMigrations[static_cast<std::size_t>(v)]);
  if (found != schema_version()) db.run(("PRAGMA user_version = " + std::to_string(schema_version())).c_str());
  transaction.commit();
}

std::int64_t close_abandoned(sqlite::Connection& db, WallTime now) {
  sqlite::Transaction transaction(db, "BEGIN IMMEDIATE");
  const std::int64_t open = db.number("SELECT count(*) FROM calls WHERE ended_at IS NULL");
  if (open > 0) {
    sqlite::Statement close(
        db,
        "UPDATE calls SET ended_at = ?1, outcome = 'unknown',"
        " detail = 'the process that carried the call died; closed when the records were opened again',"
        " duration_ms = coalesce((SELECT max(at_ms + audio_ms) FROM turns WHERE turns.record = calls.record), 0)"
        " WHERE ended_at IS NULL");
    close.bind(1, iso_utc(now)).run();
  }
  transaction.commit();
  return open;
}

RowWriter::RowWriter(sqlite::Connection& db)
    : start_(db, kStartSql), placeholder_(db, kPlaceholderSql), turn_(db, turn_sql()), end_(db, kEndSql) {}

void RowWriter::write(const Event& event) {
  // A bind that failed (text too large) leaves the others bound; the next use starts clean.
  for (sqlite::Statement* s : {&start_, &placeholder_, &turn_, &end_}) s->reset();
  std::visit([this](const auto& e) { write_row(e); }, event);
}

void RowWriter::write_row(const CallStarted& e) {
  start_.bind(1, e.record).bind(2, e.call_id).bind(3, e.stream_id).bind(4, e.carrier).bind(5, e.account_id);
  start_.bind(6, e.from).bind(7, e.to).bind(8, e.agent).bind(9, e.node).bind(10, iso_utc(e.at)).run();
}

void RowWriter::write_row(const TurnEnded& e) {
  const call::TurnRecord& t = e.turn;
  placeholder_.bind(1, e.record).bind(2, "").run();
  turn_.bind(1, e.record).bind(2, std::int64_t{t.number}).bind(3, vendors::to_string(t.cause)).bind(4, t.caller);
  turn_.bind(5, t.agent).bind(6, finite(t.confidence)).bind(7, std::int64_t{t.interrupted});
  turn_.bind(8, std::int64_t{t.speculative}).bind(9, std::int64_t{t.merged}).bind(10, to_ms(t.at));
  turn_.bind(11, t.agent_audio_ms).bind(12, t.mark_delay_ms);
  if (t.stamps.complete()) {
    const auto stages = t.stamps.stages();
    turn_.bind(13, to_ms_f(t.stamps.total()));
    for (std::size_t i = 0; i < stages.size(); ++i) {
      turn_.bind(kStageParameter + static_cast<int>(i), to_ms_f(stages[i]));
    }
  }
  turn_.run();
}

void RowWriter::write_row(const CallEnded& e) {
  end_.bind(1, e.record).bind(2, iso_utc(e.at - std::chrono::milliseconds(e.duration_ms))).bind(3, iso_utc(e.at));
  end_.bind(4, e.outcome).bind(5, e.detail).bind(6, e.duration_ms).bind(7, e.frames_in).bind(8, e.messages_out);
  end_.bind(9, e.frames_late).bind(10, e.gaps).bind(11, e.recording).run();
}

RowReader::RowReader(sqlite::Connection& db)
    : db_(db),
      recent_(db, select_calls("ORDER BY started_at DESC, id DESC LIMIT ?1")),
      find_(db, select_calls("WHERE call_id = ?1 ORDER BY started_at DESC, id DESC LIMIT 1")),
      turns_(db, select_turns()) {}

void RowReader::read_turns(StoredCall& call) {
  turns_.reset();
  turns_.bind(1, call.record);
  while (turns_.step()) {
    StoredTurn turn;
    turn.number = static_cast<int>(turns_.integer(0));
    turn.cause = turns_.text(1);
    turn.caller = turns_.text(2);
    turn.agent = turns_.text(3);
    turn.confidence = turns_.real(4);
    turn.interrupted = turns_.integer(5) != 0;
    turn.speculative = turns_.integer(6) != 0;
    turn.at_ms = turns_.integer(7);
    turn.agent_audio_ms = turns_.integer(8);
    if (!turns_.is_null(9)) {
      turn.total_ms = turns_.real(9);
      for (std::size_t i = 0; i < call::kStages; ++i) {
        turn.stages_ms.emplace_back(call::to_string(static_cast<call::Stage>(i)),
                                    turns_.real(10 + static_cast<int>(i)));
      }
    }
    call.turns.push_back(std::move(turn));
  }
  turns_.reset();
}

std::vector<StoredCall> RowReader::recent(std::size_t limit) {
  sqlite::Transaction snapshot(db_, "BEGIN");
  std::vector<StoredCall> calls;
  recent_.reset();
  recent_.bind(1, static_cast<std::int64_t>(limit));
  while (recent_.step()) calls.push_back(read_call(recent_));
  recent_.reset();
  for (StoredCall& call : calls) read_turns(call);
  snapshot.commit();
  return calls;
}

std::optional<StoredCall> RowReader::find(const std::string& call_id) {
  sqlite::Transaction snapshot(db_, "BEGIN");
  std::optional<StoredCall> call;
  find_.reset();
  find_.bind(1, call_id);
  if (find_.step()) call = read_call(find_);
  find_.reset();
  if (call) read_turns(*call);
  snapshot.commit();
  return call;
}

}  // namespace voxgate::records
