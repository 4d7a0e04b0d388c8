#include "backend/remote/key_agent.h"

#include <signal.h>

#include <cstdlib>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "backend/remote/child_process.h"
#include "base/status.h"

namespace lamina::backend {
namespace {

constexpr int kSeconds = 30;
// An agent that outlives a killed build forgets its keys after a day.
constexpr absl::string_view kKeysLive = "86400";

absl::StatusOr<ChildResult> Run(std::vector<std::string> args,
                                const std::string& socket) {
  const char* path = getenv("PATH");
  const char* home = getenv("HOME");
  // A passphrase is asked for by the program `false`: never on a terminal.
  return RunChild({.args = std::move(args),
                   .env = {absl::StrCat("PATH=", path != nullptr ? path : ""),
                           absl::StrCat("HOME=", home != nullptr ? home : "/"),
                           absl::StrCat("SSH_AUTH_SOCK=", socket),
                           "SSH_ASKPASS=false", "SSH_ASKPASS_REQUIRE=force",
                           "LC_ALL=C"},
                   .most_seconds = kSeconds});
}

// ssh-add draws boxes of `@`; its words become one line.
std::string WordsOf(absl::string_view errors) {
  std::vector<absl::string_view> lines;
  for (absl::string_view line : absl::StrSplit(errors, '\n')) {
    line = absl::StripAsciiWhitespace(line);
    if (!line.empty() && line[0] != '@') {
      lines.push_back(line);
    }
  }
  return absl::StrJoin(lines, " ");
}

// From `SSH_AGENT_PID=12; export SSH_AGENT_PID;`; 0 if it is not there.
pid_t FindPid(absl::string_view text) {
  constexpr absl::string_view kName = "SSH_AGENT_PID=";
  size_t at = text.find(kName);
  int pid = 0;
  if (at == absl::string_view::npos) {
    return 0;
  }
  text.remove_prefix(at + kName.size());
  return absl::SimpleAtoi(text.substr(0, text.find(';')), &pid) ? pid : 0;
}

}  // namespace

absl::StatusOr<std::unique_ptr<KeyAgent>> KeyAgent::Start(
    const std::vector<std::string>& key_files) {
  ASSIGN_OR_RETURN(TempDir folder, TempDir::Create());
  std::unique_ptr<KeyAgent> agent(new KeyAgent(std::move(folder)));
  absl::StatusOr<ChildResult> started =
      Run({"ssh-agent", "-s", "-t", std::string(kKeysLive), "-a",
           agent->socket()},
          agent->socket());
  if (absl::IsNotFound(started.status())) {
    return absl::NotFoundError(
        "key files need the programs ssh-agent and ssh-add: install "
        "openssh-client, or name the socket of an agent");
  }
  RETURN_IF_ERROR(started.status());
  agent->agent_ = FindPid(started->output);
  if (started->exit_code != 0 || agent->agent_ <= 0) {
    return absl::InternalError(
        absl::StrCat("ssh-agent did not start: ", WordsOf(started->errors)));
  }
  std::vector<std::string> add = {"ssh-add", "-q", "--"};
  add.insert(add.end(), key_files.begin(), key_files.end());
  ASSIGN_OR_RETURN(ChildResult added, Run(std::move(add), agent->socket()));
  if (added.exit_code != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("ssh-add refuses it: ", WordsOf(added.errors)));
  }
  return agent;
}

KeyAgent::~KeyAgent() {
  if (agent_ > 0) {
    kill(agent_, SIGTERM);
  }
}

}  // namespace lamina::backend
