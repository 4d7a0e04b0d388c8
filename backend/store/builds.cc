// The history of builds, and which layers were chosen for which steps.
#include "backend/store/store_impl.h"
#include "base/status.h"

namespace lamina::backend {
namespace {

constexpr int kKeptBuilds = 100;  // Of one target.

BuildRecord ReadRow(const Query& query) {
  return {.id = query.Int(0),
          .target = query.Text(1),
          .started = query.Int(2),
          .document = query.Text(3)};
}

}  // namespace

absl::Status Store::AddBuild(const BuildRecord& record) {
  std::lock_guard lock(impl_->mutex);
  ASSIGN_OR_RETURN(Transaction transaction,
                   Transaction::Begin(impl_->database));
  RETURN_IF_ERROR(impl_->database.Run(
      "INSERT INTO builds(target, started, document) VALUES(?, ?, ?)",
      record.target, record.started, record.document));
  RETURN_IF_ERROR(impl_->database.Run(
      "DELETE FROM builds WHERE target = ? AND id NOT IN (SELECT id FROM "
      "builds WHERE target = ? ORDER BY id DESC LIMIT ?)",
      record.target, record.target, kKeptBuilds));
  return transaction.Commit();
}

absl::StatusOr<std::vector<BuildRecord>> Store::ListBuilds(
    const std::string& target, int limit) {
  std::vector<BuildRecord> builds;
  std::lock_guard lock(impl_->mutex);
  if (!impl_->has_builds) {
    return builds;
  }
  ASSIGN_OR_RETURN(Query query,
                   impl_->database.Ask(
                       "SELECT id, target, started, document FROM builds "
                       "WHERE target = ? ORDER BY id DESC LIMIT ?",
                       target, limit));
  while (true) {
    ASSIGN_OR_RETURN(bool found, query.Next());
    if (!found) {
      return builds;
    }
    builds.push_back(ReadRow(query));
  }
}

absl::StatusOr<std::optional<BuildRecord>> Store::FindBuild(int64_t id) {
  std::lock_guard lock(impl_->mutex);
  if (!impl_->has_builds) {
    return std::nullopt;
  }
  ASSIGN_OR_RETURN(
      Query query,
      impl_->database.Ask(
          "SELECT id, target, started, document FROM builds WHERE id = ?",
          id));
  ASSIGN_OR_RETURN(bool found, query.Next());
  if (!found) {
    return std::nullopt;
  }
  return ReadRow(query);
}

absl::StatusOr<std::optional<std::string>> Store::FindLayout(
    const Digest& key) {
  std::lock_guard lock(impl_->mutex);
  if (!impl_->has_builds) {
    return std::nullopt;
  }
  ASSIGN_OR_RETURN(
      Query query,
      impl_->database.Ask("SELECT text FROM layouts WHERE key = ?", key));
  ASSIGN_OR_RETURN(bool found, query.Next());
  if (!found) {
    return std::nullopt;
  }
  return query.Text(0);
}

absl::Status Store::AddLayout(const Digest& key, absl::string_view text) {
  std::lock_guard lock(impl_->mutex);
  return impl_->database.Run(
      "INSERT OR REPLACE INTO layouts(key, text) VALUES(?, ?)", key, text);
}

}  // namespace lamina::backend
