#include "backend/store/database.h"

#include <sqlite3.h>

#include <algorithm>
#include <cstring>

namespace lamina::backend {
namespace {

constexpr int kBusyMilliseconds = 60'000;
// WAL pages after which a commit moves them into the database. High, as this
// is the one moment at which an ordinary commit waits for the disk.
constexpr int kCheckpointPages = 4000;
// Above this a closing connection does the same: reading the WAL costs the
// next process about a millisecond per thousand pages.
constexpr int kCheckpointPagesAtClose = 500;

int OnCommit(void* wal_pages, sqlite3* handle, const char* name, int pages) {
  *static_cast<int*>(wal_pages) = pages;
  if (pages >= kCheckpointPages) {
    // A busy reader only postpones it.
    sqlite3_wal_checkpoint_v2(handle, name, SQLITE_CHECKPOINT_PASSIVE, nullptr,
                              nullptr);
  }
  return SQLITE_OK;
}

}  // namespace

// --- Query -----------------------------------------------------------------

Query::Query(Query&& other) noexcept
    : database_(other.database_),
      statement_(std::exchange(other.statement_, nullptr)),
      sql_(std::move(other.sql_)) {}

Query::~Query() {
  if (statement_ != nullptr) {
    Reset();
    database_->GiveBack(statement_, std::move(sql_));
  }
}

void Query::Reset() {
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
}

absl::StatusOr<bool> Query::Next() {
  int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) {
    return true;
  }
  if (code == SQLITE_DONE) {
    return false;
  }
  return database_->Error(code);
}

absl::Status Query::Run() { return Next().status(); }

void Query::Bind(int index, int64_t value) {
  CHECK(sqlite3_bind_int64(statement_, index, value) == SQLITE_OK);
}

void Query::Bind(int index, double value) {
  CHECK(sqlite3_bind_double(statement_, index, value) == SQLITE_OK);
}

void Query::Bind(int index, absl::string_view value) {
  // An empty view may have no pointer, which would be NULL.
  const char* data = value.empty() ? "" : value.data();
  CHECK(sqlite3_bind_text64(statement_, index, data, value.size(),
                            SQLITE_TRANSIENT, SQLITE_UTF8) == SQLITE_OK);
}

void Query::Bind(int index, const Digest& value) {
  CHECK(sqlite3_bind_blob64(statement_, index, value.bytes.data(),
                            value.bytes.size(), SQLITE_TRANSIENT) == SQLITE_OK);
}

bool Query::IsNull(int column) const {
  return sqlite3_column_type(statement_, column) == SQLITE_NULL;
}

int64_t Query::Int(int column) const {
  return sqlite3_column_int64(statement_, column);
}

double Query::Double(int column) const {
  return sqlite3_column_double(statement_, column);
}

std::string Query::Text(int column) const {
  const void* text = sqlite3_column_text(statement_, column);
  if (text == nullptr) {
    return "";
  }
  size_t size = static_cast<size_t>(sqlite3_column_bytes(statement_, column));
  return std::string(static_cast<const char*>(text), size);
}

Digest Query::GetDigest(int column) const {
  Digest digest;
  const void* bytes = sqlite3_column_blob(statement_, column);
  size_t size = static_cast<size_t>(sqlite3_column_bytes(statement_, column));
  if (bytes != nullptr && size == digest.bytes.size()) {
    memcpy(digest.bytes.data(), bytes, size);
  }
  return digest;
}

// --- Database --------------------------------------------------------------

absl::StatusOr<Database> Database::Open(const std::string& path) {
  sqlite3* handle = nullptr;
  int code = sqlite3_open_v2(
      path.c_str(), &handle,
      SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
      nullptr);
  Database database(handle, path);
  if (code != SQLITE_OK) {
    return database.Error(code);
  }
  RETURN_IF_ERROR(database.Configure());
  return database;
}

absl::StatusOr<Database> Database::OpenReadOnly(const std::string& path) {
  sqlite3* handle = nullptr;
  int code =
      sqlite3_open_v2(path.c_str(), &handle,
                      SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, nullptr);
  Database database(handle, path);
  if (code != SQLITE_OK) {
    return database.Error(code);
  }
  sqlite3_busy_timeout(handle, kBusyMilliseconds);
  return database;
}

absl::Status Database::Configure() {
  sqlite3_busy_timeout(handle_, kBusyMilliseconds);
  // The last process out would otherwise sync a database nobody changed much.
  sqlite3_db_config(handle_, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  RETURN_IF_ERROR(RunScript("PRAGMA synchronous=NORMAL"));
  ASSIGN_OR_RETURN(Query mode, Prepare("PRAGMA journal_mode=WAL"));
  ASSIGN_OR_RETURN(bool found, mode.Next());
  if (!found || mode.Text(0) != "wal") {
    return absl::UnavailableError(
        absl::StrCat(path_,
                     ": the file system has no shared memory maps, which the "
                     "database needs; put the store on a local disk"));
  }
  sqlite3_wal_hook(handle_, OnCommit, wal_pages_.get());
  return absl::OkStatus();
}

Database::Database(Database&& other) noexcept
    : handle_(std::exchange(other.handle_, nullptr)),
      path_(std::move(other.path_)),
      wal_pages_(std::move(other.wal_pages_)),
      idle_(std::exchange(other.idle_, {})) {}

Database::~Database() {
  if (handle_ == nullptr) {
    return;
  }
  for (const auto& [sql, statement] : idle_) {
    sqlite3_finalize(statement);
  }
  if (*wal_pages_ >= kCheckpointPagesAtClose) {
    sqlite3_wal_checkpoint_v2(handle_, nullptr, SQLITE_CHECKPOINT_PASSIVE,
                              nullptr, nullptr);
  }
  sqlite3_close_v2(handle_);
}

absl::StatusOr<Query> Database::Prepare(absl::string_view sql) {
  std::string key(sql);
  auto found = idle_.find(key);
  if (found != idle_.end() && found->second != nullptr) {
    // Taken out, so that the same question can be asked while it is answered.
    sqlite3_stmt* statement = std::exchange(found->second, nullptr);
    return Query(this, statement, std::move(key));
  }
  sqlite3_stmt* statement = nullptr;
  int code = sqlite3_prepare_v3(handle_, key.c_str(), -1,
                                SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  if (code != SQLITE_OK) {
    return Error(code);
  }
  return Query(this, statement, std::move(key));
}

void Database::GiveBack(sqlite3_stmt* statement, std::string sql) {
  sqlite3_stmt*& slot = idle_[std::move(sql)];
  if (slot == nullptr) {
    slot = statement;
  } else {
    sqlite3_finalize(statement);
  }
}

absl::Status Database::RunScript(const char* sql) {
  int code = sqlite3_exec(handle_, sql, nullptr, nullptr, nullptr);
  return code == SQLITE_OK ? absl::OkStatus() : Error(code);
}

int Database::changed_rows() const { return sqlite3_changes(handle_); }

absl::Status Database::Error(int code) const {
  std::string text = absl::StrCat(
      path_, ": ",
      handle_ != nullptr ? sqlite3_errmsg(handle_) : sqlite3_errstr(code));
  switch (code & 0xff) {
    case SQLITE_FULL:
      return absl::ResourceExhaustedError(text);
    case SQLITE_PERM:
    case SQLITE_READONLY:
    case SQLITE_AUTH:
      return absl::PermissionDeniedError(text);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return absl::DataLossError(text);
    case SQLITE_CONSTRAINT:
      return absl::AlreadyExistsError(text);
    default:
      return absl::UnavailableError(text);
  }
}

// --- Transaction -----------------------------------------------------------

absl::StatusOr<Transaction> Transaction::Begin(Database& database,
                                               bool durable) {
  Transaction transaction(nullptr, durable);
  // SQLite ignores this pragma inside a transaction, and obeys it when it is
  // compiled: a cached statement would do nothing.
  if (durable) {
    RETURN_IF_ERROR(database.RunScript("PRAGMA synchronous=FULL"));
  }
  // Immediate: a reader that turns writer late could only fail.
  absl::Status begun = database.Run("BEGIN IMMEDIATE");
  transaction.database_ = &database;
  if (!begun.ok()) {
    transaction.End();
    return begun;
  }
  return transaction;
}

Transaction::~Transaction() {
  if (database_ != nullptr) {
    database_->Run("ROLLBACK").IgnoreError();
    End();
  }
}

absl::Status Transaction::Commit() {
  RETURN_IF_ERROR(database_->Run("COMMIT"));
  End();
  return absl::OkStatus();
}

void Transaction::End() {
  if (durable_) {
    database_->RunScript("PRAGMA synchronous=NORMAL").IgnoreError();
  }
  database_ = nullptr;
}

}  // namespace lamina::backend
