#include "cli/run_flags.h"

#include <unistd.h>

#include <cstdlib>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/files.h"
#include "base/status.h"
#include "cli/store_access.h"

namespace lamina::cli {
namespace {

constexpr Flag kFlags[] = {
    {.name = "interactive", .short_name = 'i', .help = "keep stdin open"},
    {.name = "tty", .short_name = 't', .help = "give it a terminal"},
    {.name = "rm", .help = "remove the container afterwards"},
    {.name = "env",
     .short_name = 'e',
     .value = "NAME[=VALUE]",
     .help = "set a variable; without a value: the host's",
     .repeatable = true},
    {.name = "env-file",
     .value = "FILE",
     .help = "read variables from FILE",
     .repeatable = true},
    {.name = "volume",
     .short_name = 'v',
     .value = "HOST:DIR[:ro]",
     .help = "mount a folder or file of the host",
     .repeatable = true},
    {.name = "workdir",
     .short_name = 'w',
     .value = "DIR",
     .help = "working directory"},
    {.name = "user",
     .short_name = 'u',
     .value = "USER[:GROUP]",
     .help = "user, by name or number"},
    {.name = "entrypoint",
     .value = "PROGRAM",
     .help = "instead of the image's entrypoint and command"},
    {.name = "network",
     .value = "MODE",
     .help = "host or none",
     .default_value = "host"},
    {.name = "name", .value = "NAME", .help = "name of the container"},
    {.name = "hostname",
     .short_name = 'h',
     .value = "NAME",
     .help = "host name inside (default: the container's id)"},
    {.name = "read-only", .help = "mount the root read-only"},
    {.name = "cap-add",
     .value = "CAPABILITY",
     .help = "add a capability, or ALL",
     .repeatable = true},
    {.name = "cap-drop",
     .value = "CAPABILITY",
     .help = "drop a capability, or ALL",
     .repeatable = true},
    {.name = "security-opt",
     .value = "OPTION",
     .help = "no-new-privileges",
     .repeatable = true},
    kRootFlag,
    {.name = "publish",
     .short_name = 'p',
     .value = "PORT",
     .help = "publish a port",
     .repeatable = true,
     .status = FlagStatus::kRefused,
     .reason = "there is no network stack of our own; the host's network is "
               "used (--network host), or run the saved image with podman"},
    {.name = "detach",
     .short_name = 'd',
     .help = "run in the background",
     .status = FlagStatus::kRefused,
     .reason = "there is no daemon that would look after it; use the shell's "
               "`&`, or run the saved image with podman"},
};

// NAME takes the host's value, and nothing if the host has none.
void AddVariable(const std::string& text, ir::ImageConfig& config) {
  const size_t equals = text.find('=');
  const std::string name = text.substr(0, equals);
  if (equals != std::string::npos) {
    config.SetEnv(name, text.substr(equals + 1));
  } else if (const char* value = std::getenv(name.c_str())) {
    config.SetEnv(name, value);
  }
}

// A variable a line, as docker reads it: no quotes, no expansion.
absl::Status AddVariables(const std::string& path, ir::ImageConfig& config) {
  ASSIGN_OR_RETURN(std::string text, ReadFile(path, 1 << 20));
  int number = 0;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    ++number;
    line = absl::StripLeadingAsciiWhitespace(line);
    absl::ConsumeSuffix(&line, "\r");
    if (line.empty() || line[0] == '#') {
      continue;
    }
    const absl::string_view name = line.substr(0, line.find('='));
    if (name.empty() || absl::StrContains(name, ' ')) {
      return UsageError(absl::StrCat(path, ":", number, ": `", name,
                                     "` is no name of a variable"));
    }
    AddVariable(std::string(line), config);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> ReadEnvironment(
    const Invocation& invocation, ir::ImageConfig config, bool tty) {
  if (tty) {
    config.SetEnv("TERM", "xterm");
  }
  for (const std::string& path : invocation.GetAll("env-file")) {
    RETURN_IF_ERROR(AddVariables(path, config));
  }
  for (const std::string& variable : invocation.GetAll("env")) {
    if (variable.empty() || variable[0] == '=') {
      return UsageError(absl::StrCat("`--env ", variable, "` has no name"));
    }
    AddVariable(variable, config);
  }
  return config.env;
}

std::vector<std::string> MakeCommand(const Invocation& invocation,
                                     const ir::ImageConfig& config,
                                     const std::vector<std::string>& command) {
  std::vector<std::string> args = config.entrypoint;
  const bool replaced = invocation.Has("entrypoint");
  if (replaced) {
    args.clear();
    if (const std::string entrypoint = invocation.Get("entrypoint");
        !entrypoint.empty()) {
      args.push_back(entrypoint);
    }
  }
  // The image's Cmd are arguments of its own entrypoint, not of another one.
  const std::vector<std::string>& rest =
      command.empty() && !replaced ? config.cmd : command;
  args.insert(args.end(), rest.begin(), rest.end());
  return args;
}

absl::Status SetRights(const Invocation& invocation,
                       runtime::SandboxSpec& spec) {
  for (const std::string& name : invocation.GetAll("cap-add")) {
    const std::string upper = absl::AsciiStrToUpper(name);
    spec.cap_add.emplace_back(absl::StripPrefix(upper, "CAP_"));
  }
  for (const std::string& name : invocation.GetAll("cap-drop")) {
    const std::string upper = absl::AsciiStrToUpper(name);
    spec.cap_drop.emplace_back(absl::StripPrefix(upper, "CAP_"));
  }
  for (const std::string& option : invocation.GetAll("security-opt")) {
    if (option != "no-new-privileges" && option != "no-new-privileges=true" &&
        option != "no-new-privileges:true") {
      return UsageError(absl::StrCat("`--security-opt ", option,
                                     "` is not supported; ",
                                     "there is no-new-privileges"));
    }
    spec.no_new_privileges = true;
  }
  spec.read_only_root = invocation.GetBool("read-only");
  return absl::OkStatus();
}

absl::Status SetStreams(const Invocation& invocation,
                        runtime::SandboxSpec& spec) {
  const bool interactive = invocation.GetBool("interactive");
  spec.tty = invocation.GetBool("tty");
  if (spec.tty && interactive && isatty(STDIN_FILENO) != 1) {
    return UsageError("stdin is no terminal; leave out -t");
  }
  spec.stdin_fd = interactive ? STDIN_FILENO : -1;
  spec.stdout_fd = STDOUT_FILENO;
  spec.stderr_fd = STDERR_FILENO;
  return absl::OkStatus();
}

absl::StatusOr<runtime::Network> ReadNetwork(const std::string& mode) {
  if (mode == "host" || mode == "none") {
    return mode == "host" ? runtime::Network::kHost : runtime::Network::kNone;
  }
  return UsageError(absl::StrCat("`--network` takes host or none, not `", mode,
                                 "`; there is no network stack of our own"));
}

}  // namespace

constinit const absl::Span<const Flag> kRunFlags = kFlags;

absl::StatusOr<runtime::SandboxMount> ReadVolume(absl::string_view text) {
  const std::vector<std::string> parts = absl::StrSplit(text, ':');
  if (parts.size() < 2 || parts.size() > 3) {
    return UsageError(
        absl::StrCat("`--volume ", text, "` is not HOST:DIR[:ro]"));
  }
  if (parts[0].empty() || parts[0][0] != '/') {
    return UsageError(absl::StrCat("`--volume ", text, "`: `", parts[0],
                                   "` is no absolute path, and there are no ",
                                   "named volumes"));
  }
  if (parts[1].empty() || parts[1][0] != '/') {
    return UsageError(absl::StrCat("`--volume ", text, "`: `", parts[1],
                                   "` is no absolute path"));
  }
  runtime::SandboxMount mount;
  mount.source = parts[0];
  mount.target = parts[1];
  if (parts.size() == 3) {
    if (parts[2] != "ro" && parts[2] != "rw") {
      return UsageError(absl::StrCat("`--volume ", text, "`: the option is ",
                                     "`ro` or `rw`, not `", parts[2], "`"));
    }
    mount.read_only = parts[2] == "ro";
  }
  return mount;
}

absl::StatusOr<runtime::SandboxSpec> MakeRunSpec(
    const Invocation& invocation, const ir::ImageConfig& config,
    const std::vector<std::string>& command) {
  runtime::SandboxSpec spec;
  spec.args = MakeCommand(invocation, config, command);
  if (spec.args.empty()) {
    return UsageError("the image has no command; name one after the image");
  }
  RETURN_IF_ERROR(SetStreams(invocation, spec));
  ASSIGN_OR_RETURN(spec.env, ReadEnvironment(invocation, config, spec.tty));
  spec.user = invocation.Has("user") ? invocation.Get("user") : config.user;
  spec.working_dir = invocation.Has("workdir") ? invocation.Get("workdir")
                                               : config.working_dir;
  if (spec.working_dir.empty()) {
    spec.working_dir = "/";
  }
  if (spec.working_dir[0] != '/') {
    return UsageError(
        absl::StrCat("`--workdir ", spec.working_dir, "` is no absolute path"));
  }
  spec.hostname = invocation.Get("hostname");
  ASSIGN_OR_RETURN(spec.network, ReadNetwork(invocation.Get("network")));
  for (const std::string& volume : invocation.GetAll("volume")) {
    ASSIGN_OR_RETURN(runtime::SandboxMount mount, ReadVolume(volume));
    spec.mounts.push_back(std::move(mount));
  }
  RETURN_IF_ERROR(SetRights(invocation, spec));
  return spec;
}

}  // namespace lamina::cli
