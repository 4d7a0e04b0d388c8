// SQLite, as much of it as the store uses: statements that are prepared once,
// transactions, and statuses instead of result codes.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/digest.h"
#include "base/status.h"

struct sqlite3;
struct sqlite3_stmt;

namespace lamina::backend {

class Database;

// A statement with its values. Goes back to the database's cache at the end.
class Query {
 public:
  Query(Query&& other) noexcept;
  Query& operator=(Query&&) = delete;
  ~Query();

  // Moves to the next row; false when there is none. Columns are valid until
  // the next call.
  absl::StatusOr<bool> Next();
  // For statements without rows.
  absl::Status Run();
  // Starts over with other values.
  template <typename... Values>
  void Rebind(const Values&... values) {
    Reset();
    int index = 0;
    (Bind(++index, values), ...);
  }

  bool IsNull(int column) const;
  int64_t Int(int column) const;
  double Double(int column) const;
  std::string Text(int column) const;
  Digest GetDigest(int column) const;  // All zeros when it is no digest.

 private:
  friend class Database;
  Query(Database* database, sqlite3_stmt* statement, std::string sql)
      : database_(database), statement_(statement), sql_(std::move(sql)) {}
  void Reset();
  void Bind(int index, int64_t value);
  void Bind(int index, int value) { Bind(index, int64_t{value}); }
  void Bind(int index, bool value) { Bind(index, int64_t{value}); }
  void Bind(int index, uint64_t value) {
    Bind(index, static_cast<int64_t>(value));
  }
  void Bind(int index, double value);
  void Bind(int index, absl::string_view value);
  void Bind(int index, const Digest& value);
  template <typename T>
  void Bind(int index, const std::optional<T>& value) {
    if (value.has_value()) {
      Bind(index, *value);
    }
  }

  Database* database_;
  sqlite3_stmt* statement_;
  std::string sql_;
};

// One connection; used by one thread at a time.
class Database {
 public:
  // Opens or creates `path` in WAL mode. Commits are atomic against a killed
  // process at once, and against power loss in order but with a delay, unless
  // a transaction is durable.
  static absl::StatusOr<Database> Open(const std::string& path);
  // Opens a database that exists; every change fails.
  static absl::StatusOr<Database> OpenReadOnly(const std::string& path);
  Database(Database&& other) noexcept;
  Database& operator=(Database&&) = delete;
  ~Database();

  template <typename... Values>
  absl::StatusOr<Query> Ask(absl::string_view sql, const Values&... values) {
    ASSIGN_OR_RETURN(Query query, Prepare(sql));
    query.Rebind(values...);
    return query;
  }
  template <typename... Values>
  absl::Status Run(absl::string_view sql, const Values&... values) {
    ASSIGN_OR_RETURN(Query query, Ask(sql, values...));
    return query.Run();
  }
  // The first column of the first row; nothing without a row or when NULL.
  template <typename... Values>
  absl::StatusOr<std::optional<int64_t>> AskInt(absl::string_view sql,
                                                const Values&... values) {
    ASSIGN_OR_RETURN(Query query, Ask(sql, values...));
    ASSIGN_OR_RETURN(bool found, query.Next());
    if (!found || query.IsNull(0)) {
      return std::nullopt;
    }
    return query.Int(0);
  }
  // Several statements without values, not cached.
  absl::Status RunScript(const char* sql);
  int changed_rows() const;  // By the last statement.

 private:
  friend class Query;
  Database(sqlite3* handle, std::string path)
      : handle_(handle), path_(std::move(path)) {}
  absl::Status Configure();
  absl::StatusOr<Query> Prepare(absl::string_view sql);
  void GiveBack(sqlite3_stmt* statement, std::string sql);
  absl::Status Error(int code) const;

  sqlite3* handle_;
  std::string path_;
  // As of the last commit here; on the heap, as SQLite keeps its address.
  std::unique_ptr<int> wal_pages_ = std::make_unique<int>(0);
  std::unordered_map<std::string, sqlite3_stmt*> idle_;
};

// A write transaction; rolled back unless committed. Durable: Commit returns
// once the records have reached the disk.
class Transaction {
 public:
  static absl::StatusOr<Transaction> Begin(Database& database,
                                           bool durable = false);
  Transaction(Transaction&& other) noexcept
      : database_(std::exchange(other.database_, nullptr)),
        durable_(other.durable_) {}
  Transaction& operator=(Transaction&&) = delete;
  ~Transaction();
  absl::Status Commit();

 private:
  Transaction(Database* database, bool durable)
      : database_(database), durable_(durable) {}
  void End();

  Database* database_;
  bool durable_;
};

}  // namespace lamina::backend
