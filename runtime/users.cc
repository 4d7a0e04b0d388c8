#include "runtime/users.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <optional>

#include "runtime/kernel.h"

namespace lamina::runtime {
namespace {

// Cuts the text up to `separator` off the front of `rest`.
absl::string_view TakeUpTo(absl::string_view& rest, char separator) {
  size_t end = rest.find(separator);
  absl::string_view field = rest.substr(0, end);
  rest.remove_prefix(end == absl::string_view::npos ? rest.size() : end + 1);
  return field;
}

bool IsNumber(absl::string_view text) {
  for (char c : text) {
    if (c < '0' || c > '9') {
      return false;
    }
  }
  return !text.empty();
}

// 0 .. 2^31-1, the range that docker accepts.
std::optional<uint32_t> ParseId(absl::string_view text) {
  if (!IsNumber(text)) {
    return std::nullopt;
  }
  uint64_t value = 0;
  for (char c : text) {
    value = value * 10 + static_cast<uint64_t>(c - '0');
    if (value > 0x7fffffff) {
      return std::nullopt;
    }
  }
  return static_cast<uint32_t>(value);
}

struct UserEntry {
  absl::string_view name;
  uint32_t uid = 0;
  uint32_t gid = 0;
  absl::string_view home;
};

struct GroupEntry {
  absl::string_view name;
  uint32_t gid = 0;
  absl::string_view members;
};

// The next well-formed line; broken lines are skipped.
std::optional<UserEntry> NextUser(absl::string_view& passwd) {
  while (!passwd.empty()) {
    absl::string_view line = TakeUpTo(passwd, '\n');
    UserEntry entry;
    entry.name = TakeUpTo(line, ':');
    TakeUpTo(line, ':');
    std::optional<uint32_t> uid = ParseId(TakeUpTo(line, ':'));
    std::optional<uint32_t> gid = ParseId(TakeUpTo(line, ':'));
    TakeUpTo(line, ':');
    entry.home = TakeUpTo(line, ':');
    if (!entry.name.empty() && entry.name[0] != '#' && uid && gid) {
      entry.uid = *uid;
      entry.gid = *gid;
      return entry;
    }
  }
  return std::nullopt;
}

std::optional<GroupEntry> NextGroup(absl::string_view& group) {
  while (!group.empty()) {
    absl::string_view line = TakeUpTo(group, '\n');
    GroupEntry entry;
    entry.name = TakeUpTo(line, ':');
    TakeUpTo(line, ':');
    std::optional<uint32_t> gid = ParseId(TakeUpTo(line, ':'));
    entry.members = line;
    if (!entry.name.empty() && entry.name[0] != '#' && gid) {
      entry.gid = *gid;
      return entry;
    }
  }
  return std::nullopt;
}

bool IsMember(absl::string_view members, absl::string_view name) {
  while (!members.empty()) {
    if (TakeUpTo(members, ',') == name) {
      return true;
    }
  }
  return false;
}

std::optional<UserEntry> FindByName(absl::string_view passwd,
                                    absl::string_view name) {
  while (std::optional<UserEntry> entry = NextUser(passwd)) {
    if (entry->name == name) {
      return entry;
    }
  }
  return std::nullopt;
}

std::optional<UserEntry> FindByUid(absl::string_view passwd, uint32_t uid) {
  while (std::optional<UserEntry> entry = NextUser(passwd)) {
    if (entry->uid == uid) {
      return entry;
    }
  }
  return std::nullopt;
}

bool AddGroup(Account& account, gid_t gid) {
  for (size_t index = 0; index < account.group_count; ++index) {
    if (account.groups[index] == gid) {
      return true;
    }
  }
  if (account.group_count == kMaxGroups) {
    return false;
  }
  account.groups[account.group_count++] = gid;
  return true;
}

AccountError FindGroup(absl::string_view group, absl::string_view wanted,
                       gid_t& gid) {
  while (std::optional<GroupEntry> entry = NextGroup(group)) {
    if (entry->name == wanted) {
      gid = entry->gid;
      return AccountError::kNone;
    }
  }
  if (IsNumber(wanted)) {
    std::optional<uint32_t> number = ParseId(wanted);
    gid = number.value_or(0);
    return number ? AccountError::kNone : AccountError::kOutOfRange;
  }
  // An image without the file still has a root.
  gid = 0;
  return wanted == "root" ? AccountError::kNone : AccountError::kNoGroup;
}

// A regular file of the root; a FIFO or device would block or never end.
absl::string_view ReadAccountFile(const Channel& channel, int root,
                                  const char* path) {
  int fd = OpenAt2(root, path, O_RDONLY | O_NONBLOCK, RESOLVE_IN_ROOT);
  if (fd < 0) {
    return "";
  }
  struct stat info;
  if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode) || info.st_size == 0) {
    close(fd);
    return "";
  }
  size_t size = static_cast<size_t>(info.st_size);
  if (size > kMaxAccountFile) {
    channel.Refuse("cannot read", path, "the file is larger than 10 MiB");
  }
  // Memory straight from the kernel: the heap's lock may be held by a thread
  // that does not exist in this process.
  void* memory = mmap(nullptr, size, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    channel.Fail(errno, "read", path);
  }
  size_t done = 0;
  while (done < size) {
    ssize_t got = read(fd, static_cast<char*>(memory) + done, size - done);
    if (got < 0) {
      channel.Fail(errno, "read", path);
    }
    if (got == 0) {
      break;
    }
    done += static_cast<size_t>(got);
  }
  close(fd);
  return absl::string_view(static_cast<char*>(memory), done);
}

}  // namespace

AccountError FindAccount(absl::string_view passwd, absl::string_view group,
                         absl::string_view user, Account& account) {
  size_t colon = user.find(':');
  bool has_group = colon != absl::string_view::npos;
  absl::string_view name = user.substr(0, colon);
  absl::string_view group_name = has_group ? user.substr(colon + 1) : "";
  if (name.empty()) {
    name = "0";
  }

  std::optional<UserEntry> entry = FindByName(passwd, name);
  account.uid = entry ? entry->uid : 0;
  if (!entry && IsNumber(name)) {
    std::optional<uint32_t> number = ParseId(name);
    if (!number) {
      return AccountError::kOutOfRange;
    }
    account.uid = *number;
    entry = FindByUid(passwd, *number);
  } else if (!entry && name != "root") {
    return AccountError::kNoUser;
  }

  account.gid = entry ? entry->gid : 0;
  account.home = entry && !entry->home.empty() ? entry->home : "/";
  account.group_count = 0;
  if (has_group && !group_name.empty()) {
    AccountError error = FindGroup(group, group_name, account.gid);
    AddGroup(account, account.gid);
    return error;
  }
  AddGroup(account, account.gid);
  while (entry && !group.empty()) {
    std::optional<GroupEntry> next = NextGroup(group);
    if (next && IsMember(next->members, entry->name) &&
        !AddGroup(account, next->gid)) {
      return AccountError::kTooManyGroups;
    }
  }
  return AccountError::kNone;
}

void ResolveAccount(const Channel& channel, int root, absl::string_view user,
                    Account& account) {
  absl::string_view passwd = ReadAccountFile(channel, root, "etc/passwd");
  absl::string_view group = ReadAccountFile(channel, root, "etc/group");
  absl::string_view group_name = user;
  absl::string_view name = TakeUpTo(group_name, ':');
  switch (FindAccount(passwd, group, user, account)) {
    case AccountError::kNone:
      return;
    case AccountError::kNoUser:
      channel.Refuse("unable to find user", name,
                     "no matching entries in passwd file");
    case AccountError::kNoGroup:
      channel.Refuse("unable to find group", group_name,
                     "no matching entries in group file");
    case AccountError::kOutOfRange:
      channel.Refuse("invalid user", user, "ids go from 0 to 2147483647");
    case AccountError::kTooManyGroups:
      channel.Refuse("invalid user", user, "member of more than 4096 groups");
  }
}

}  // namespace lamina::runtime
