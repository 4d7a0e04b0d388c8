#include "frontend/dockerfile/stage.h"

#include "absl/algorithm/container.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/files.h"
#include "base/status.h"
#include "base/text.h"
#include "base/url.h"
#include "frontend/dockerfile/flags.h"
#include "frontend/dockerfile/instruction.h"

namespace lamina::frontend {
namespace {

using grammar::Statement;

// An image without layers is an empty tree with a configuration.
bool HasLayers(const ir::ImageDocument& document) {
  if (!document.diff_ids.empty()) {
    return true;
  }
  for (const ir::HistoryEntry& entry : document.history) {
    if (!entry.empty_layer) {
      return true;
    }
  }
  return false;
}

}  // namespace

std::string StatementText(const Statement& statement) {
  std::string text = statement.keyword;
  for (const grammar::Flag& flag : statement.flags) {
    absl::StrAppend(&text, " ", flag.written);
  }
  if (!statement.text.text.empty()) {
    absl::StrAppend(&text, " ", statement.text.text);
  }
  return text;
}

Stage::Stage(Build& build, size_t position)
    : build_(build),
      outline_(build.outline.stages[position]),
      facts_{.outline = &outline_},
      escape_(build.outline.escape) {
  BeginFrom(outline_.base);
  FinishBase();
}

void Stage::BeginFrom(const Origin& base) {
  if (base.kind == Origin::Kind::kStage) {
    state_ = build_.done.at(base.stage);
    return;
  }
  const Platform& target = build_.outline.target_platform;
  state_.config.architecture = target.architecture;
  state_.config.os = target.os;
  state_.config.variant = target.variant;
  state_.config.os_version = target.os_version;
  if (base.kind == Origin::Kind::kImage) {
    BeginFromImage(base.image);
  } else {
    state_.root = *OriginNode(base, outline_.from->range);
  }
}

void Stage::BeginFromImage(const ir::ImageReference& reference) {
  bool known_platform = CheckPlatformWord();
  state_.root = ImageNode(reference, outline_.from->words[0].range);
  auto known = build_.bases.find(reference.Full());
  if (known == build_.bases.end()) {
    state_.variables.SetIncomplete();
    return;
  }
  const ir::ImageDocument& document = known->second.document;
  state_.config = document.config;
  for (const ir::HistoryEntry& entry : document.history) {
    state_.history.push_back({entry, std::nullopt});
  }
  for (const std::string& variable : state_.config.env) {
    size_t equals = variable.find('=');
    state_.variables.Set(
        variable.substr(0, equals),
        equals == std::string::npos ? "" : variable.substr(equals + 1));
  }
  if (state_.config.os != "linux") {
    Error("bad-platform", outline_.from->words[0].range,
          absl::StrCat("image `", reference.Familiar(), "` is for ",
                       state_.config.os, "; only linux images are built"));
  } else if (known_platform) {
    NotePlatform(reference);
  }
}

bool Stage::CheckPlatformWord() {
  std::optional<PlatformWord> word;
  if (outline_.platform.has_value()) {
    word = UnknownPlatformWord(*outline_.platform);
  }
  if (!word.has_value()) {
    return true;
  }
  const grammar::Flag* flag = FindFlag(*outline_.from, "platform");
  Diagnostic unknown = {
      .code = "bad-platform",
      .range = flag->value_range,
      .message = absl::StrCat("nobody has images for platform ",
                              outline_.platform->Text(), "; did you mean `",
                              word->near, "`?")};
  size_t at = flag->value->find(word->wrong);
  if (at != std::string::npos) {
    uint32_t begin = at;
    uint32_t size = word->wrong.size();
    unknown.range = ValuePart(*flag, {begin, begin + size});
    unknown.fix = {{absl::StrCat("write `", word->near, "`"),
                    {{*unknown.range, word->near}}}};
  }
  build_.diagnostics.Add(std::move(unknown));
  return false;
}

void Stage::NotePlatform(const ir::ImageReference& reference) {
  const Platform& wanted =
      outline_.platform.value_or(build_.outline.target_platform);
  const ir::ImageConfig& config = state_.config;
  if (config.os != wanted.os || config.architecture != wanted.architecture) {
    Platform found = {config.os, config.architecture, config.variant, ""};
    facts_.other_platform = {reference.Familiar(), std::move(found), wanted};
  }
}

void Stage::FinishBase() {
  state_.config.on_build.clear();
  std::string& working_dir = state_.config.working_dir;
  if (!absl::StartsWith(working_dir, "/")) {
    working_dir = CleanPath(absl::StrCat("/", working_dir));
  }
  if (!state_.config.FindEnv("PATH").has_value()) {
    state_.config.SetEnv("PATH", ir::kDefaultPath);
    state_.variables.Set("PATH", ir::kDefaultPath);
  }
}

StageState Stage::Lower(bool is_target) {
  for (const Statement& trigger : outline_.triggers) {
    LowerStatement(trigger, '\\');
  }
  for (const Statement* statement : outline_.body) {
    LowerStatement(*statement, build_.outline.escape);
  }
  if (is_target) {
    MakeBaseOfFolder();
  }
  build_.evaluation.stages.push_back(std::move(facts_));
  return std::move(state_);
}

void Stage::LowerStatement(const Statement& statement, char escape) {
  const Instruction* instruction = FindInstruction(statement.keyword);
  CHECK(instruction != nullptr && instruction->lower != nullptr);
  escape_ = escape;
  guesses_ = false;
  facts_.statements.push_back({.statement = &statement,
                               .has_shell = !state_.config.shell.empty(),
                               .base_known = state_.variables.complete()});
  instruction->lower(statement, *this);
}

const Variables& Stage::VariablesFor(absl::string_view text) {
  const Variables& variables = state_.variables;
  guesses_ =
      guesses_ || (!variables.complete() && absl::StrContains(text, "$"));
  return variables;
}

std::optional<std::string> Stage::Expand(absl::string_view text,
                                         SourceRange range) {
  UsedNames names;
  absl::StatusOr<std::string> value =
      ExpandWord(text, escape_, VariablesFor(text), &names);
  if (!value.ok()) {
    absl::string_view message = value.status().message();
    Error("bad-expansion", range,
          absl::StrCat(message, ExpansionHint(message)));
    return std::nullopt;
  }
  Note(range, text, *value, names);
  return *std::move(value);
}

void Stage::Note(SourceRange range, absl::string_view written,
                 std::string value, const UsedNames& names) {
  EvaluatedWord word = {.range = range,
                        .written = std::string(written),
                        .value = std::move(value)};
  for (const std::string& name : names.unset) {
    std::vector<std::string> known;
    for (const auto& [argument, unused] : state_.arguments) {
      known.push_back(argument);
    }
    if (absl::c_linear_search(known, name) ||
        build_.options.build_args.contains(name)) {
      continue;
    }
    for (const auto& [variable, unused] : state_.variables.all()) {
      known.push_back(variable);
    }
    for (const auto& [variable, unused] : build_.outline.globals.all()) {
      known.push_back(variable);
    }
    std::erase(known, name);  // A global one, which has to be declared here.
    word.undefined.push_back({name, Closest(name, known)});
  }
  facts_.statements.back().words.push_back(std::move(word));
}

std::optional<std::string> Stage::Expand(const grammar::Word& word) {
  return Expand(word.text, word.range);
}

std::optional<std::vector<std::string>> Stage::ExpandAll(
    const std::vector<grammar::Word>& words) {
  std::vector<std::string> values;
  bool complete = true;
  for (const grammar::Word& word : words) {
    std::optional<std::string> value = Expand(word);
    complete = complete && value.has_value();
    values.push_back(std::move(value).value_or(""));
  }
  return complete ? std::optional(std::move(values)) : std::nullopt;
}

void Stage::Error(absl::string_view code, SourceRange range,
                  std::string message) {
  build_.diagnostics.Error(code, range, std::move(message));
}

void Stage::ValueError(absl::string_view code, SourceRange range,
                       std::string message) {
  AddValueError({.code = std::string(code),
                 .range = range,
                 .message = std::move(message)});
}

void Stage::AddValueError(Diagnostic diagnostic) {
  if (guesses_) {
    diagnostic.severity = Severity::kWarning;
    absl::StrAppend(&diagnostic.message,
                    "; unless the unknown base sets the variable here");
  }
  build_.diagnostics.Add(std::move(diagnostic));
}

void Stage::Warning(absl::string_view code, SourceRange range,
                    std::string message) {
  build_.diagnostics.Warning(code, range, std::move(message));
}

void Stage::CommitConfig(std::string created_by) {
  state_.history.push_back({{.created_by = std::move(created_by),
                             .comment = std::string(kHistoryComment),
                             .empty_layer = true},
                            std::nullopt});
}

void Stage::CommitStep(const Statement& statement, ir::Op op,
                       const std::vector<ir::NodeId>& inputs,
                       std::string created_by, ir::Places words) {
  MakeBaseOfFolder();
  ir::Node node = {.op = std::move(op),
                   .inputs = {state_.root},
                   .source = statement.range,
                   .stage = outline_.label,
                   .text = StatementText(statement),
                   .words = std::move(words)};
  auto mark = build_.layer_marks.find(statement.range.begin);
  if (mark != build_.layer_marks.end()) {
    node.layer = mark->second;
  }
  node.inputs.insert(node.inputs.end(), inputs.begin(), inputs.end());
  state_.root = ir::AddNode(build_.graph, std::move(node));
  state_.history.push_back({{.created_by = std::move(created_by),
                             .comment = std::string(kHistoryComment)},
                            state_.root});
}

// A named context that is a folder: its files become the first layer.
void Stage::MakeBaseOfFolder() {
  const auto* files =
      std::get_if<ir::LocalFiles>(&build_.graph.nodes[state_.root].op);
  if (files == nullptr) {
    return;
  }
  SourceRange range = outline_.from->range;
  std::string name = files->name;
  std::string text = absl::StrCat("FROM context ", name);
  ir::Copy copy = {.sources = {"/"}, .destination = "/"};
  ir::NodeId empty = Shared("scratch", ir::Scratch(), range, "FROM scratch");
  state_.root = Shared(absl::StrCat("base:", name), std::move(copy), range,
                       text, {empty, state_.root});
  state_.history.insert(
      state_.history.begin(),
      {{.created_by = text, .comment = std::string(kHistoryComment)},
       state_.root});
}

ir::NodeId Stage::Shared(const std::string& name, ir::Op op, SourceRange range,
                         std::string text, std::vector<ir::NodeId> inputs) {
  auto known = build_.shared.find(name);
  if (known != build_.shared.end()) {
    return known->second;
  }
  ir::NodeId node = ir::AddNode(build_.graph, {.op = std::move(op),
                                               .inputs = std::move(inputs),
                                               .source = range,
                                               .stage = outline_.label,
                                               .text = std::move(text)});
  build_.shared[name] = node;
  return node;
}

ir::NodeId Stage::ImageNode(const ir::ImageReference& reference,
                            SourceRange range) {
  std::string text = absl::StrCat("FROM ", reference.Familiar());
  ir::BaseImage image = {.reference = reference};
  auto known = build_.bases.find(reference.Full());
  if (known != build_.bases.end()) {
    if (!HasLayers(known->second.document)) {
      return Shared("scratch", ir::Scratch(), range, "FROM scratch");
    }
    image.image_id = known->second.image_id;
  }
  return Shared(absl::StrCat("image:", reference.Full()), std::move(image),
                range, std::move(text));
}

Source Stage::Context() {
  return {Shared("context:", ir::LocalFiles(), outline_.from->range,
                 "load build context"),
          true};
}

ir::NodeId Stage::Remote(const ir::Op& op, SourceRange range) {
  const auto* file = std::get_if<ir::RemoteFile>(&op);
  const std::string& url =
      file != nullptr ? file->url : std::get<ir::GitTree>(op).url;
  return Shared(ir::PrintOp(op), op, range,
                absl::StrCat("fetch ", HidePassword(url)));
}

std::optional<ir::NodeId> Stage::OriginNode(const Origin& origin,
                                            SourceRange range) {
  switch (origin.kind) {
    case Origin::Kind::kScratch:
      return Shared("scratch", ir::Scratch(), range, "FROM scratch");
    case Origin::Kind::kContext:
      return Shared(absl::StrCat("context:", origin.context),
                    ir::LocalFiles{origin.context}, range,
                    absl::StrCat("load context ", origin.context));
    case Origin::Kind::kImage:
      return ImageNode(origin.image, range);
    case Origin::Kind::kStage:
      break;
  }
  auto stage = build_.done.find(origin.stage);
  if (stage == build_.done.end()) {
    return std::nullopt;
  }
  return stage->second.root;
}

std::optional<Source> Stage::FindSource(const OriginName& use,
                                        absl::string_view target) {
  absl::StatusOr<Origin> origin =
      FindOrigin(build_.outline.stages, build_.options, use);
  if (!origin.ok()) {
    return std::nullopt;  // Reported with the outline.
  }
  std::optional<ir::NodeId> node = OriginNode(*origin, use.range);
  if (node.has_value()) {
    // A context may stand behind the name of the stage it replaces.
    const ir::Op& op = build_.graph.nodes[*node].op;
    return Source{*node, std::holds_alternative<ir::LocalFiles>(op)};
  }
  Diagnostic early = {.code = "stage-order", .range = use.range};
  early.message =
      target.empty()
          ? absl::StrCat("cannot copy from stage \"", use.name,
                         "\", it needs to be defined before current stage \"",
                         outline_.label, "\"; move its FROM up")
          : absl::StrCat("cannot mount from stage \"", use.name, "\" to \"",
                         target,
                         "\", stage needs to be defined before current "
                         "command; move its FROM up");
  early.notes.push_back(
      {build_.outline.stages[origin->stage].Name(), "the stage is here"});
  build_.diagnostics.Add(std::move(early));
  return std::nullopt;
}

}  // namespace lamina::frontend
