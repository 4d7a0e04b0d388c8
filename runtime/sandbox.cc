#include "runtime/sandbox.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <mutex>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/status.h"
#include "runtime/init.h"
#include "runtime/prepare.h"
#include "runtime/relay.h"

namespace lamina::runtime {
namespace {

// What the administrator of this host may have switched off.
std::string FindKnob() {
  struct Knob {
    const char* path;
    absl::string_view refusing;
    const char* remedy;
  };
  constexpr Knob kKnobs[] = {
      {"/proc/sys/kernel/unprivileged_userns_clone", "0",
       "set kernel.unprivileged_userns_clone=1"},
      {"/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1",
       "set kernel.apparmor_restrict_unprivileged_userns=0"},
      {"/proc/sys/user/max_user_namespaces", "0",
       "raise user.max_user_namespaces"},
  };
  for (const Knob& knob : kKnobs) {
    std::string value = ReadFile(knob.path).value_or("");
    if (absl::StripSuffix(value, "\n") == knob.refusing) {
      return knob.remedy;
    }
  }
  return "allow unprivileged user namespaces";
}

absl::Status CloneError(int error) {
  if (error != EPERM && error != ENOSPC && error != EUSERS) {
    return ErrnoError(error, "create namespaces");
  }
  // clone(2) says "no space" where a limit of namespaces is reached.
  const char* reason = error == ENOSPC ? "there may be no more of them"
                                       : strerror(error);
  return absl::PermissionDeniedError(
      absl::StrCat("cannot create namespaces: ", reason, "; run as root or ",
                   FindKnob()));
}

int CloneFlags(const HostFeatures& host, const InitPlan& plan) {
  int flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC;
  if (host.user_namespace) {
    flags |= CLONE_NEWUSER;
  }
  if (plan.own_network) {
    flags |= CLONE_NEWNET;
  }
  if (host.cgroup2) {
    flags |= CLONE_NEWCGROUP;
  }
  return flags;
}

// Starts pid 1 of the sandbox and answers its pidfd.
//
// No signal is sent at its end: nobody else in this process who waits for any
// child gets ours.
absl::StatusOr<UniqueFd> StartInit(const HostFeatures& host,
                                   const InitPlan& plan) {
  // The child starts with all signals blocked, so none of our handlers runs
  // in it.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  int pidfd = -1;
  long flags = CLONE_PIDFD | CloneFlags(host, plan);
  long pid = syscall(SYS_clone, flags, 0, &pidfd, 0, 0);
  if (pid == 0) {
    RunInit(plan);
  }
  int error = errno;
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (pid < 0) {
    return CloneError(error);
  }
  return UniqueFd(pidfd);
}

class KernelSandbox : public Sandbox {
 public:
  absl::StatusOr<SandboxResult> Run(const SandboxSpec& spec,
                                    const OutputSink& on_output) override;

 private:
  std::once_flag probed_;
  HostFeatures host_;
  SeccompPrograms programs_;
};

absl::StatusOr<SandboxResult> KernelSandbox::Run(const SandboxSpec& spec,
                                                 const OutputSink& on_output) {
  std::call_once(probed_, [this] { host_ = ProbeHost(); });
  PreparedRun run;
  RETURN_IF_ERROR(Prepare(spec, host_, programs_, run));
  ASSIGN_OR_RETURN(UniqueFd init, StartInit(host_, run.plan));
  // Only the child's copies count from now on.
  for (UniqueFd* fd :
       {&run.child_report, &run.child_in, &run.child_out, &run.child_err}) {
    fd->Close();
  }
  RunningSandbox sandbox;
  sandbox.init = std::move(init);
  sandbox.report = std::move(run.our_report);
  sandbox.out = std::move(run.our_out);
  sandbox.err = std::move(run.our_err);
  absl::StatusOr<SandboxResult> result =
      Supervise(std::move(sandbox), spec, on_output);
  ForgetVolatile(run.plan.overlay);
  return result;
}

}  // namespace

std::unique_ptr<Sandbox> MakeKernelSandbox() {
  return std::make_unique<KernelSandbox>();
}

}  // namespace lamina::runtime
