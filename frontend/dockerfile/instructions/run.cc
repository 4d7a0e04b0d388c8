#include "absl/algorithm/container.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "frontend/dockerfile/arguments.h"
#include "frontend/dockerfile/go_text.h"
#include "frontend/dockerfile/heredoc.h"
#include "frontend/dockerfile/instruction.h"
#include "frontend/dockerfile/proxy.h"
#include "frontend/dockerfile/run_mounts.h"

namespace lamina::frontend {
namespace {

using grammar::Flag;
using grammar::Heredoc;
using grammar::Statement;

constexpr FlagSpec kFlags[] = {
    {"mount", FlagKind::kList},
    {"network"},
    {"security"},
    {"device", FlagKind::kList},
};

void CheckWord(const Flag& flag, std::string message,
               std::vector<std::string> known, Diagnostics& diagnostics) {
  // A flag without a value is reported as such.
  if (flag.value.has_value() && !absl::c_linear_search(known, *flag.value)) {
    std::string value = *flag.value;
    std::string hint = absl::StrCat("; it is ", Choices(known));
    ReportUnknown({.code = "bad-flag",
                   .range = flag.value_range,
                   .message = std::move(message),
                   .word = std::move(value),
                   .candidates = std::move(known),
                   .otherwise = std::move(hint)},
                  diagnostics);
  }
}

void CheckChoice(const Flag& flag, Diagnostics& diagnostics) {
  std::string value = GoQuote(flag.value.value_or(""));
  if (flag.name == "network") {
    CheckWord(flag, absl::StrCat("invalid network mode ", value),
              {"default", "none", "host"}, diagnostics);
  } else if (flag.name == "security") {
    CheckWord(flag, absl::StrCat("security ", value, " is not valid"),
              {"sandbox", "insecure"}, diagnostics);
  } else if (flag.name == "device") {
    diagnostics.Error("unsupported-flag", NameRange(flag),
                      "`--device` is not supported: device feature is only "
                      "supported in Dockerfile frontend 1.14.0-labs or later; "
                      "remove it");
  }
}

void Check(const Statement& statement, Diagnostics& diagnostics) {
  for (const Flag& flag : statement.flags) {
    CheckChoice(flag, diagnostics);
  }
  CheckMounts(statement, diagnostics);
  if (statement.json && statement.words.empty()) {
    diagnostics.Error("bad-arguments", ArgumentRange(statement),
                      "arguments are required; name the program to run");
  }
}

void Describe(const Statement& statement, Json& object) {
  DescribeCommand(statement, object);
  if (statement.heredocs.empty()) {
    return;
  }
  Json files = Json::Array();
  for (const Heredoc& heredoc : statement.heredocs) {
    Json file = Json::Object();
    file.Set("name", heredoc.name);
    file.Set("data", heredoc.body);
    file.Set("chomp", heredoc.strip_tabs);
    files.Append(std::move(file));
  }
  object.Set("files", std::move(files));
}

// What the shell is given. A script with a shebang becomes a file of `run`.
std::string ShellText(const Statement& statement, ir::Run& run) {
  std::string text = statement.text.text;
  if (statement.heredocs.empty()) {
    return text;
  }
  if (!HeredocName(text).has_value()) {
    // The shell itself reads the bodies.
    for (const Heredoc& heredoc : statement.heredocs) {
      absl::StrAppend(&text, "\n", heredoc.body, heredoc.name);
    }
    return text;
  }
  const Heredoc& heredoc = statement.heredocs[0];
  std::string script =
      heredoc.strip_tabs ? StripTabs(heredoc.body) : heredoc.body;
  if (!absl::StartsWith(script, "#!")) {
    return script;
  }
  run.scripts.push_back({heredoc.name, std::move(script)});
  return absl::StrCat("/dev/pipes/", heredoc.name);
}

// The arguments declared so far, with the values that now count: |1 A=x
std::string ArgumentPrefix(const StageState& state) {
  if (state.arguments.empty()) {
    return "";
  }
  std::string prefix = absl::StrCat("|", state.arguments.size(), " ");
  for (const auto& [name, declared] : state.arguments) {
    const std::string* value = state.variables.Find(name);
    absl::StrAppend(&prefix, name, "=", value == nullptr ? declared : *value,
                    " ");
  }
  return prefix;
}

ir::NetworkMode Network(const Statement& statement,
                        const BuildOptions& options) {
  std::string mode = FlagText(statement, "network");
  return mode == "none"   ? ir::NetworkMode::kNone
         : mode == "host" ? ir::NetworkMode::kHost
                          : options.network;
}

// What a build file must not take by itself; false if it may not have it.
bool CheckPermission(const Statement& statement, absl::string_view flag,
                     absl::string_view value, Stage& stage) {
  const BuildOptions& options = stage.build().options;
  std::string right =
      absl::StrCat(flag == "network" ? "network." : "security.", value);
  bool given = options.allowed.contains(right) ||
               (flag == "network" && options.network == ir::NetworkMode::kHost);
  if (FlagText(statement, flag) != value || given) {
    return true;
  }
  stage.Error("not-allowed", FindFlag(statement, flag)->value_range,
              absl::StrCat(right,
                           " is not allowed; if this build file may "
                           "have it, build with --allow ",
                           right));
  return false;
}

// Empty when the build host runs the programs of the stage by itself.
std::string ForeignPlatform(const Stage& stage) {
  const ir::ImageConfig& config = stage.state().config;
  const Platform& host = stage.build().outline.host;
  const std::string& wanted = config.architecture;
  bool native = wanted == host.architecture ||
                (wanted == "386" && host.architecture == "amd64") ||
                (wanted == "arm" && host.architecture == "arm64");
  if (config.os == host.os && native) {
    return "";
  }
  return Platform{config.os, config.architecture, config.variant, ""}.Text();
}

void Lower(const Statement& statement, Stage& stage) {
  const StageState& state = stage.state();
  const BuildOptions& options = stage.build().options;
  bool allowed = CheckPermission(statement, "network", "host", stage);
  allowed =
      CheckPermission(statement, "security", "insecure", stage) && allowed;
  if (!allowed) {
    return;
  }
  ir::Run run = {.hidden_env = ProxyVariables(options.build_args),
                 .user = state.config.user,
                 .working_dir = state.config.working_dir,
                 .network = Network(statement, options),
                 .insecure = FlagText(statement, "security") == "insecure",
                 .platform = ForeignPlatform(stage)};
  run.args = CommandArgs(statement, ShellText(statement, run), state.config);
  for (const auto& [name, value] : state.variables.all()) {
    run.env.push_back(absl::StrCat(name, "=", value));
  }
  std::vector<ir::NodeId> inputs;
  ir::Places words;
  if (!LowerMounts(statement, stage, run, inputs, words)) {
    return;
  }
  std::string history =
      absl::StrCat("RUN ", ArgumentPrefix(state), absl::StrJoin(run.args, " "),
                   " # buildkit");
  stage.CommitStep(statement, std::move(run), inputs, std::move(history),
                   std::move(words));
}

}  // namespace

constinit const Instruction kRun = {
    .keyword = "RUN",
    .shape = grammar::ArgumentShape::kJsonOrText,
    .heredocs = true,
    .flags = kFlags,
    .check = Check,
    .describe = Describe,
    .lower = Lower,
};

}  // namespace lamina::frontend
