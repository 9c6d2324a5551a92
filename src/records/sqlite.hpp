#pragma once
// SQLite as objects that close themselves. Errors are thrown as sqlite::Error and stay inside this room.

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

struct sqlite3;
struct sqlite3_stmt;

namespace voxgate::records::sqlite {

class Error : public std::runtime_error {
 public:
  Error(int code, const std::string& what) : std::runtime_error(what), code_(code) {}
  /// SQLite's primary result code.
  int code() const { return code_; }
  /// The row is at fault (constraint, type, size), not the database: trying again cannot help.
  bool blames_the_row() const;

 private:
  int code_;
};

enum class Mode { read_write, read_only };

/// One connection. Threads: one at a time.
class Connection {
 public:
  /// `path` may be a file: URI. `busy` is how long a statement waits for somebody else's lock.
  Connection(const std::string& path, Mode mode, std::int64_t busy_ms);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// Runs one or several statements without parameters; only ever text of ours.
  void run(const char* sql);
  /// The first column of the first row, 0 without one.
  std::int64_t number(const char* sql);
  bool in_transaction() const;
  /// Largest text this connection accepts.
  void limit_text(int bytes);

  sqlite3* raw() const { return db_; }

 private:
  sqlite3* db_ = nullptr;
};

/// A prepared statement. Values are bound by 1-based position and always as data.
class Statement {
 public:
  Statement(Connection& db, const std::string& sql);
  ~Statement();
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  /// `text` is copied.
  Statement& bind(int at, std::string_view text);
  Statement& bind(int at, std::int64_t value);
  Statement& bind(int at, double value);
  Statement& bind_null(int at);

  /// True while there is a row to read.
  bool step();
  /// Runs to the end and resets, also when it fails.
  void run();
  void reset() noexcept;

  std::string text(int column) const;
  std::int64_t integer(int column) const;
  double real(int column) const;
  bool is_null(int column) const;

 private:
  void check(int rc) const;
  Connection& db_;
  sqlite3_stmt* stmt_ = nullptr;
};

/// Rolls back unless commit() was reached. `begin` is "BEGIN" or "BEGIN IMMEDIATE".
class Transaction {
 public:
  Transaction(Connection& db, const char* begin);
  ~Transaction();
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  void commit();

 private:
  Connection& db_;
};

}  // namespace voxgate::records::sqlite
