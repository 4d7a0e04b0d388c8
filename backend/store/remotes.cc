// What was fetched from elsewhere: downloads are blobs, git repositories have
// folders of their own, which the caller fills.
#include "backend/store/store_impl.h"
#include "base/status.h"

namespace lamina::backend {

std::string Store::GitFolder() const { return JoinPath(root_, "git"); }

absl::StatusOr<std::optional<RemoteRecord>> Store::FindRemote(
    const Digest& key) {
  std::lock_guard lock(impl_->mutex);
  // A store that is only read may be older than the table.
  ASSIGN_OR_RETURN(
      std::optional<int64_t> tables,
      impl_->database.AskInt("SELECT count(*) FROM sqlite_master WHERE name = "
                             "'remotes'"));
  if (tables.value_or(0) == 0) {
    return std::optional<RemoteRecord>();
  }
  ASSIGN_OR_RETURN(
      Query query,
      impl_->database.Ask("SELECT content, etag, last_modified, commit_id, "
                          "tag, ref FROM remotes WHERE key = ?",
                          key));
  ASSIGN_OR_RETURN(bool found, query.Next());
  if (!found) {
    return std::optional<RemoteRecord>();
  }
  RemoteRecord record;
  record.key = key;
  record.content = query.GetDigest(0);
  record.etag = query.Text(1);
  record.last_modified = query.Text(2);
  record.commit = query.Text(3);
  record.tag = query.Text(4);
  record.ref = query.Text(5);
  return std::optional<RemoteRecord>(std::move(record));
}

absl::Status Store::AddRemote(const RemoteRecord& record) {
  std::lock_guard lock(impl_->mutex);
  ASSIGN_OR_RETURN(Transaction transaction,
                   Transaction::Begin(impl_->database));
  if (!record.content.empty()) {
    RETURN_IF_ERROR(NoteUnsynced("blob", record.content));
  }
  RETURN_IF_ERROR(impl_->database.Run(
      "INSERT OR REPLACE INTO remotes(key, content, etag, last_modified, "
      "commit_id, tag, ref) VALUES(?, ?, ?, ?, ?, ?, ?)",
      record.key, record.content, record.etag, record.last_modified,
      record.commit, record.tag, record.ref));
  return transaction.Commit();
}

}  // namespace lamina::backend
