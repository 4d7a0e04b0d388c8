// Digests of files that were read before, so that an unchanged build context
// is not hashed again.
//
// A stamp proves nothing if the file may have changed after it was read and
// still have the same times. A file system takes times from a clock that ticks
// every 1 to 10 ms (ext4: the kernel's coarse clock), so a file that changed
// within a tick before it was read may change once more in that tick. The
// change time decides, as no program can set it: it must be older than the
// moment from which on files were read by more than a tick, or the stamp is
// not stored. The default for that moment is when this store was opened, which
// is never too late. So a build right after a checkout profits on its second
// run from all files but those of the last milliseconds before the first.
#include <algorithm>
#include <tuple>

#include "backend/store/store_impl.h"
#include "base/status.h"

namespace lamina::backend {
namespace {

constexpr int64_t kSecond = 1'000'000'000;
// Twice the slowest tick.
constexpr int64_t kFineTick = 20'000'000;
// Whole seconds come from a file system that knows no more; FAT knows less.
constexpr int64_t kCoarseTick = 2 * kSecond;

bool IsSettled(const FileStamp& stamp, int64_t read_since) {
  int64_t tick = stamp.ctime_ns % kSecond == 0 ? kCoarseTick : kFineTick;
  return stamp.ctime_ns < read_since - tick;
}

constexpr absl::string_view kFind =
    "SELECT size, mtime, ctime, digest FROM file_digests "
    "WHERE device = ? AND inode = ?";

absl::StatusOr<std::optional<Digest>> ReadDigest(Query& query,
                                                 const FileStamp& stamp) {
  ASSIGN_OR_RETURN(bool found, query.Next());
  if (!found || query.Int(0) != static_cast<int64_t>(stamp.size) ||
      query.Int(1) != stamp.mtime_ns || query.Int(2) != stamp.ctime_ns) {
    return std::nullopt;
  }
  return query.GetDigest(3);
}

}  // namespace

absl::StatusOr<std::optional<Digest>> Store::FindFileDigest(
    const FileStamp& stamp) {
  std::lock_guard lock(impl_->mutex);
  ASSIGN_OR_RETURN(Query query,
                   impl_->database.Ask(kFind, stamp.device, stamp.inode));
  return ReadDigest(query, stamp);
}

absl::StatusOr<std::vector<std::optional<Digest>>> Store::FindFileDigests(
    const std::vector<FileStamp>& stamps) {
  std::vector<std::optional<Digest>> digests(stamps.size());
  // In the order of the table, neighbours are on the same page.
  std::vector<uint32_t> order(stamps.size());
  for (uint32_t i = 0; i < order.size(); ++i) {
    order[i] = i;
  }
  std::sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) {
    return std::tie(stamps[a].device, stamps[a].inode) <
           std::tie(stamps[b].device, stamps[b].inode);
  });
  std::lock_guard lock(impl_->mutex);
  // One read transaction: else each question takes the database's lock.
  RETURN_IF_ERROR(impl_->database.Run("BEGIN"));
  absl::Status status;
  {
    absl::StatusOr<Query> query = impl_->database.Ask(kFind, 0, 0);
    status = query.status();
    for (size_t i = 0; status.ok() && i < order.size(); ++i) {
      const FileStamp& stamp = stamps[order[i]];
      query->Rebind(stamp.device, stamp.inode);
      absl::StatusOr<std::optional<Digest>> digest = ReadDigest(*query, stamp);
      status = digest.status();
      digests[order[i]] = status.ok() ? *digest : std::nullopt;
    }
  }
  status.Update(impl_->database.Run("COMMIT"));
  RETURN_IF_ERROR(status);
  return digests;
}

absl::Status Store::AddFileDigests(
    const std::vector<std::pair<FileStamp, Digest>>& digests,
    std::optional<int64_t> read_since) {
  if (digests.empty()) {
    return absl::OkStatus();
  }
  std::vector<const std::pair<FileStamp, Digest>*> settled;
  for (const std::pair<FileStamp, Digest>& known : digests) {
    if (IsSettled(known.first, read_since.value_or(impl_->opened_ns))) {
      settled.push_back(&known);
    }
  }
  std::sort(settled.begin(), settled.end(), [](const auto* a, const auto* b) {
    return std::tie(a->first.device, a->first.inode) <
           std::tie(b->first.device, b->first.inode);
  });
  std::lock_guard lock(impl_->mutex);
  ASSIGN_OR_RETURN(Transaction transaction,
                   Transaction::Begin(impl_->database));
  {
    ASSIGN_OR_RETURN(
        Query query,
        impl_->database.Ask("INSERT OR REPLACE INTO file_digests VALUES(?, ?, "
                            "?, ?, ?, ?)"));
    for (const std::pair<FileStamp, Digest>* known : settled) {
      const FileStamp& stamp = known->first;
      query.Rebind(stamp.device, stamp.inode, stamp.size, stamp.mtime_ns,
                   stamp.ctime_ns, known->second);
      RETURN_IF_ERROR(query.Run());
    }
  }
  return transaction.Commit();
}

}  // namespace lamina::backend
