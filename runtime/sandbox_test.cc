#include "runtime/sandbox.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "runtime/users.h"

namespace lamina::runtime {
namespace {

void Write(const std::string& path, absl::string_view text,
           mode_t mode = 0644) {
  ASSERT_TRUE(MakeDirs(std::string(DirName(path))).ok());
  ASSERT_TRUE(ReplaceFile(path, text, mode, false).ok());
}

// All names below a folder, for "nothing is left".
std::string Listing(const std::string& path) {
  std::string out;
  FILE* find = popen(
      absl::StrCat("cd ", path, " && find . -mindepth 1 | sort").c_str(), "r");
  char line[4096];
  while (fgets(line, sizeof line, find) != nullptr) {
    out += line;
  }
  pclose(find);
  return out;
}

struct Outcome {
  int exit_code = -1;
  int signal = 0;
  std::string out;
  std::string err;
  std::string error;  // The status' message.
};

// A busybox root in a folder of its own. `base` is its only layer at first.
class SandboxTest : public testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) {
      GTEST_SKIP() << "needs root: mounts and namespaces";
    }
    auto folder = TempDir::Create();
    ASSERT_TRUE(folder.ok());
    folder_.emplace(std::move(*folder));
    for (const char* name : {"base/bin", "base/root", "upper", "work"}) {
      ASSERT_TRUE(MakeDirs(Path(name)).ok());
    }
    std::string bin = Path("base/bin");
    ASSERT_EQ(0, system(absl::StrCat("cp /bin/busybox ", bin,
                                     " && for a in sh id cat ls rm sleep mkdir "
                                     "mount touch ps tty stty chmod find wc; "
                                     "do ln -s busybox ",
                                     bin, "/$a; done")
                            .c_str()));
    Write(Path("base/etc/passwd"),
          "root:x:0:0:root:/root:/bin/sh\n"
          "daemon:x:1:1:daemon:/usr/sbin:/bin/false\n"
          "app:x:500:501::/home/app:/bin/sh\n");
    Write(Path("base/etc/group"),
          "root:x:0:\ndaemon:x:1:\nwheel:x:10:root\napp:x:501:\n"
          "extra:x:502:app,other\n");
    spec_.lower_base = folder_->path();
    spec_.lowers = {"base"};
    spec_.upper = Path("upper");
    spec_.work = Path("work");
  }

  std::string Path(absl::string_view name) const {
    return JoinPath(folder_->path(), name);
  }

  Outcome Run(const SandboxSpec& spec) {
    Outcome outcome;
    auto result = sandbox_->Run(spec, [&](int stream, absl::string_view bytes) {
      (stream == 1 ? outcome.out : outcome.err) += std::string(bytes);
    });
    if (result.ok()) {
      outcome.exit_code = result->exit_code;
      outcome.signal = result->signal;
    } else {
      outcome.error = std::string(result.status().message());
    }
    return outcome;
  }

  Outcome Shell(const std::string& script) {
    spec_.args = {"/bin/sh", "-c", script};
    return Run(spec_);
  }

  std::string Output(const std::string& script) {
    Outcome outcome = Shell(script);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err << outcome.error;
    return outcome.out;
  }

  std::optional<TempDir> folder_;
  std::unique_ptr<Sandbox> sandbox_ = MakeKernelSandbox();
  SandboxSpec spec_;
};

TEST_F(SandboxTest, ExitCodesAndSignalsAreHandedOn) {
  for (int code : {0, 1, 42, 125}) {
    EXPECT_EQ(Shell(absl::StrCat("exit ", code)).exit_code, code);
  }
  for (int signal : {SIGKILL, SIGTERM, SIGSEGV}) {
    Outcome outcome = Shell(absl::StrCat("kill -", signal, " $$"));
    EXPECT_EQ(outcome.exit_code, 128 + signal);
    EXPECT_EQ(outcome.signal, signal);
  }
}

TEST_F(SandboxTest, AMissingProgramIs127AndAnUnusableOne126) {
  spec_.args = {"nosuch"};
  Outcome missing = Run(spec_);
  EXPECT_EQ(missing.exit_code, 127);
  EXPECT_EQ(missing.err,
            "exec: \"nosuch\": executable file not found in $PATH\n");
  spec_.args = {"/etc/passwd"};
  EXPECT_EQ(Run(spec_).exit_code, 126);
  spec_.args = {"/etc"};
  EXPECT_EQ(Run(spec_).exit_code, 126);
  Write(Path("base/bin/text"), "no program\n", 0755);
  spec_.args = {"text"};
  EXPECT_EQ(Run(spec_).exit_code, 126);
}

TEST_F(SandboxTest, ThePathIsSearchedInsideTheRoot) {
  Write(Path("base/opt/tool"), "#!/bin/sh\necho inside\n", 0755);
  spec_.env = {"PATH=/nowhere:/opt"};
  spec_.args = {"tool"};
  EXPECT_EQ(Run(spec_).out, "inside\n");
}

TEST_F(SandboxTest, ABackgroundProcessDiesBeforeRunReturns) {
  ASSERT_EQ(
      Shell("(while true; do echo x >> /alive; done) & sleep 0.1").exit_code,
      0);
  std::string before = *ReadFile(Path("upper/alive"));
  usleep(50'000);
  EXPECT_EQ(*ReadFile(Path("upper/alive")), before);
}

TEST_F(SandboxTest, OrphansAreReaped) {
  EXPECT_EQ(Output("for i in $(busybox seq 300); do (true &) ; done; sleep 0.3;"
                   "ps -o stat | busybox grep -c Z || true"),
            "0\n");
}

TEST_F(SandboxTest, NoLineOfOutputIsLost) {
  Outcome outcome = Shell("busybox seq 100000; busybox seq 1000 >&2");
  EXPECT_EQ(std::count(outcome.out.begin(), outcome.out.end(), '\n'), 100000);
  EXPECT_TRUE(absl::EndsWith(outcome.out, "\n99999\n100000\n"));
  EXPECT_TRUE(absl::EndsWith(outcome.err, "\n1000\n"));
}

TEST_F(SandboxTest, TheProcessStartsClean) {
  umask(0077);
  signal(SIGPIPE, SIG_IGN);
  std::string out = Output(
      "umask; cat; ls /proc/self/fd | busybox tr '\\n' ' '; "
      "busybox grep -E 'SigBlk|SigIgn' /proc/self/status; pwd; "
      "busybox hostname");
  umask(0022);
  signal(SIGPIPE, SIG_DFL);
  // Descriptor 3 is the listing's own.
  EXPECT_EQ(out,
            "0022\n0 1 2 3 SigBlk:\t0000000000000000\n"
            "SigIgn:\t0000000000000000\n/\nbuildkitsandbox\n");
}

TEST_F(SandboxTest, TheEnvironmentIsTheGivenOneWithPathAndHome) {
  spec_.env = {"A=1", "B=2", "A=3", "HOME="};
  spec_.args = {"/bin/busybox", "env"};
  EXPECT_EQ(Run(spec_).out,
            "A=3\nB=2\nPATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:"
            "/sbin:/bin\nHOME=/root\n");
  spec_.user = "1234";
  EXPECT_TRUE(absl::EndsWith(Run(spec_).out, "\nHOME=/\n"));
  spec_.env = {"broken"};
  EXPECT_EQ(Run(spec_).error, "`broken` is not NAME=value");
}

TEST_F(SandboxTest, UsersResolveInTheRoot) {
  const std::pair<const char*, const char*> kTable[] = {
      {"", "uid=0(root) gid=0(root) groups=0(root),10(wheel)\n"},
      {"root", "uid=0(root) gid=0(root) groups=0(root),10(wheel)\n"},
      {"1234", "uid=1234 gid=0(root) groups=0(root)\n"},
      {"1234:1234", "uid=1234 gid=1234 groups=1234\n"},
      {"daemon", "uid=1(daemon) gid=1(daemon) groups=1(daemon)\n"},
      {"500", "uid=500(app) gid=501(app) groups=501(app),502(extra)\n"},
      {"app:wheel", "uid=500(app) gid=10(wheel) groups=10(wheel)\n"},
      {"app:7", "uid=500(app) gid=7 groups=7\n"},
  };
  for (const auto& [user, expected] : kTable) {
    spec_.user = user;
    spec_.args = {"/bin/id"};
    EXPECT_EQ(Run(spec_).out, expected) << user;
  }
  spec_.user = "ghost";
  EXPECT_EQ(Run(spec_).error,
            "unable to find user ghost: no matching entries in passwd file");
  spec_.user = "app:ghosts";
  EXPECT_EQ(Run(spec_).error,
            "unable to find group ghosts: no matching entries in group file");
  spec_.user = "2147483648";
  EXPECT_EQ(Run(spec_).error,
            "invalid user 2147483648: ids go from 0 to 2147483647");
}

TEST_F(SandboxTest, AFifoInPlaceOfPasswdDoesNotHang) {
  unlink(Path("base/etc/passwd").c_str());
  ASSERT_EQ(mkfifo(Path("base/etc/passwd").c_str(), 0644), 0);
  spec_.user = "5:6";
  spec_.args = {"/bin/busybox", "grep", "Uid", "/proc/self/status"};
  EXPECT_EQ(Run(spec_).out, "Uid:\t5\t5\t5\t5\n");
}

TEST_F(SandboxTest, CapabilitiesAreTheDefaultElevenUnderAFilter) {
  const char* show =
      "busybox grep -E '^(Cap|NoNewPrivs|Seccomp:)' /proc/self/status";
  EXPECT_EQ(Output(show),
            "CapInh:\t0000000000000000\nCapPrm:\t00000000800405fb\n"
            "CapEff:\t00000000800405fb\nCapBnd:\t00000000800405fb\n"
            "CapAmb:\t0000000000000000\nNoNewPrivs:\t0\nSeccomp:\t2\n");
  spec_.cap_add = {"NET_RAW"};
  spec_.cap_drop = {"cap_chown"};
  spec_.no_new_privileges = true;
  std::string changed = Output(show);
  EXPECT_TRUE(absl::StrContains(changed, "CapEff:\t00000000800425fa\n"));
  EXPECT_TRUE(absl::StrContains(changed, "NoNewPrivs:\t1\n"));
  spec_.user = "app";
  EXPECT_TRUE(absl::StrContains(Output(show), "CapEff:\t0000000000000000\n"));
  spec_.cap_add = {"FLY"};
  EXPECT_EQ(Run(spec_).error, "unknown capability `FLY`");
}

TEST_F(SandboxTest, ForbiddenCallsAreRefused) {
  EXPECT_NE(Shell("mount -t tmpfs x /root").exit_code, 0);
  EXPECT_NE(Shell("busybox unshare -U true").exit_code, 0);
  EXPECT_NE(Shell("busybox mknod /x b 8 0").exit_code, 0);
  spec_.insecure = true;
  EXPECT_EQ(Shell("mount -t tmpfs x /root").exit_code, 0);
  EXPECT_EQ(Output("busybox grep Seccomp: /proc/self/status"), "Seccomp:\t0\n");
}

TEST_F(SandboxTest, TheKernelsFilesAreHiddenOrReadOnly) {
  EXPECT_EQ(Output("cat /proc/timer_list /proc/keys; ls /sys/firmware"), "");
  for (const char* path :
       {"/proc/sysrq-trigger", "/proc/sys/kernel/hostname", "/sys/x"}) {
    EXPECT_NE(Shell(absl::StrCat("echo h > ", path)).exit_code, 0) << path;
  }
  EXPECT_EQ(Output("ls /dev | busybox tr '\\n' ' '; echo x > /dev/null;"
                   "echo y > /dev/stdout"),
            "core fd full mqueue null pipes ptmx pts random shm stderr stdin "
            "stdout tty urandom zero y\n");
  EXPECT_EQ(Output("cat /proc/1/comm; echo /proc/[0-9]*"),
            "lamina-init\n/proc/1 /proc/2\n");
  EXPECT_NE(Shell("cat /proc/1/exe").exit_code, 0);
}

TEST_F(SandboxTest, DeviceNodesOfTheImageDoNotOpen) {
  ASSERT_EQ(mknod(Path("base/null").c_str(), S_IFCHR | 0666, 0x103), 0);
  EXPECT_NE(Shell("echo x > /null").exit_code, 0);
}

TEST_F(SandboxTest, WithoutNetworkThereIsOnlyLoopback) {
  spec_.network = Network::kNone;
  EXPECT_EQ(Output("ls /sys/class/net; cat /sys/class/net/lo/flags; "
                   "test ! -e /etc/hosts"),
            "lo\n0x9\n");
}

TEST_F(SandboxTest, HostsAndResolverAreProvidedReadOnly) {
  spec_.resolv_conf = "nameserver 192.0.2.1\n";
  spec_.extra_hosts = {{"db", "10.0.0.5"}};
  EXPECT_EQ(Output("cat /etc/resolv.conf /etc/hosts"),
            "nameserver 192.0.2.1\n127.0.0.1\tlocalhost buildkitsandbox\n"
            "::1\tlocalhost ip6-localhost ip6-loopback\n10.0.0.5\tdb\n");
  EXPECT_NE(Shell("echo x >> /etc/resolv.conf").exit_code, 0);
}

// Everything that could make a target's stub show up.
TEST_F(SandboxTest, TrueLeavesTheUpperFolderEmpty) {
  auto expect_empty = [&](const char* what) {
    spec_.args = {"/bin/busybox", "true"};
    Outcome outcome = Run(spec_);
    EXPECT_EQ(outcome.exit_code, 0) << what << outcome.error;
    EXPECT_EQ(Listing(Path("upper")), "") << what;
    EXPECT_FALSE(FileExists(Path("work.scratch"))) << what;
  };
  expect_empty("no targets in the base");
  Write(Path("base/etc/resolv.conf"), "old\n");
  ASSERT_TRUE(MakeDirs(Path("base/proc")).ok());
  expect_empty("targets in the base");
  unlink(Path("base/etc/resolv.conf").c_str());
  ASSERT_EQ(symlink("../run/systemd/resolv.conf",
                    Path("base/etc/resolv.conf").c_str()),
            0);
  expect_empty("a dangling symlink");
  EXPECT_EQ(Output("busybox readlink /etc/resolv.conf"),
            "../run/systemd/resolv.conf\n");
  unlink(Path("base/etc/resolv.conf").c_str());
  ASSERT_EQ(mknod(Path("base/etc/resolv.conf").c_str(), S_IFCHR, 0), 0);
  ASSERT_EQ(mknod(Path("base/dev").c_str(), S_IFCHR, 0), 0);
  expect_empty("whiteouts");
  spec_.mounts = {{.type = SandboxMount::Type::kTmpfs, .target = "/a/b/c"}};
  ASSERT_EQ(mknod(Path("base/a").c_str(), S_IFCHR, 0), 0);
  expect_empty("a mount below a whiteout");
}

TEST_F(SandboxTest, TheRootIsOneFileSystem) {
  EXPECT_EQ(Output("touch /new; busybox stat -c %d / /new /etc/passwd /etc "
                   "/bin/busybox | busybox uniq | wc -l"),
            "1\n");
  struct stat info;
  ASSERT_EQ(stat(Path("base/etc/passwd").c_str(), &info), 0);
  EXPECT_EQ(Output("busybox stat -c %i /etc/passwd"),
            absl::StrCat(info.st_ino, "\n"));
}

TEST_F(SandboxTest, AHiddenTargetKeepsItsFoldersAttributes) {
  ASSERT_EQ(mknod(Path("base/etc/hosts").c_str(), S_IFCHR, 0), 0);
  ASSERT_EQ(chmod(Path("base/etc").c_str(), 0711), 0);
  ASSERT_EQ(chown(Path("base/etc").c_str(), 5, 6), 0);
  struct timespec times[2] = {{1000, 0}, {2000, 7}};
  utimensat(AT_FDCWD, Path("base/etc").c_str(), times, 0);
  EXPECT_EQ(
      Output("busybox stat -c '%a %u %g %Y' /etc; cat /etc/hosts | wc -l"),
      "711 5 6 2000\n2\n");
}

TEST_F(SandboxTest, AnImageCannotMisdirectTheKernelsMounts) {
  for (const char* name : {"proc", "sys", "dev"}) {
    std::string path = Path(absl::StrCat("base/", name));
    ASSERT_EQ(symlink("/etc", path.c_str()), 0);
    EXPECT_EQ(Shell("true").error,
              absl::StrCat("cannot mount on ", name,
                           ": it is a symbolic link in the image"));
    unlink(path.c_str());
  }
  Write(Path("base/dev"), "");
  EXPECT_EQ(Shell("true").error,
            "cannot mount on dev: it is not a folder in the image");
}

TEST_F(SandboxTest, RemovingEtcOnlyStumblesOverOurFiles) {
  EXPECT_NE(Shell("rm -rf /etc").exit_code, 0);
  EXPECT_EQ(Output("ls /etc | busybox tr '\\n' ' '"), "hosts resolv.conf ");
}

TEST_F(SandboxTest, TheWorkingDirectoryIsMadeOrMustExist) {
  spec_.working_dir = "/new/deep";
  EXPECT_EQ(Output("pwd"), "/new/deep\n");
  spec_.create_working_dir = false;
  spec_.working_dir = "/absent";
  EXPECT_EQ(Shell("pwd").error,
            "cannot enter the working directory /absent: "
            "No such file or directory");
  for (int fd = 3; fd < 20; ++fd) {
    spec_.working_dir = absl::StrCat("/proc/self/fd/", fd);
    EXPECT_NE(Shell("pwd").error, "") << fd;
  }
}

TEST_F(SandboxTest, AMergedTreeAndAFileInMemoryCanBeMounted) {
  Write(Path("low/a/file"), "low\n");
  Write(Path("low/a/kept"), "kept\n");
  Write(Path("high/a/file"), "high\n");
  SandboxMount merged = {.type = SandboxMount::Type::kOverlay,
                         .source = "/a",
                         .target = "/m/merged"};
  merged.lowers = {Path("high"), Path("low")};
  SandboxMount one = merged;
  one.source = "/a/kept";
  one.target = "/m/one";
  one.is_folder = false;
  one.read_only = true;
  SandboxMount secret = {.type = SandboxMount::Type::kFile,
                         .target = "/run/secrets/key"};
  secret.content = "hush";
  secret.mode = 0400;
  secret.read_only = true;
  spec_.mounts = {merged, one, secret};
  EXPECT_EQ(Output("cat /m/merged/file /m/one; echo x > /m/merged/new;"
                   "echo y > /m/one 2>/dev/null || echo read-only;"
                   "cat /run/secrets/key; echo;"
                   "busybox stat -c %a:%u /run/secrets/key"),
            "high\nkept\nread-only\nhush\n400:0\n");
  EXPECT_EQ(Listing(Path("high")), "./a\n./a/file\n");
}

TEST_F(SandboxTest, MountsOfEveryKindLeaveNoTrace) {
  Write(Path("src/file"), "content\n");
  SandboxMount folder = {.source = Path("src"), .target = "/m/ro"};
  folder.read_only = true;
  SandboxMount writable = {.source = Path("src"), .target = "/m/rw"};
  SandboxMount scratch = {.source = Path("src"), .target = "/m/scratch"};
  scratch.discard_writes = true;
  SandboxMount file = {.source = Path("src/file"), .target = "/m/file"};
  SandboxMount memory = {.type = SandboxMount::Type::kTmpfs,
                         .target = "/m/tmp"};
  memory.size = 1 << 20;
  SandboxMount below = {.source = Path("src"), .target = "/m/tmp/below"};
  spec_.mounts = {below, folder, writable, scratch, file, memory};
  EXPECT_EQ(Output("cat /m/ro/file /m/file /m/tmp/below/file;"
                   "echo a > /m/rw/new; echo b > /m/scratch/gone;"
                   "echo c > /m/scratch/file; cat /m/scratch/file;"
                   "touch /m/ro/x 2>/dev/null || echo read-only;"
                   "busybox df -k /m/tmp | busybox tail -n 1 |"
                   "busybox awk '{print $2}'"),
            "content\ncontent\ncontent\nc\nread-only\n1024\n");
  EXPECT_EQ(Listing(Path("src")), "./file\n./new\n");
  EXPECT_EQ(*ReadFile(Path("src/file")), "content\n");
  EXPECT_EQ(Listing(Path("upper")), "");
  EXPECT_FALSE(FileExists(Path("work.scratch")));
  spec_.mounts = {{.source = "/nonexistent", .target = "/x"}};
  EXPECT_EQ(Shell("true").error,
            "cannot open the mount source /nonexistent: "
            "No such file or directory");
  spec_.mounts = {{.source = "/tmp", .target = "/"}};
  EXPECT_EQ(Shell("true").error, "invalid mount target \"/\"");
}

TEST_F(SandboxTest, ScriptsLieInDevPipes) {
  spec_.scripts = {{"EOF", "#!/bin/sh\necho script\n"}};
  spec_.args = {"/dev/pipes/EOF"};
  EXPECT_EQ(Run(spec_).out, "script\n");
}

TEST_F(SandboxTest, AReadOnlyRootRefusesWrites) {
  spec_.read_only_root = true;
  EXPECT_NE(Shell("touch /x").exit_code, 0);
  EXPECT_EQ(Output("touch /dev/shm/x && echo ok"), "ok\n");
}

TEST_F(SandboxTest, OwnDescriptorsCarryTheStreams) {
  int in[2];
  int out[2];
  ASSERT_EQ(pipe(in) | pipe(out), 0);
  ASSERT_EQ(write(in[1], "hello", 5), 5);
  close(in[1]);
  spec_.stdin_fd = in[0];
  spec_.stdout_fd = out[1];
  Outcome outcome = Shell("cat; echo e >&2");
  close(out[1]);
  EXPECT_EQ(*ReadAll(out[0]), "hello");
  EXPECT_EQ(outcome.out, "");
  EXPECT_EQ(outcome.err, "e\n");
  close(in[0]);
  close(out[0]);
}

TEST_F(SandboxTest, AScratchRootNeedsNoLayers) {
  ASSERT_EQ(system(absl::StrCat("cp /bin/busybox ", Path("upper")).c_str()), 0);
  spec_.lowers.clear();
  spec_.args = {"/busybox", "echo", "scratch"};
  Outcome outcome = Run(spec_);
  EXPECT_EQ(outcome.out, "scratch\n") << outcome.error;
  EXPECT_EQ(Listing(Path("upper")), "./busybox\n");
}

TEST_F(SandboxTest, ManyLayersAreMergedInOrder) {
  for (int count : {100, 498, 499, 501, 900}) {
    spec_.lowers.clear();
    for (int layer = 0; layer < count; ++layer) {
      std::string name = absl::StrCat("l", layer);
      Write(Path(absl::StrCat(name, "/f", layer)), "");
      Write(Path(absl::StrCat(name, "/last")), absl::StrCat(layer, "\n"));
      spec_.lowers.insert(spec_.lowers.begin(), name);
    }
    // The top one removes a file of the lowest.
    mknod(Path(absl::StrCat("l", count - 1, "/f0")).c_str(), S_IFCHR, 0);
    spec_.lowers.push_back("base");
    EXPECT_EQ(Output("cat /last; ls / | busybox grep -c '^f[0-9]'; "
                     "echo x > /f1"),
              absl::StrCat(count - 1, "\n", count - 1, "\n"));
    unlink(Path(absl::StrCat("l", count - 1, "/f0")).c_str());
    EXPECT_EQ(Listing(Path("upper")), "./f1\n");
    unlink(Path("upper/f1").c_str());
  }
  spec_.lowers.resize(2000, "base");
  EXPECT_TRUE(absl::StrContains(Shell("true").error, "2000 layers"));
}

TEST_F(SandboxTest, RunsInParallelDoNotDisturbEachOther) {
  std::vector<std::thread> threads;
  std::vector<std::string> outputs(4);
  for (size_t index = 0; index < outputs.size(); ++index) {
    threads.emplace_back([&, index] {
      SandboxSpec spec = spec_;
      spec.upper = Path(absl::StrCat("upper", index));
      spec.work = Path(absl::StrCat("work", index));
      mkdir(spec.upper.c_str(), 0755);
      mkdir(spec.work.c_str(), 0755);
      for (int round = 0; round < 10; ++round) {
        spec.args = {"/bin/sh", "-c",
                     absl::StrCat("echo ", index, " > /f; cat /f")};
        outputs[index] += Run(spec).out;
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  for (size_t index = 0; index < outputs.size(); ++index) {
    std::string expected;
    for (int round = 0; round < 10; ++round) {
      absl::StrAppend(&expected, index, "\n");
    }
    EXPECT_EQ(outputs[index], expected);
  }
}

TEST_F(SandboxTest, TheHostSeesNoMountAndNoProcessLeft) {
  // Other tests mount while this one runs: this thread gets a table of mounts
  // of its own. Without the right to have one, nobody here mounts.
  if (unshare(CLONE_NEWNS) == 0) {
    ASSERT_EQ(mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
  }
  std::string before = *ReadFile("/proc/self/mountinfo");
  Shell("sleep 100 & true");
  Shell("exit 3");
  spec_.user = "ghost";
  Shell("true");
  // Mounts of others that were copied go when their folders are removed.
  std::string after = *ReadFile("/proc/self/mountinfo");
  for (absl::string_view line : absl::StrSplit(after, '\n')) {
    EXPECT_TRUE(absl::StrContains(before, line)) << line;
  }
  EXPECT_EQ(waitpid(-1, nullptr, WNOHANG | __WALL), -1);
}

TEST_F(SandboxTest, CancelSendsTheSignalAndThenKills) {
  std::atomic<int> cancel{0};
  spec_.cancel = &cancel;
  spec_.grace_ms = 60'000;
  std::thread first([&] {
    usleep(200'000);
    cancel = SIGTERM;
  });
  EXPECT_EQ(Shell("trap 'exit 7' TERM; sleep 100 & wait").exit_code, 7);
  first.join();
  cancel = 0;
  spec_.grace_ms = 100;
  std::thread second([&] {
    usleep(200'000);
    cancel = SIGTERM;
  });
  EXPECT_EQ(Shell("trap '' TERM; while true; do sleep 1; done").signal,
            SIGKILL);
  second.join();
}

TEST_F(SandboxTest, AKilledSupervisorLeavesNoProcess) {
  std::string mark = Path("upper/pulse");
  pid_t supervisor = fork();
  if (supervisor == 0) {
    Shell("while true; do echo x >> /pulse; sleep 0.01; done");
    _exit(0);
  }
  while (!FileExists(mark)) {
    usleep(10'000);
  }
  kill(supervisor, SIGKILL);
  waitpid(supervisor, nullptr, 0);
  usleep(200'000);
  std::string before = *ReadFile(mark);
  usleep(100'000);
  EXPECT_EQ(*ReadFile(mark), before);
}

TEST_F(SandboxTest, ATerminalIsTheSandboxsOwn) {
  int in[2];
  int out[2];
  ASSERT_EQ(pipe(in) | pipe(out), 0);
  int saved_in = dup(0);
  int saved_out = dup(1);
  dup2(in[0], 0);
  dup2(out[1], 1);
  ASSERT_TRUE(WriteAll(in[1], "echo typed $((40+2))\nexit 5\n").ok());
  spec_.tty = true;
  spec_.args = {"/bin/sh", "-c", "tty; exec /bin/sh"};
  Outcome outcome = Run(spec_);
  dup2(saved_in, 0);
  dup2(saved_out, 1);
  close(out[1]);
  std::string text = *ReadAll(out[0]);
  EXPECT_EQ(outcome.exit_code, 5) << outcome.error << text;
  EXPECT_TRUE(absl::StrContains(text, "/dev/pts/0\r\n")) << text;
  EXPECT_TRUE(absl::StrContains(text, "typed 42\r\n")) << text;
  for (int fd : {in[0], in[1], out[0], saved_in, saved_out}) {
    close(fd);
  }
}

TEST_F(SandboxTest, WithoutPrivilegesAUserNamespaceStandsIn) {
  std::string path = folder_->path();
  ASSERT_EQ(system(absl::StrCat("chown -R 65534:65534 ", path).c_str()), 0);
  pid_t child = fork();
  if (child == 0) {
    if (setresgid(65534, 65534, 65534) != 0 ||
        setresuid(65534, 65534, 65534) != 0) {
      _exit(78);
    }
    prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
    Outcome outcome = Shell("id -u; touch /made; echo x > /dev/null");
    if (absl::StrContains(outcome.error, "cannot create namespaces")) {
      _exit(77);
    }
    fputs(outcome.error.c_str(), stderr);
    _exit(outcome.exit_code == 0 && outcome.out == "0\n" ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  if (WEXITSTATUS(status) == 77) {
    GTEST_SKIP() << "this host allows no unprivileged user namespaces";
  }
  EXPECT_EQ(status, 0);
  EXPECT_EQ(Listing(Path("upper")), "./made\n");
}

TEST(FindAccountTest, BrokenLinesAndLongGroupsAreSurvived) {
  Account account;
  std::string group = "junk\nbig:x:7:";
  for (int member = 0; member < 100000; ++member) {
    absl::StrAppend(&group, "m", member, ",");
  }
  absl::StrAppend(&group, "ann\n:x:8:ann\nneg:x:-1:ann");
  EXPECT_EQ(FindAccount("\n::::\nann:x:70:71:::\n", group, "ann", account),
            AccountError::kNone);
  EXPECT_EQ(account.uid, 70u);
  ASSERT_EQ(account.group_count, 2u);
  EXPECT_EQ(account.groups[1], 7u);
  EXPECT_EQ(account.home, "/");
  EXPECT_EQ(FindAccount("", "", "root:root", account), AccountError::kNone);
  EXPECT_EQ(FindAccount("", "", "1:x", account), AccountError::kNoGroup);
}

}  // namespace
}  // namespace lamina::runtime
