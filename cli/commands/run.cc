// lamina run: a command in a new container.
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <ctime>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "backend/container.h"
#include "base/files.h"
#include "base/status.h"
#include "cli/command.h"
#include "cli/store_access.h"
#include "runtime/sandbox.h"

namespace lamina::cli {
namespace {

constexpr Flag kRunFlags[] = {
    {.name = "interactive", .short_name = 'i',
     .help = "give the command this standard input"},
    {.name = "tty", .short_name = 't', .help = "give the command a terminal"},
    {.name = "rm", .help = "remove the container when it ends"},
    {.name = "env", .short_name = 'e', .value = "NAME[=VALUE]",
     .help = "an environment variable; without = the caller's value",
     .repeatable = true},
    {.name = "env-file", .value = "FILE", .help = "a file of NAME=VALUE lines",
     .repeatable = true},
    {.name = "volume", .short_name = 'v', .value = "DIR:PATH[:ro]",
     .help = "a folder or file of the host", .repeatable = true},
    {.name = "workdir", .short_name = 'w', .value = "PATH",
     .help = "working directory"},
    {.name = "user", .short_name = 'u', .value = "USER[:GROUP]",
     .help = "names or numbers"},
    {.name = "entrypoint", .value = "PROGRAM",
     .help = "instead of the image's; empty: none"},
    {.name = "network", .value = "host|none", .help = "network of the command",
     .default_value = "host"},
    {.name = "name", .value = "NAME", .help = "name of the container"},
    {.name = "hostname", .short_name = 'h', .value = "NAME",
     .help = "host name inside"},
    {.name = "read-only", .help = "the root file system cannot be written"},
    {.name = "cap-add", .value = "CAP", .help = "one more capability, or ALL",
     .repeatable = true},
    {.name = "cap-drop", .value = "CAP", .help = "one capability less, or ALL",
     .repeatable = true},
    {.name = "security-opt", .value = "no-new-privileges",
     .help = "setuid programs gain nothing", .repeatable = true},
    {.name = "add-host", .value = "NAME:IP", .help = "a line of /etc/hosts",
     .repeatable = true},
    kRootFlag,
    {.name = "detach", .short_name = 'd', .help = "run in the background",
     .status = FlagStatus::kRefused,
     .reason = "there is no daemon to keep it; end the line with & or use "
               "`podman load` and `podman run -d`",
     .hidden = true},
    {.name = "publish", .short_name = 'p', .value = "PORTS",
     .help = "publish ports", .repeatable = true,
     .status = FlagStatus::kRefused,
     .reason = "containers share the host's network, so their ports are "
               "reachable as they are",
     .hidden = true},
};

std::atomic<int> g_cancel = 0;

void OnSignal(int signal) { g_cancel = signal; }

absl::Status AddVolume(const std::string& text, runtime::SandboxSpec& spec) {
  std::vector<std::string> parts = absl::StrSplit(text, ':');
  bool options = parts.size() == 3 && (parts[2] == "ro" || parts[2] == "rw");
  if ((parts.size() != 2 && !options) || !absl::StartsWith(parts[1], "/")) {
    return UsageError(absl::StrCat("-v takes DIR:/PATH[:ro], not `", text,
                                   "`"));
  }
  if (!absl::StartsWith(parts[0], "/") && !absl::StartsWith(parts[0], ".")) {
    return UsageError(absl::StrCat(
        "-v ", text, ": named volumes do not exist here; name a folder"));
  }
  if (!FileExists(parts[0])) {
    return UserError(absl::StrCat("-v ", text, ": `", parts[0],
                                  "` does not exist"));
  }
  char* real = realpath(parts[0].c_str(), nullptr);
  runtime::SandboxMount mount;
  mount.source = real != nullptr ? real : parts[0];
  free(real);
  mount.target = parts[1];
  mount.read_only = parts.size() == 3 && parts[2] == "ro";
  spec.mounts.push_back(std::move(mount));
  return absl::OkStatus();
}

absl::Status ReadEnvironment(const Invocation& invocation,
                             std::vector<std::string>& env) {
  std::vector<std::string> lines;
  for (const std::string& path : invocation.GetAll("env-file")) {
    ASSIGN_OR_RETURN(std::string text, ReadFile(path, 16 << 20));
    for (absl::string_view line :
         absl::StrSplit(text, '\n', absl::SkipWhitespace())) {
      if (!absl::StartsWith(line, "#")) {
        lines.emplace_back(line);
      }
    }
  }
  for (const std::string& text : invocation.GetAll("env")) {
    lines.push_back(text);
  }
  for (const std::string& line : lines) {
    if (absl::StartsWith(line, "=") || line.empty()) {
      return UsageError(absl::StrCat("-e takes NAME=VALUE, not `", line, "`"));
    }
    if (absl::StrContains(line, "=")) {
      env.push_back(line);
    } else if (const char* value = getenv(line.c_str())) {
      env.push_back(absl::StrCat(line, "=", value));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<backend::ContainerOptions> ReadOptions(
    const Invocation& invocation) {
  backend::ContainerOptions options;
  options.command.assign(invocation.words().begin() + 1,
                         invocation.words().end());
  options.replace_entrypoint = invocation.Has("entrypoint");
  if (!invocation.Get("entrypoint").empty()) {
    options.entrypoint = {invocation.Get("entrypoint")};
  }
  if (invocation.GetBool("tty")) {
    const char* term = getenv("TERM");
    options.env.push_back(
        absl::StrCat("TERM=", term != nullptr ? term : "xterm"));
  }
  RETURN_IF_ERROR(ReadEnvironment(invocation, options.env));
  options.user = invocation.Get("user");
  options.working_dir = invocation.Get("workdir");
  options.hostname = invocation.Get("hostname");
  return options;
}

absl::Status FillSandbox(const Invocation& invocation,
                         runtime::SandboxSpec& spec) {
  for (const std::string& text : invocation.GetAll("volume")) {
    RETURN_IF_ERROR(AddVolume(text, spec));
  }
  std::string network = invocation.Get("network");
  if (network != "host" && network != "none") {
    return UsageError(absl::StrCat("--network is host or none, not `", network,
                                   "`"));
  }
  spec.network = network == "none" ? runtime::Network::kNone
                                   : runtime::Network::kHost;
  for (const std::string& text : invocation.GetAll("security-opt")) {
    if (text != "no-new-privileges") {
      return UsageError(absl::StrCat(
          "--security-opt knows no-new-privileges only, not `", text, "`"));
    }
    spec.no_new_privileges = true;
  }
  for (const std::string& text : invocation.GetAll("add-host")) {
    std::vector<std::string> parts =
        absl::StrSplit(text, absl::MaxSplits(':', 1));
    if (parts.size() != 2) {
      return UsageError(
          absl::StrCat("--add-host takes NAME:IP, not `", text, "`"));
    }
    spec.extra_hosts.emplace_back(parts[0], parts[1]);
  }
  spec.cap_add = invocation.GetAll("cap-add");
  spec.cap_drop = invocation.GetAll("cap-drop");
  spec.read_only_root = invocation.GetBool("read-only");
  spec.tty = invocation.GetBool("tty");
  if (invocation.GetBool("interactive") || spec.tty) {
    spec.stdin_fd = STDIN_FILENO;
  }
  spec.stdout_fd = STDOUT_FILENO;
  spec.stderr_fd = STDERR_FILENO;
  spec.cancel = &g_cancel;
  return absl::OkStatus();
}

absl::StatusOr<int> RunInContainer(backend::Container container,
                                   const runtime::SandboxSpec& spec,
                                   bool remove, backend::Store& store) {
  container.state = "running";
  container.pid = getpid();
  RETURN_IF_ERROR(store.UpdateContainer(container));
  signal(SIGINT, OnSignal);
  signal(SIGTERM, OnSignal);
  signal(SIGHUP, OnSignal);
  // The container's record keeps its layers; others may clean up meanwhile.
  store.EndUse();
  std::unique_ptr<runtime::Sandbox> sandbox = runtime::MakeKernelSandbox();
  absl::StatusOr<runtime::SandboxResult> result =
      sandbox->Run(spec, [](int, absl::string_view) {});
  container.state = "exited";
  container.pid = 0;
  container.exit_code = result.ok() ? result->exit_code : 125;
  RETURN_IF_ERROR(remove ? store.RemoveContainer(container.id)
                         : store.UpdateContainer(container));
  if (!result.ok()) {
    return WithExitCode(result.status(), 125);
  }
  return result->exit_code;
}

absl::StatusOr<int> RunRun(const Invocation& invocation) {
  const std::string& name = invocation.words()[0];
  ASSIGN_OR_RETURN(std::unique_ptr<backend::Store> store,
                   OpenStoreWith(invocation, "image", name));
  ASSIGN_OR_RETURN(backend::Image image, FindImage(*store, name));
  ASSIGN_OR_RETURN(backend::ContainerOptions options,
                   ReadOptions(invocation));
  // Everything that can be wrong with the flags is found before a container
  // exists.
  runtime::SandboxSpec flags;
  RETURN_IF_ERROR(FillSandbox(invocation, flags));
  absl::StatusOr<backend::Container> container = backend::CreateContainer(
      image, name, invocation.Get("name"), options, time(nullptr), *store);
  if (!container.ok()) {
    return WithExitCode(container.status(), 125);
  }
  ASSIGN_OR_RETURN(
      runtime::SandboxSpec spec,
      backend::ContainerSandbox(*container, image, options, *store));
  RETURN_IF_ERROR(FillSandbox(invocation, spec));
  return RunInContainer(*std::move(container), spec, invocation.GetBool("rm"),
                        *store);
}

}  // namespace

extern const Command kRun = {
    .name = "run",
    .group = "Containers",
    .summary = "run a command in a new container",
    .usage = "[FLAGS] IMAGE [COMMAND [ARG...]]",
    .flags = kRunFlags,
    .min_words = 1,
    .max_words = -1,
    .flags_end_at_first_word = true,
    .words = Words::kImages,
    .description =
        "The exit code is the command's; 125 when the container could not be "
        "set up, 126 and 127 when the command cannot be run or is not there.",
    .examples = "lamina run --rm -it debian:12 bash\n"
                "lamina run --rm -v .:/src:ro -w /src debian:12 ls",
    .run = RunRun,
};

}  // namespace lamina::cli
