#include "runtime/seccomp.h"

#include <linux/capability.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "absl/strings/str_split.h"
#include "base/files.h"
#include "base/status.h"

namespace lamina::runtime {
namespace {

constexpr absl::string_view kAlways =
    "accept accept4 access adjtimex alarm bind brk cachestat capget capset "
    "chdir chmod chown chown32 clock_adjtime clock_adjtime64 clock_getres "
    "clock_getres_time64 clock_gettime clock_gettime64 clock_nanosleep "
    "clock_nanosleep_time64 close close_range connect copy_file_range creat "
    "dup dup2 dup3 epoll_create epoll_create1 epoll_ctl epoll_ctl_old "
    "epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old eventfd eventfd2 "
    "execve execveat exit exit_group faccessat faccessat2 fadvise64 "
    "fadvise64_64 fallocate fanotify_mark fchdir fchmod fchmodat fchmodat2 "
    "fchown fchown32 fchownat fcntl fcntl64 fdatasync fgetxattr flistxattr "
    "flock fork fremovexattr fsetxattr fstat fstat64 fstatat64 fstatfs "
    "fstatfs64 fsync ftruncate ftruncate64 futex futex_requeue futex_time64 "
    "futex_wait futex_waitv futex_wake futimesat getcpu getcwd getdents "
    "getdents64 getegid getegid32 geteuid geteuid32 getgid getgid32 getgroups "
    "getgroups32 getitimer getpeername getpgid getpgrp getpid getppid "
    "getpriority getrandom getresgid getresgid32 getresuid getresuid32 "
    "getrlimit get_robust_list getrusage getsid getsockname getsockopt "
    "get_thread_area gettid gettimeofday getuid getuid32 getxattr getxattrat "
    "inotify_add_watch inotify_init inotify_init1 inotify_rm_watch io_cancel "
    "ioctl io_destroy io_getevents io_pgetevents io_pgetevents_time64 "
    "ioprio_get ioprio_set io_setup io_submit ipc kill landlock_add_rule "
    "landlock_create_ruleset landlock_restrict_self lchown lchown32 lgetxattr "
    "link linkat listen listmount listxattr listxattrat llistxattr _llseek "
    "lremovexattr lseek lsetxattr lstat lstat64 madvise map_shadow_stack "
    "membarrier memfd_create memfd_secret mincore mkdir mkdirat mknod mknodat "
    "mlock mlock2 mlockall mmap mmap2 mprotect mq_getsetattr mq_notify "
    "mq_open mq_timedreceive mq_timedreceive_time64 mq_timedsend "
    "mq_timedsend_time64 mq_unlink mremap mseal msgctl msgget msgrcv msgsnd "
    "msync munlock munlockall munmap name_to_handle_at nanosleep newfstatat "
    "_newselect open openat openat2 pause pidfd_open pidfd_send_signal pipe "
    "pipe2 pkey_alloc pkey_free pkey_mprotect poll ppoll ppoll_time64 prctl "
    "pread64 preadv preadv2 prlimit64 process_mrelease pselect6 "
    "pselect6_time64 pwrite64 pwritev pwritev2 read readahead readlink "
    "readlinkat readv recv recvfrom recvmmsg recvmmsg_time64 recvmsg "
    "remap_file_pages removexattr removexattrat rename renameat renameat2 "
    "restart_syscall riscv_hwprobe rmdir rseq rt_sigaction rt_sigpending "
    "rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend "
    "rt_sigtimedwait rt_sigtimedwait_time64 rt_tgsigqueueinfo "
    "sched_getaffinity sched_getattr sched_getparam sched_get_priority_max "
    "sched_get_priority_min sched_getscheduler sched_rr_get_interval "
    "sched_rr_get_interval_time64 sched_setaffinity sched_setattr "
    "sched_setparam sched_setscheduler sched_yield seccomp select semctl "
    "semget semop semtimedop semtimedop_time64 send sendfile sendfile64 "
    "sendmmsg sendmsg sendto setfsgid setfsgid32 setfsuid setfsuid32 setgid "
    "setgid32 setgroups setgroups32 setitimer setpgid setpriority setregid "
    "setregid32 setresgid setresgid32 setresuid setresuid32 setreuid "
    "setreuid32 setrlimit set_robust_list setsid setsockopt set_thread_area "
    "set_tid_address setuid setuid32 setxattr setxattrat shmat shmctl shmdt "
    "shmget shutdown sigaltstack signalfd signalfd4 sigprocmask sigreturn "
    "socketcall socketpair splice stat stat64 statfs statfs64 statmount statx "
    "symlink symlinkat sync sync_file_range syncfs sysinfo tee tgkill time "
    "timer_create timer_delete timer_getoverrun timer_gettime timer_gettime64 "
    "timer_settime timer_settime64 timerfd_create timerfd_gettime "
    "timerfd_gettime64 timerfd_settime timerfd_settime64 times tkill truncate "
    "truncate64 ugetrlimit umask uname unlink unlinkat uretprobe utime "
    "utimensat utimensat_time64 utimes vfork vmsplice wait4 waitid waitpid "
    "write writev ";

// Calls that come with a capability.
struct CapabilityCalls {
  int capability;
  absl::string_view calls;
};

constexpr CapabilityCalls kWithCapability[] = {
    {CAP_SYS_ADMIN,
     "bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick "
     "lookup_dcookie lsm_get_self_attr lsm_list_modules lsm_set_self_attr "
     "mount mount_setattr move_mount open_tree perf_event_open quotactl "
     "quotactl_fd setdomainname sethostname setns syslog umount umount2 "
     "unshare"},
    {CAP_DAC_READ_SEARCH, "open_by_handle_at"},
    {CAP_SYS_BOOT, "reboot"},
    {CAP_SYS_CHROOT, "chroot"},
    {CAP_SYS_MODULE, "delete_module init_module finit_module"},
    {CAP_SYS_PACCT, "acct"},
    {CAP_SYS_PTRACE,
     "kcmp pidfd_getfd process_madvise process_vm_readv process_vm_writev "
     "ptrace"},
    {CAP_SYS_RAWIO, "iopl ioperm"},
    {CAP_SYS_TIME, "settimeofday stime clock_settime clock_settime64"},
    {CAP_SYS_TTY_CONFIG, "vhangup"},
    {CAP_SYS_NICE, "get_mempolicy mbind set_mempolicy set_mempolicy_home_node"},
    {CAP_SYSLOG, "syslog"},
    {CAP_BPF, "bpf"},
    {CAP_PERFMON, "perf_event_open"},
};

#if defined(__x86_64__)
constexpr absl::string_view kArchitecture = "arch_prctl modify_ldt";
constexpr uint32_t kCompatible[] = {SCMP_ARCH_X86, SCMP_ARCH_X32};
#elif defined(__aarch64__)
constexpr absl::string_view kArchitecture =
    "arm_fadvise64_64 arm_sync_file_range sync_file_range2 breakpoint "
    "cacheflush set_tls";
constexpr uint32_t kCompatible[] = {SCMP_ARCH_ARM};
#else
#error "the system call filter is written for x86_64 and aarch64"
#endif

constexpr uint64_t kNamespaceFlags = 0x7E020000;
constexpr scmp_datum_t kAfAlg = 38;
constexpr scmp_datum_t kAfVsock = 40;

// Collects rules; the first failure is kept.
class FilterBuilder {
 public:
  FilterBuilder() : context_(seccomp_init(SCMP_ACT_ERRNO(EPERM))) {
    if (context_ == nullptr) {
      error_ = ENOMEM;
      return;
    }
    for (uint32_t architecture : kCompatible) {
      Keep(seccomp_arch_add(context_, architecture));
    }
    // A search tree instead of a chain: faster for the command, and for the
    // kernel, which runs the filter once for every call number at load.
    Keep(seccomp_attr_set(context_, SCMP_FLTATR_CTL_OPTIMIZE, 2));
  }
  ~FilterBuilder() { seccomp_release(context_); }
  FilterBuilder(const FilterBuilder&) = delete;
  FilterBuilder& operator=(const FilterBuilder&) = delete;

  void AllowAll(absl::string_view calls) {
    for (absl::string_view call :
         absl::StrSplit(calls, ' ', absl::SkipEmpty())) {
      Add(SCMP_ACT_ALLOW, std::string(call), nullptr);
    }
  }

  void AllowIf(const std::string& call, scmp_arg_cmp condition) {
    Add(SCMP_ACT_ALLOW, call, &condition);
  }

  void Answer(const std::string& call, uint32_t error) {
    Add(SCMP_ACT_ERRNO(error), call, nullptr);
  }

  absl::StatusOr<SeccompProgram> Compile();

 private:
  void Add(uint32_t action, const std::string& call, scmp_arg_cmp* condition) {
    int number = seccomp_syscall_resolve_name(call.c_str());
    // A call that is newer than the library keeps the default answer.
    if (number == __NR_SCMP_ERROR || error_ != 0) {
      return;
    }
    Keep(seccomp_rule_add_array(context_, action, number,
                                condition == nullptr ? 0 : 1, condition));
  }

  void Keep(int result) {
    if (result < 0 && error_ == 0) {
      error_ = -result;
    }
  }

  scmp_filter_ctx context_;
  int error_ = 0;
};

absl::StatusOr<SeccompProgram> FilterBuilder::Compile() {
  // The library only writes to a file.
  UniqueFd file(memfd_create("seccomp", MFD_CLOEXEC));
  if (!file.valid()) {
    return ErrnoError("create a memory file");
  }
  if (error_ == 0) {
    Keep(seccomp_export_bpf(context_, file.get()));
  }
  if (error_ != 0) {
    return ErrnoError(error_, "compile the system call filter");
  }
  lseek(file.get(), 0, SEEK_SET);
  ASSIGN_OR_RETURN(std::string bytes, ReadAll(file.get()));
  SeccompProgram program(bytes.size() / sizeof(sock_filter));
  memcpy(program.data(), bytes.data(), program.size() * sizeof(sock_filter));
  return program;
}

// AF_ALG and AF_VSOCK reach code that is not aware of namespaces.
void AllowSockets(FilterBuilder& builder) {
  builder.AllowIf("socket", SCMP_A0(SCMP_CMP_LT, kAfAlg));
  builder.AllowIf("socket", SCMP_A0(SCMP_CMP_EQ, kAfAlg + 1));
  builder.AllowIf("socket", SCMP_A0(SCMP_CMP_GT, kAfVsock));
}

void AllowPersonalities(FilterBuilder& builder) {
  for (scmp_datum_t value : {0x0, 0x8, 0x20000, 0x20008}) {
    builder.AllowIf("personality", SCMP_A0(SCMP_CMP_EQ, value));
  }
  builder.AllowIf("personality", SCMP_A0(SCMP_CMP_EQ, 0xffffffff));
}

absl::StatusOr<SeccompProgram> Build(CapabilitySet capabilities) {
  FilterBuilder builder;
  builder.AllowAll(kAlways);
  builder.AllowAll(kArchitecture);
  builder.AllowAll("process_vm_readv process_vm_writev ptrace");
  AllowSockets(builder);
  AllowPersonalities(builder);
  for (const CapabilityCalls& row : kWithCapability) {
    if ((capabilities & Bit(row.capability)) != 0) {
      builder.AllowAll(row.calls);
    }
  }
  if ((capabilities & Bit(CAP_SYS_ADMIN)) == 0) {
    builder.AllowIf("clone", SCMP_A0(SCMP_CMP_MASKED_EQ, kNamespaceFlags, 0));
    // Its flags are in memory, where a filter cannot look; the C library
    // falls back to clone.
    builder.Answer("clone3", ENOSYS);
  }
  return builder.Compile();
}

}  // namespace

absl::StatusOr<const SeccompProgram*> SeccompPrograms::Get(
    CapabilitySet capabilities) {
  std::lock_guard<std::mutex> lock(mutex_);
  auto found = programs_.find(capabilities);
  if (found == programs_.end()) {
    ASSIGN_OR_RETURN(SeccompProgram program, Build(capabilities));
    found = programs_.emplace(capabilities, std::move(program)).first;
  }
  return &found->second;
}

void LoadSeccomp(const Channel& channel, const SeccompProgram& program) {
  sock_fprog filter = {};
  filter.len = static_cast<unsigned short>(program.size());
  filter.filter = const_cast<sock_filter*>(program.data());
  if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) != 0) {
    channel.Fail(errno, "load the system call filter");
  }
}

}  // namespace lamina::runtime
