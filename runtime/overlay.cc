#include "runtime/overlay.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "base/files.h"
#include "runtime/kernel.h"

namespace lamina::runtime {
namespace {

constexpr size_t kMaxLowers = 500;    // OVL_MAX_STACK
constexpr size_t kMaxData = 4095;     // One page with its final zero.
constexpr size_t kMaxFsconfig = 255;  // Longest value of fsconfig(2).

struct Option {
  const char* name;
  const char* value;
};

// Without an index, renames and split metadata, an upper folder holds exactly
// what the command wrote. xino gives everything in the root one device number
// although our own layer is on another file system: `cp -x` and
// `tar --one-file-system` would stop at it otherwise. It changes the inode
// numbers of that other file system only.
constexpr Option kOptions[] = {{"index", "off"},
                               {"metacopy", "off"},
                               {"redirect_dir", "nofollow"},
                               {"xino", "on"}};

std::string EscapeFolder(const std::string& name) {
  std::string out;
  for (char c : name) {
    if (c == ':' || c == ',' || c == '\\') {
      out.push_back('\\');
    }
    out.push_back(c);
  }
  return out;
}

std::string MountData(const OverlayMount& overlay, bool user_xattr) {
  std::string data;
  for (const Option& option : kOptions) {
    absl::StrAppend(&data, option.name, "=", option.value, ",");
  }
  if (user_xattr) {
    absl::StrAppend(&data, "userxattr,");
  }
  if (!overlay.upper.empty()) {
    // Without privileges the mark of a volatile mount cannot be removed.
    absl::StrAppend(&data, user_xattr ? "" : "volatile,",
                    "upperdir=", EscapeFolder(overlay.upper),
                    ",workdir=", EscapeFolder(overlay.work), ",");
  }
  absl::StrAppend(&data, "lowerdir=");
  for (const std::string& lower : overlay.lowers) {
    absl::StrAppend(&data, EscapeFolder(lower), ":");
  }
  data.pop_back();
  return data;
}

bool IsShort(const OverlayFolders& folders) {
  for (const std::string& lower : folders.lowers) {
    if (lower.size() > kMaxFsconfig) {
      return false;
    }
  }
  return folders.upper.size() <= kMaxFsconfig &&
         folders.work.size() <= kMaxFsconfig &&
         folders.bottom.size() <= kMaxFsconfig &&
         folders.top.size() <= kMaxFsconfig;
}

// How many of the lowers, from the top, fit into one mount.
size_t CountFitting(const OverlayMount& fixed,
                    const std::vector<std::string>& lowers, size_t first,
                    bool user_xattr) {
  size_t room = kMaxLowers - fixed.lowers.size();
  size_t count = 0;
  size_t length = MountData(fixed, user_xattr).size();
  while (first + count < lowers.size() && count < room) {
    length += EscapeFolder(lowers[first + count]).size() + 1;
    if (!fixed.append && length > kMaxData) {
      break;
    }
    ++count;
  }
  return count;
}

bool SetOption(int context, const char* name, const char* value) {
  return fsconfig(context, FSCONFIG_SET_STRING, name, value, 0) == 0;
}

int CreateByParts(const Channel& channel, const OverlayMount& overlay) {
  int context = fsopen("overlay", FSOPEN_CLOEXEC);
  if (context < 0) {
    channel.Fail(errno, "mount the root overlay");
  }
  for (const Option& option : kOptions) {
    if (!SetOption(context, option.name, option.value)) {
      channel.Fail(errno, "set the overlay option", option.name);
    }
  }
  for (const std::string& lower : overlay.lowers) {
    if (!SetOption(context, "lowerdir+", lower.c_str())) {
      channel.Fail(errno, "add to the root overlay the folder", lower);
    }
  }
  if (!overlay.upper.empty()) {
    // Skips syncing the whole file system of the store at every unmount.
    fsconfig(context, FSCONFIG_SET_FLAG, "volatile", nullptr, 0);
    if (!SetOption(context, "upperdir", overlay.upper.c_str()) ||
        !SetOption(context, "workdir", overlay.work.c_str())) {
      channel.Fail(errno, "add to the root overlay the folder", overlay.upper);
    }
  }
  int mount_fd = -1;
  if (fsconfig(context, FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0 ||
      (mount_fd = fsmount(context, FSMOUNT_CLOEXEC, 0)) < 0) {
    channel.Fail(errno, "mount the root overlay with the upper folder",
                 overlay.upper);
  }
  close(context);
  return mount_fd;
}

}  // namespace

OverlayFeatures ProbeOverlay(bool in_user_namespace) {
  OverlayFeatures features;
  features.user_xattr = in_user_namespace;
  if (in_user_namespace) {
    return features;
  }
  UniqueFd context(fsopen("overlay", FSOPEN_CLOEXEC));
  features.append =
      context.valid() && SetOption(context.get(), "lowerdir+", "/");
  return features;
}

absl::StatusOr<OverlayPlan> PlanOverlay(const OverlayFolders& folders,
                                        const OverlayFeatures& features) {
  OverlayPlan plan;
  plan.base = folders.base;
  plan.bottom = folders.bottom;
  plan.mount_point = folders.work;
  plan.incompat = JoinPath(folders.work, "work/incompat");

  OverlayMount fixed;
  fixed.append = features.append && IsShort(folders);
  fixed.upper = folders.upper;
  fixed.work = folders.work;
  fixed.lowers = {folders.top, folders.bottom};
  size_t count = CountFitting(fixed, folders.lowers, 0, features.user_xattr);
  auto split = folders.lowers.begin() + static_cast<ptrdiff_t>(count);

  plan.root = fixed;
  plan.root.lowers.assign(folders.lowers.begin(), split);
  plan.root.lowers.push_back(folders.bottom);
  plan.root_with_top = plan.root;
  plan.root_with_top.lowers.insert(plan.root_with_top.lowers.begin(),
                                   folders.top);
  if (split != folders.lowers.end()) {
    plan.nested.append = fixed.append;
    plan.nested.lowers = {folders.bottom};
    size_t more =
        CountFitting(plan.nested, folders.lowers, count, features.user_xattr);
    if (count + more < folders.lowers.size()) {
      return absl::InvalidArgumentError(absl::StrCat(
          "the root has ", folders.lowers.size(),
          " layers; this kernel can mount ", count + more, " of them"));
    }
    plan.nested.lowers.insert(plan.nested.lowers.begin(), split,
                              folders.lowers.end());
  }
  if (!fixed.append) {
    for (OverlayMount* mount :
         {&plan.nested, &plan.root, &plan.root_with_top}) {
      mount->data = MountData(*mount, features.user_xattr);
    }
  }
  return plan;
}

absl::StatusOr<OverlayMount> PlanScratchOverlay(
    std::vector<std::string> lowers, const std::string& upper,
    const std::string& work, const OverlayFeatures& features) {
  OverlayMount overlay;
  overlay.upper = upper;
  overlay.work = work;
  overlay.append = features.append && lowers.size() > 1;
  size_t count = CountFitting(overlay, lowers, 0, features.user_xattr);
  if (count < lowers.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("a mount has ", lowers.size(),
                     " layers; this kernel can mount ", count, " of them"));
  }
  overlay.lowers = std::move(lowers);
  if (!overlay.append) {
    overlay.data = MountData(overlay, features.user_xattr);
  }
  return overlay;
}

int MountOverlay(const Channel& channel, const OverlayMount& overlay,
                 const char* target) {
  if (overlay.append) {
    int mount_fd = CreateByParts(channel, overlay);
    if (move_mount(mount_fd, "", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH) !=
        0) {
      channel.Fail(errno, "attach the overlay to", target);
    }
    return mount_fd;
  }
  if (mount("overlay", target, "overlay", 0, overlay.data.c_str()) != 0) {
    channel.Fail(errno, "mount an overlay on", target);
  }
  int root = open(target, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (root < 0) {
    channel.Fail(errno, "open the overlay on", target);
  }
  return root;
}

void ForgetVolatile(const OverlayPlan& plan) {
  int folder = open(plan.incompat.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (folder >= 0) {
    unlinkat(folder, "volatile/dirty", 0);
    unlinkat(folder, "volatile", AT_REMOVEDIR);
    close(folder);
    rmdir(plan.incompat.c_str());
  }
}

int MountRoot(const Channel& channel, const OverlayPlan& plan) {
  if (!plan.base.empty() && chdir(plan.base.c_str()) != 0) {
    channel.Fail(errno, "enter the folder", plan.base);
  }
  if (!plan.nested.lowers.empty()) {
    close(MountOverlay(channel, plan.nested, plan.bottom.c_str()));
  }
  return MountOverlay(channel, plan.root, plan.mount_point.c_str());
}

int RemountWithTop(const Channel& channel, const OverlayPlan& plan, int root) {
  close(root);
  if (umount2(plan.mount_point.c_str(), MNT_DETACH) != 0) {
    channel.Fail(errno, "unmount the root overlay");
  }
  ForgetVolatile(plan);
  return MountOverlay(channel, plan.root_with_top, plan.mount_point.c_str());
}

}  // namespace lamina::runtime
