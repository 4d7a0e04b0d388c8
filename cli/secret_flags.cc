#include "cli/secret_flags.h"

#include <sys/stat.h>

#include <cstdlib>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/files.h"
#include "base/status.h"

namespace lamina::cli {
namespace {

// docker's form: id=ID[,src=FILE|,env=NAME][,type=file|env]; without a source
// the variable ID if it is set, else the file ID.
absl::Status ReadSecret(const std::string& text, BuildInput& input) {
  ASSIGN_OR_RETURN(auto fields, ParseFields(text));
  std::string id;
  std::string type;
  backend::SecretSource source;
  for (const auto& [key, value] : fields) {
    if (key == "id") {
      id = value;
    } else if (key == "type" && (value == "file" || value == "env")) {
      type = value;
    } else if (key == "src" || key == "source") {
      source.file = value;
    } else if (key == "env") {
      source.variable = value;
    } else {
      return UsageError(absl::StrCat(
          "--secret does not know `", key, "=", value,
          "`; its fields are id, src, env and type=file|env"));
    }
  }
  if (id.empty()) {
    return UsageError(absl::StrCat("--secret ", text, " has no id=ID"));
  }
  if (type == "env" && source.variable.empty()) {
    source.variable = std::exchange(source.file, "");
  }
  if (source.file.empty() && source.variable.empty()) {
    bool variable = type == "env" ||
                    (type.empty() && getenv(id.c_str()) != nullptr);
    (variable ? source.variable : source.file) = id;
  }
  if (source.variable.empty() ? !FileExists(source.file)
                              : getenv(source.variable.c_str()) == nullptr) {
    return UserError(absl::StrCat("--secret ", id, ": there is no ",
                                  source.variable.empty() ? "file " : "variable ",
                                  source.file, source.variable));
  }
  input.plan.secrets.insert(id);
  input.resources.secrets[id] = std::move(source);
  return absl::OkStatus();
}

bool IsSocket(const std::string& path) {
  struct stat info;
  return stat(path.c_str(), &info) == 0 && S_ISSOCK(info.st_mode);
}

// ID, ID=SOCKET or ID=KEY[,KEY...].
absl::Status ReadAgent(const std::string& text, bool runs, BuildInput& input) {
  std::pair<std::string, std::string> pair =
      absl::StrSplit(text, absl::MaxSplits('=', 1));
  auto& [id, socket] = pair;
  if (socket.empty()) {
    const char* variable = getenv("SSH_AUTH_SOCK");
    if (variable == nullptr) {
      return UserError(absl::StrCat(
          "--ssh ", text, ": SSH_AUTH_SOCK is not set; start an agent, or "
          "name its socket or a key: --ssh ", text, "=FILE"));
    }
    socket = variable;
  }
  input.plan.agents.insert(id);
  if (IsSocket(socket)) {
    input.resources.agents[id] = socket;
    return absl::OkStatus();
  }
  std::vector<std::string> keys = absl::StrSplit(socket, ',');
  for (const std::string& key : keys) {
    struct stat info;
    if (stat(key.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) {
      return UserError(absl::StrCat("--ssh ", text, ": `", key,
                                    "` is neither the socket of an agent nor "
                                    "a file with a key"));
    }
  }
  if (!runs) {
    return absl::OkStatus();
  }
  absl::StatusOr<std::unique_ptr<backend::KeyAgent>> agent =
      backend::KeyAgent::Start(keys);
  if (!agent.ok()) {
    return UserError(
        absl::StrCat("--ssh ", text, ": ", agent.status().message()));
  }
  input.resources.agents[id] = (*agent)->socket();
  input.key_agents.push_back(*std::move(agent));
  return absl::OkStatus();
}

}  // namespace

absl::Status ReadSecrets(const Invocation& invocation, BuildInput& input) {
  for (const std::string& text : invocation.GetAll("secret")) {
    RETURN_IF_ERROR(ReadSecret(text, input));
  }
  return absl::OkStatus();
}

absl::Status ReadAgents(const Invocation& invocation, bool runs,
                        BuildInput& input) {
  for (const std::string& text : invocation.GetAll("ssh")) {
    RETURN_IF_ERROR(ReadAgent(text, runs, input));
  }
  return absl::OkStatus();
}

}  // namespace lamina::cli
