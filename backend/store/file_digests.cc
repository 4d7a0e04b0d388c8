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
#include <utility>

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

// The order of the table, which compares signed.
using Key = std::pair<int64_t, int64_t>;
Key KeyOf(const FileStamp& stamp) {
  return {static_cast<int64_t>(stamp.device),
          static_cast<int64_t>(stamp.inode)};
}

constexpr absl::string_view kWalk =
    "SELECT device, inode, size, mtime, ctime, digest FROM file_digests "
    "WHERE (device, inode) >= (?, ?) ORDER BY device, inode";

// Walks through the table beside a sorted list of stamps: for the files of one
// folder tree, whose inodes are neighbours, a step costs less than a look-up.
class StampWalk {
 public:
  explicit StampWalk(Query query) : query_(std::move(query)) {}

  // The digest of `stamp`, which is not before the stamp of the last call.
  absl::StatusOr<std::optional<Digest>> Find(const FileStamp& stamp) {
    Key key = KeyOf(stamp);
    for (int step = std::exchange(first_step_, 0);
         row_.has_value() && *row_ < key; ++step) {
      RETURN_IF_ERROR(step < kManySteps ? Step() : Jump(key));
    }
    if (row_ != key || query_.Int(2) != static_cast<int64_t>(stamp.size) ||
        query_.Int(3) != stamp.mtime_ns || query_.Int(4) != stamp.ctime_ns) {
      return std::nullopt;
    }
    return query_.GetDigest(5);
  }

 private:
  static constexpr int kManySteps = 8;

  absl::Status Jump(Key key) {
    query_.Rebind(key.first, key.second);
    return Step();
  }
  absl::Status Step() {
    ASSIGN_OR_RETURN(bool found, query_.Next());
    row_ = std::nullopt;
    if (found) {
      row_ = {query_.Int(0), query_.Int(1)};
    }
    return absl::OkStatus();
  }

  Query query_;
  int first_step_ = kManySteps;  // The first move is a jump.
  // Of the current row; before the first row less than any, none at the end.
  std::optional<Key> row_ = Key{INT64_MIN, INT64_MIN};
};

}  // namespace

absl::StatusOr<std::optional<Digest>> Store::FindFileDigest(
    const FileStamp& stamp) {
  ASSIGN_OR_RETURN(std::vector<std::optional<Digest>> found,
                   FindFileDigests({stamp}));
  return found[0];
}

absl::StatusOr<std::vector<std::optional<Digest>>> Store::FindFileDigests(
    const std::vector<FileStamp>& stamps) {
  std::vector<std::optional<Digest>> digests(stamps.size());
  std::vector<uint32_t> order(stamps.size());
  for (uint32_t i = 0; i < order.size(); ++i) {
    order[i] = i;
  }
  std::sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) {
    return KeyOf(stamps[a]) < KeyOf(stamps[b]);
  });
  std::lock_guard lock(impl_->mutex);
  ASSIGN_OR_RETURN(Query query, impl_->database.Ask(kWalk));
  StampWalk walk(std::move(query));
  for (uint32_t i : order) {
    ASSIGN_OR_RETURN(digests[i], walk.Find(stamps[i]));
  }
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
    return KeyOf(a->first) < KeyOf(b->first);
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
