// Who the command runs as: our own reading of the root's /etc/passwd and
// /etc/group (sandbox.md 4.1). NSS is never asked: it would load the image's
// libraries into this process.
//
// Nothing here allocates, since it runs between clone and exec.
#pragma once

#include <sys/types.h>

#include <cstddef>

#include "absl/strings/string_view.h"
#include "runtime/channel.h"

namespace lamina::runtime {

inline constexpr size_t kMaxGroups = 4096;
inline constexpr size_t kMaxAccountFile = 10 << 20;  // Bytes.

struct Account {
  uid_t uid = 0;
  gid_t gid = 0;
  size_t group_count = 0;
  gid_t groups[kMaxGroups];  // The primary group is the first.
  absl::string_view home;    // A piece of the passwd text, or "/".
};

enum class AccountError {
  kNone,
  kNoUser,
  kNoGroup,
  kOutOfRange,
  kTooManyGroups,
};

// Looks up `user` ("", "name", "uid", each also with ":group") in the texts of
// the two files. `home` points into `passwd`.
AccountError FindAccount(absl::string_view passwd, absl::string_view group,
                         absl::string_view user, Account& account);

// The same for the files under the directory `root`. Missing files are empty.
void ResolveAccount(const Channel& channel, int root, absl::string_view user,
                    Account& account);

}  // namespace lamina::runtime
