#include "records/sqlite.hpp"

#include <sqlite3.h>

namespace voxgate::records::sqlite {
namespace {

[[noreturn]] void fail(sqlite3* db, int rc) {
  throw Error(rc & 0xFF, db != nullptr ? sqlite3_errmsg(db) : sqlite3_errstr(rc));
}

}  // namespace

bool Error::blames_the_row() const {
  return code_ == SQLITE_CONSTRAINT || code_ == SQLITE_MISMATCH || code_ == SQLITE_TOOBIG || code_ == SQLITE_RANGE;
}

Connection::Connection(const std::string& path, Mode mode, std::int64_t busy_ms) {
  const int access = mode == Mode::read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
  const int rc = sqlite3_open_v2(path.c_str(), &db_, access | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_URI, nullptr);
  if (rc != SQLITE_OK) {
    const Error error(rc & 0xFF, db_ != nullptr ? sqlite3_errmsg(db_) : sqlite3_errstr(rc));
    sqlite3_close_v2(db_);
    throw error;
  }
  sqlite3_busy_timeout(db_, static_cast<int>(busy_ms));
}

Connection::~Connection() {
  sqlite3_close_v2(db_);
}

void Connection::run(const char* sql) {
  const int rc = sqlite3_exec(db_, sql, nullptr, nullptr, nullptr);
  if (rc != SQLITE_OK) fail(db_, rc);
}

std::int64_t Connection::number(const char* sql) {
  Statement statement(*this, sql);
  return statement.step() ? statement.integer(0) : 0;
}

bool Connection::in_transaction() const {
  return sqlite3_get_autocommit(db_) == 0;
}

void Connection::limit_text(int bytes) {
  sqlite3_limit(db_, SQLITE_LIMIT_LENGTH, bytes);
}

Statement::Statement(Connection& db, const std::string& sql) : db_(db) {
  const int rc = sqlite3_prepare_v3(db.raw(), sql.c_str(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT,
                                    &stmt_, nullptr);
  if (rc != SQLITE_OK) fail(db.raw(), rc);
}

Statement::~Statement() {
  sqlite3_finalize(stmt_);
}

void Statement::check(int rc) const {
  if (rc != SQLITE_OK) fail(db_.raw(), rc);
}

Statement& Statement::bind(int at, std::string_view text) {
  // A null pointer would bind NULL, not the empty text.
  const char* data = text.empty() ? "" : text.data();
  check(sqlite3_bind_text64(stmt_, at, data, text.size(), SQLITE_TRANSIENT, SQLITE_UTF8));
  return *this;
}

Statement& Statement::bind(int at, std::int64_t value) {
  check(sqlite3_bind_int64(stmt_, at, value));
  return *this;
}

Statement& Statement::bind(int at, double value) {
  check(sqlite3_bind_double(stmt_, at, value));
  return *this;
}

Statement& Statement::bind_null(int at) {
  check(sqlite3_bind_null(stmt_, at));
  return *this;
}

bool Statement::step() {
  const int rc = sqlite3_step(stmt_);
  if (rc == SQLITE_ROW) return true;
  if (rc != SQLITE_DONE) {
    const Error error(rc & 0xFF, sqlite3_errmsg(db_.raw()));
    reset();
    throw error;
  }
  return false;
}

void Statement::run() {
  while (step()) {
  }
  reset();
}

void Statement::reset() noexcept {
  sqlite3_reset(stmt_);
  sqlite3_clear_bindings(stmt_);
}

std::string Statement::text(int column) const {
  const auto* data = sqlite3_column_text(stmt_, column);
  if (data == nullptr) return {};
  return {reinterpret_cast<const char*>(data), static_cast<std::size_t>(sqlite3_column_bytes(stmt_, column))};
}

std::int64_t Statement::integer(int column) const {
  return sqlite3_column_int64(stmt_, column);
}

double Statement::real(int column) const {
  return sqlite3_column_double(stmt_, column);
}

bool Statement::is_null(int column) const {
  return sqlite3_column_type(stmt_, column) == SQLITE_NULL;
}

Transaction::Transaction(Connection& db, const char* begin) : db_(db) {
  db_.run(begin);
}

Transaction::~Transaction() {
  // SQLite may already have rolled back by itself (disk full, I/O error).
  if (db_.in_transaction()) sqlite3_exec(db_.raw(), "ROLLBACK", nullptr, nullptr, nullptr);
}

void Transaction::commit() {
  db_.run("COMMIT");
}

}  // namespace voxgate::records::sqlite
