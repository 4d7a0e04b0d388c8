#include "runtime/prepare.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "base/status.h"
#include "runtime/kernel.h"
#include "runtime/network.h"

namespace lamina::runtime {
namespace {

constexpr absl::string_view kDefaultPath =
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
constexpr size_t kMaxHostname = 64;

absl::Status CheckSpec(const SandboxSpec& spec) {
  if (spec.args.empty()) {
    return absl::InvalidArgumentError("no command to run");
  }
  if (spec.upper.empty() || spec.work.empty() || spec.upper[0] != '/' ||
      spec.work[0] != '/') {
    return absl::InvalidArgumentError(
        "the upper and work folders need absolute names");
  }
  if (spec.hostname.size() > kMaxHostname) {
    return absl::InvalidArgumentError(
        absl::StrCat("the host name is longer than ", kMaxHostname, " bytes"));
  }
  for (const std::string& argument : spec.args) {
    if (argument.find('\0') != std::string::npos) {
      return absl::InvalidArgumentError("an argument has a zero byte");
    }
  }
  for (const auto& [name, text] : spec.scripts) {
    if (name.empty() || name == "." || name == ".." ||
        name.find('/') != std::string::npos) {
      return absl::InvalidArgumentError(
          absl::StrCat("`", name, "` is no name for a script"));
    }
  }
  return absl::OkStatus();
}

absl::string_view NameOf(const std::string& variable) {
  return absl::string_view(variable).substr(0, variable.find('='));
}

// The last of equal names wins, in the place of the first.
absl::Status PrepareEnv(const SandboxSpec& spec, PreparedRun& run) {
  for (const std::string& variable : spec.env) {
    if (variable.find('\0') != std::string::npos ||
        variable.find('=') == std::string::npos || variable[0] == '=') {
      return absl::InvalidArgumentError(
          absl::StrCat("`", variable, "` is not NAME=value"));
    }
    auto same = std::find_if(run.env.begin(), run.env.end(),
                             [&](const std::string& other) {
                               return NameOf(other) == NameOf(variable);
                             });
    if (same == run.env.end()) {
      run.env.push_back(variable);
    } else {
      *same = variable;
    }
  }
  auto has = [&](absl::string_view name) {
    return std::any_of(
        run.env.begin(), run.env.end(),
        [&](const std::string& other) { return NameOf(other) == name; });
  };
  if (!has("PATH")) {
    run.env.emplace_back(kDefaultPath);
  }
  if (spec.tty && !has("TERM")) {
    run.env.emplace_back("TERM=xterm");
  }
  run.env.erase(std::remove(run.env.begin(), run.env.end(), "HOME="),
                run.env.end());
  InitPlan& plan = run.plan;
  plan.needs_home = !has("HOME");
  for (const std::string& variable : run.env) {
    plan.env.push_back(variable.c_str());
    if (NameOf(variable) == "PATH") {
      plan.search_path = variable.substr(strlen("PATH="));
    }
  }
  if (plan.needs_home) {
    plan.env.push_back("HOME=/");
  }
  plan.env.push_back(nullptr);
  return absl::OkStatus();
}

// A descriptor above those that the command is going to use.
absl::Status Keep(int fd, UniqueFd& slot, PreparedRun& run) {
  slot = UniqueFd(fcntl(fd, F_DUPFD_CLOEXEC, 3));
  if (!slot.valid()) {
    return ErrnoError("duplicate a stream of the command");
  }
  run.plan.kept_fds.push_back(slot.get());
  return absl::OkStatus();
}

absl::Status MakeOutputPipe(UniqueFd& ours, UniqueFd& child, PreparedRun& run) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) {
    return ErrnoError("create a pipe");
  }
  ours = UniqueFd(ends[0]);
  UniqueFd theirs(ends[1]);
  fcntl(ours.get(), F_SETFL, O_NONBLOCK);
  return Keep(theirs.get(), child, run);
}

absl::Status PrepareStreams(const SandboxSpec& spec, PreparedRun& run) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
    return ErrnoError("create a socket pair");
  }
  run.our_report = UniqueFd(ends[0]);
  UniqueFd theirs(ends[1]);
  RETURN_IF_ERROR(Keep(theirs.get(), run.child_report, run));
  run.plan.report_fd = run.child_report.get();
  run.plan.tty = spec.tty;
  if (spec.tty) {
    return absl::OkStatus();
  }
  if (spec.stdin_fd >= 0) {
    RETURN_IF_ERROR(Keep(spec.stdin_fd, run.child_in, run));
  }
  RETURN_IF_ERROR(spec.stdout_fd >= 0
                      ? Keep(spec.stdout_fd, run.child_out, run)
                      : MakeOutputPipe(run.our_out, run.child_out, run));
  RETURN_IF_ERROR(spec.stderr_fd >= 0
                      ? Keep(spec.stderr_fd, run.child_err, run)
                      : MakeOutputPipe(run.our_err, run.child_err, run));
  run.plan.stdin_fd = run.child_in.get();
  run.plan.stdout_fd = run.child_out.get();
  run.plan.stderr_fd = run.child_err.get();
  run.plan.owns_output = spec.stdout_fd < 0 && spec.stderr_fd < 0;
  return absl::OkStatus();
}

uint64_t Attributes(const SandboxMount& mount) {
  return (mount.read_only ? MOUNT_ATTR_RDONLY : 0) |
         (mount.nosuid ? MOUNT_ATTR_NOSUID : 0) |
         (mount.nodev ? MOUNT_ATTR_NODEV : 0) |
         (mount.noexec ? MOUNT_ATTR_NOEXEC : 0);
}

// Copies the source mount now, so that whatever happens to the path later
// does not matter.
absl::Status OpenSource(const HostFeatures& host, ExtraMount& mount,
                        PreparedRun& run) {
  if (host.user_namespace) {
    return absl::OkStatus();
  }
  UniqueFd tree(open_tree(AT_FDCWD, mount.source.c_str(),
                          OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE));
  if (!tree.valid()) {
    return ErrnoError(absl::StrCat("open the mount source ", mount.source));
  }
  return Keep(tree.get(), mount.tree, run);
}

// Writes go to a copy on the store's disk that is removed afterwards.
absl::Status PrepareScratch(const HostFeatures& host, const std::string& work,
                            ExtraMount& mount, PreparedRun& run) {
  struct stat info;
  if (stat(mount.source.c_str(), &info) != 0) {
    return ErrnoError(absl::StrCat("open the mount source ", mount.source));
  }
  ASSIGN_OR_RETURN(std::string scratch, run.scratch.Get(work));
  std::string folder = absl::StrCat(scratch, "/", run.plan.mounts.extra.size());
  if (!mount.is_folder) {
    ASSIGN_OR_RETURN(std::string bytes, ReadFile(mount.source));
    RETURN_IF_ERROR(
        ReplaceFile(folder, bytes, info.st_mode & 07777, /*durable=*/false));
    mount.source = folder;
    return OpenSource(host, mount, run);
  }
  for (const char* part : {"/lower", "/upper", "/work", "/root"}) {
    RETURN_IF_ERROR(MakeDirs(absl::StrCat(folder, part)));
  }
  std::string upper = absl::StrCat(folder, "/upper");
  // The root of an overlay has the attributes of its upper folder.
  if (chown(upper.c_str(), info.st_uid, info.st_gid) != 0 ||
      chmod(upper.c_str(), info.st_mode & 07777) != 0) {
    return ErrnoError(absl::StrCat("make the folder ", upper));
  }
  mount.type = ExtraMount::Type::kScratch;
  mount.lower_point = absl::StrCat(folder, "/lower");
  mount.scratch_point = absl::StrCat(folder, "/root");
  ASSIGN_OR_RETURN(mount.scratch,
                   PlanScratchOverlay({mount.lower_point}, upper,
                                      absl::StrCat(folder, "/work"),
                                      host.overlay));
  return OpenSource(host, mount, run);
}

// A merged tree with a throw-away layer on top: an overlay needs two at least.
absl::Status PrepareMerged(const SandboxMount& mount, const HostFeatures& host,
                           const std::string& work, ExtraMount& extra,
                           PreparedRun& run) {
  ASSIGN_OR_RETURN(std::string scratch, run.scratch.Get(work));
  std::string folder = absl::StrCat(scratch, "/", run.plan.mounts.extra.size());
  for (const char* part : {"/upper", "/work", "/root"}) {
    RETURN_IF_ERROR(MakeDirs(absl::StrCat(folder, part)));
  }
  extra.type = ExtraMount::Type::kOverlay;
  extra.source = mount.source;
  extra.is_folder = mount.is_folder;
  extra.scratch_point = absl::StrCat(folder, "/root");
  ASSIGN_OR_RETURN(
      extra.scratch,
      PlanScratchOverlay(mount.lowers, absl::StrCat(folder, "/upper"),
                         absl::StrCat(folder, "/work"), host.overlay));
  return absl::OkStatus();
}

// A file of the tmpfs that only the sandbox has.
void AddContentFile(const SandboxMount& mount, ExtraMount& extra,
                    InitPlan& plan) {
  std::string name = absl::StrCat("file", plan.files.size());
  extra.is_folder = false;
  extra.source = JoinPath(kStubPoint, name);
  plan.files.push_back(
      {name, mount.content, mount.mode, mount.uid, mount.gid});
}

absl::StatusOr<ExtraMount> PrepareMount(const SandboxMount& mount,
                                        const std::string& work,
                                        const HostFeatures& host,
                                        PreparedRun& run) {
  ExtraMount extra;
  extra.target = CleanPath(absl::StrCat("/", mount.target));
  if (extra.target == "/") {
    return absl::InvalidArgumentError(
        absl::StrCat("invalid mount target \"", mount.target, "\""));
  }
  extra.attributes = Attributes(mount);
  if (mount.type == SandboxMount::Type::kTmpfs) {
    extra.type = ExtraMount::Type::kTmpfs;
    extra.size = mount.size > 0 ? absl::StrCat(mount.size) : "";
    extra.mode = absl::StrFormat("%o", mount.mode);
    return extra;
  }
  if (mount.type == SandboxMount::Type::kFile) {
    AddContentFile(mount, extra, run.plan);
    return extra;
  }
  if (mount.type == SandboxMount::Type::kOverlay) {
    RETURN_IF_ERROR(PrepareMerged(mount, host, work, extra, run));
    return extra;
  }
  extra.source = mount.source;
  struct stat info;
  if (stat(mount.source.c_str(), &info) != 0) {
    return ErrnoError(absl::StrCat("open the mount source ", mount.source));
  }
  extra.is_folder = S_ISDIR(info.st_mode);
  RETURN_IF_ERROR(mount.discard_writes ? PrepareScratch(host, work, extra, run)
                                       : OpenSource(host, extra, run));
  return extra;
}

// /etc/hosts or /etc/resolv.conf: a file of ours, read-only.
void AddGeneratedFile(const std::string& target, std::string text,
                      InitPlan& plan) {
  ExtraMount mount;
  mount.target = target;
  mount.is_folder = false;
  mount.required = false;
  mount.attributes = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID;
  std::string name(BaseName(target));
  mount.source = JoinPath(kStubPoint, name);
  plan.files.push_back({name, std::move(text)});
  plan.mounts.extra.push_back(std::move(mount));
}

absl::Status PrepareMounts(const SandboxSpec& spec, const HostFeatures& host,
                           PreparedRun& run) {
  MountPlan& mounts = run.plan.mounts;
  mounts.user_namespace = host.user_namespace;
  mounts.insecure = spec.insecure;
  mounts.own_network = spec.network == Network::kNone;
  mounts.cgroup = host.cgroup2 && !host.user_namespace;
  mounts.shm_size = absl::StrCat(spec.shm_size);
  mounts.scripts = spec.scripts;
  if (!spec.insecure) {
    mounts.masked = host.masked;
    mounts.read_only = host.read_only;
  }
  if (spec.network != Network::kNone) {
    AddGeneratedFile("/etc/hosts", HostsText(spec), run.plan);
    AddGeneratedFile("/etc/resolv.conf", ResolvConfText(spec), run.plan);
  }
  for (const SandboxMount& mount : spec.mounts) {
    ASSIGN_OR_RETURN(ExtraMount extra,
                     PrepareMount(mount, spec.work, host, run));
    mounts.extra.push_back(std::move(extra));
  }
  // A mount on a parent folder would hide one that came before it.
  auto depth = [](const ExtraMount& mount) {
    return std::count(mount.target.begin(), mount.target.end(), '/');
  };
  std::stable_sort(mounts.extra.begin(), mounts.extra.end(),
                   [&](const ExtraMount& a, const ExtraMount& b) {
                     return depth(a) < depth(b);
                   });
  return absl::OkStatus();
}

absl::Status PrepareRoot(const SandboxSpec& spec, const HostFeatures& host,
                         PreparedRun& run) {
  InitPlan& plan = run.plan;
  for (const char* folder : {"/proc", "/sys", "/dev"}) {
    plan.targets.push_back({folder, true, true});
  }
  for (const ExtraMount& mount : plan.mounts.extra) {
    plan.targets.push_back({mount.target, mount.is_folder, mount.required});
  }
  OverlayFolders folders = {spec.lower_base, spec.lowers, kTopStubs,
                            kBottomStubs,    spec.upper,  spec.work};
  ASSIGN_OR_RETURN(plan.overlay, PlanOverlay(folders, host.overlay));
  return absl::OkStatus();
}

absl::Status PreparePrivileges(const SandboxSpec& spec,
                               SeccompPrograms& programs, InitPlan& plan) {
  static const CapabilitySet held = HeldCapabilities();
  plan.insecure = spec.insecure;
  plan.no_new_privileges = spec.no_new_privileges;
  ASSIGN_OR_RETURN(plan.capabilities,
                   ChooseCapabilities(spec.cap_add, spec.cap_drop));
  if (spec.insecure) {
    plan.capabilities = ~CapabilitySet{0};
  }
  // In a new user namespace everything is held.
  if (!plan.user_namespace) {
    plan.capabilities &= held;
    for (const std::string& name : spec.cap_add) {
      ASSIGN_OR_RETURN(CapabilitySet wanted,
                       ChooseCapabilities({name}, {"ALL"}));
      if ((wanted & held) == 0) {
        return absl::PermissionDeniedError(
            absl::StrCat("cannot add the capability `", name,
                         "`: this process does not have it"));
      }
    }
  }
  if (!spec.insecure) {
    ASSIGN_OR_RETURN(plan.seccomp, programs.Get(plan.capabilities));
  }
  return absl::OkStatus();
}

}  // namespace

ScratchFolder::~ScratchFolder() {
  if (!path_.empty()) {
    RemoveTree(path_).IgnoreError();
  }
}

absl::StatusOr<std::string> ScratchFolder::Get(const std::string& work) {
  if (path_.empty()) {
    std::string path = absl::StrCat(work, ".scratch");
    // Left behind by a process that was killed.
    RETURN_IF_ERROR(RemoveTree(path));
    RETURN_IF_ERROR(MakeDirs(path, 0700));
    path_ = std::move(path);
  }
  return path_;
}

HostFeatures ProbeHost() {
  HostFeatures host;
  host.user_namespace = geteuid() != 0;
  struct statfs info;
  host.cgroup2 = statfs("/sys/fs/cgroup", &info) == 0 &&
                 info.f_type == CGROUP2_SUPER_MAGIC;
  host.overlay = ProbeOverlay(host.user_namespace);
  host.masked = MaskedPaths();
  host.read_only = ReadOnlyPaths();
  return host;
}

absl::Status Prepare(const SandboxSpec& spec, const HostFeatures& host,
                     SeccompPrograms& programs, PreparedRun& run) {
  RETURN_IF_ERROR(CheckSpec(spec));
  InitPlan& plan = run.plan;
  plan.user_namespace = host.user_namespace;
  plan.own_network = spec.network == Network::kNone;
  plan.uid_map = absl::StrCat("0 ", geteuid(), " 1");
  plan.gid_map = absl::StrCat("0 ", getegid(), " 1");
  plan.hostname = spec.hostname;
  plan.user = spec.user;
  plan.working_dir = CleanPath(absl::StrCat("/", spec.working_dir));
  plan.create_working_dir = spec.create_working_dir;
  plan.read_only_root = spec.read_only_root;
  for (const std::string& argument : spec.args) {
    plan.args.push_back(argument.c_str());
  }
  plan.args.push_back(nullptr);
  RETURN_IF_ERROR(PrepareEnv(spec, run));
  RETURN_IF_ERROR(PreparePrivileges(spec, programs, plan));
  RETURN_IF_ERROR(PrepareMounts(spec, host, run));
  RETURN_IF_ERROR(PrepareRoot(spec, host, run));
  RETURN_IF_ERROR(PrepareStreams(spec, run));
  std::sort(plan.kept_fds.begin(), plan.kept_fds.end());
  return absl::OkStatus();
}

}  // namespace lamina::runtime
