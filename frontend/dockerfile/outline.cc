#include "frontend/dockerfile/outline.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status.h"
#include "frontend/dockerfile/flags.h"
#include "frontend/dockerfile/instruction.h"
#include "frontend/dockerfile/mount.h"
#include "frontend/dockerfile/trigger.h"

namespace lamina::frontend {
namespace {

using grammar::Statement;
using grammar::Word;

// Whether expansion would change the word: a variable, a quote or an escape.
bool IsExpanded(absl::string_view word, char escape) {
  absl::StatusOr<std::string> value = ExpandWord(word, escape, {});
  return !value.ok() || *value != word;
}

Origin StageOrigin(size_t stage) {
  return {.kind = Origin::Kind::kStage, .stage = stage};
}

// Builds the outline statement by statement.
class OutlineMaker {
 public:
  OutlineMaker(const BuildOptions& options, const BaseImages& bases,
               Diagnostics& diagnostics)
      : options_(options), bases_(bases), diagnostics_(diagnostics) {}

  std::optional<Outline> Make(const grammar::DockerfileSyntax& syntax);

 private:
  bool SetPlatforms();
  void SetTargetStage(const grammar::DockerfileSyntax& syntax);
  void DeclareGlobals(const Statement& statement);
  void AddStage(const Statement& from);
  Origin FindBase(const Statement& from, StageOutline& stage);
  std::optional<FromWord> ExpandFrom(const std::string& written,
                                     SourceRange range);
  std::optional<Platform> FindPlatform(const Statement& from,
                                       StageOutline& stage);
  void AddTriggers();
  void AddNeeds(StageOutline& stage, const Statement& statement, char escape);
  bool ReportCycle();
  bool ReachesCycle(size_t stage, std::vector<int>& marks) const;
  bool FindTarget();
  void MarkReached();
  void Expansion(SourceRange range, const absl::Status& status) {
    Error("bad-expansion", range,
          absl::StrCat(status.message(), ExpansionHint(status.message())));
  }
  void Error(absl::string_view code, SourceRange range, std::string message) {
    diagnostics_.Error(code, range, std::move(message));
  }

  const BuildOptions& options_;
  const BaseImages& bases_;
  Diagnostics& diagnostics_;
  Outline outline_;
};

std::optional<Outline> OutlineMaker::Make(
    const grammar::DockerfileSyntax& syntax) {
  outline_.escape = syntax.escape;
  if (!SetPlatforms()) {
    return std::nullopt;
  }
  SetTargetStage(syntax);
  for (const Statement& statement : syntax.statements) {
    if (statement.keyword == "FROM") {
      AddStage(statement);
    } else if (!outline_.stages.empty()) {
      outline_.stages.back().body.push_back(&statement);
    } else if (statement.keyword == "ARG") {
      DeclareGlobals(statement);
    }
  }
  if (outline_.stages.empty()) {
    // What stands before a FROM was reported as such; no need to say it twice.
    if (!diagnostics_.has_errors()) {
      diagnostics_.Add({.code = "no-stages",
                        .message = "dockerfile contains no stages to build; "
                                   "add a FROM"});
    }
    return std::nullopt;
  }
  AddTriggers();
  for (StageOutline& stage : outline_.stages) {
    if (stage.base.kind == Origin::Kind::kStage) {
      stage.needs.push_back(stage.base.stage);
    }
    for (const Statement& trigger : stage.triggers) {
      AddNeeds(stage, trigger, '\\');
    }
    for (const Statement* statement : stage.body) {
      AddNeeds(stage, *statement, outline_.escape);
    }
  }
  if (!FindTarget() || ReportCycle()) {
    return std::nullopt;
  }
  MarkReached();
  return std::move(outline_);
}

bool OutlineMaker::SetPlatforms() {
  absl::StatusOr<Platform> host = HostPlatform(options_);
  absl::StatusOr<Platform> target = TargetPlatform(options_);
  absl::Status status = target.status();
  for (const auto& [key, context] : options_.named_contexts) {
    size_t mark = absl::string_view(key).find(kPlatformMark);
    if (status.ok() && mark != std::string::npos) {
      status = ParsePlatform(key.substr(mark + kPlatformMark.size()), *host)
                   .status();
    }
  }
  if (!status.ok()) {
    diagnostics_.Add(
        {.code = "bad-platform", .message = std::string(status.message())});
    return false;
  }
  outline_.host = *host;
  outline_.target_platform = *target;
  SetPlatformArguments(*target, *host, outline_.globals);
  for (const auto& [name, value] : options_.build_args) {
    if (outline_.globals.Find(name) != nullptr) {
      outline_.globals.Set(name, value);
    }
  }
  return true;
}

void OutlineMaker::SetTargetStage(const grammar::DockerfileSyntax& syntax) {
  std::string name = options_.target;
  if (name.empty()) {
    for (const Statement& statement : syntax.statements) {
      if (statement.keyword == "FROM") {
        name = statement.words.size() == 3
                   ? absl::AsciiStrToLower(statement.words[2].text)
                   : "";
      }
    }
  }
  auto given = options_.build_args.find("TARGETSTAGE");
  if (given != options_.build_args.end()) {
    name = given->second;
  }
  outline_.globals.Set("TARGETSTAGE", name.empty() ? "default" : name);
}

void OutlineMaker::DeclareGlobals(const Statement& statement) {
  for (const grammar::KeyValue& pair : statement.pairs) {
    auto given = options_.build_args.find(pair.key.text);
    if (given != options_.build_args.end()) {
      outline_.globals.Set(pair.key.text, given->second);
    } else if (pair.value.has_value()) {
      absl::StatusOr<std::string> value =
          ExpandWord(pair.value->text, outline_.escape, outline_.globals);
      if (!value.ok()) {
        Expansion(pair.value->range, value.status());
        continue;
      }
      outline_.globals.Set(pair.key.text, *value);
    }
  }
}

void OutlineMaker::AddStage(const Statement& from) {
  StageOutline stage;
  stage.from = &from;
  if (from.words.size() == 3) {
    stage.name = absl::AsciiStrToLower(from.words[2].text);
  }
  stage.label =
      stage.name.empty() ? absl::StrCat(outline_.stages.size()) : stage.name;
  stage.platform = FindPlatform(from, stage);
  stage.base = FindBase(from, stage);
  outline_.stages.push_back(std::move(stage));
}

Origin OutlineMaker::FindBase(const Statement& from, StageOutline& stage) {
  const Platform& platform = stage.platform.has_value()
                                 ? *stage.platform
                                 : outline_.target_platform;
  if (std::optional<Origin> context =
          FindContext(options_, stage.name, platform)) {
    stage.replaced = true;
    return *std::move(context);
  }
  if (from.words.empty()) {
    return {};
  }
  const Word& word = from.words[0];
  stage.base_word = ExpandFrom(word.text, word.range);
  if (!stage.base_word.has_value()) {
    return {};
  }
  const std::string& base = stage.base_word->value;
  if (base.empty()) {
    Error("bad-base", word.range,
          absl::StrCat("base name (", word.text,
                       ") should not be blank; give the variable a value with "
                       "an ARG before the first FROM"));
    return {};
  }
  // The latest stage of that name so far, as written: stage names are lower
  // case, and so a name with capitals is none.
  for (size_t i = outline_.stages.size(); i-- > 0;) {
    if (outline_.stages[i].name == base) {
      return StageOrigin(i);
    }
  }
  absl::StatusOr<Origin> origin = FindOutside(options_, base, platform);
  if (!origin.ok()) {
    Diagnostic bad = {.code = "bad-base",
                      .range = word.range,
                      .message = std::string(origin.status().message())};
    for (const StageOutline& stage : outline_.stages) {
      if (!stage.name.empty() && absl::EqualsIgnoreCase(stage.name, base)) {
        bad.notes.push_back(
            {stage.from->words[2].range,
             absl::StrCat("FROM finds this stage as `", stage.name, "`")});
      }
    }
    diagnostics_.Add(std::move(bad));
    return {};
  }
  return *std::move(origin);
}

std::optional<FromWord> OutlineMaker::ExpandFrom(const std::string& written,
                                                 SourceRange range) {
  FromWord word = {.written = written, .range = range};
  absl::StatusOr<std::string> value =
      ExpandWord(written, outline_.escape, outline_.globals, &word.names);
  if (!value.ok()) {
    Expansion(range, value.status());
    return std::nullopt;
  }
  word.value = *std::move(value);
  return word;
}

std::optional<Platform> OutlineMaker::FindPlatform(const Statement& from,
                                                   StageOutline& stage) {
  const grammar::Flag* flag = FindFlag(from, "platform");
  if (flag == nullptr || !flag->value.has_value()) {
    return std::nullopt;
  }
  stage.platform_word = ExpandFrom(*flag->value, flag->value_range);
  if (!stage.platform_word.has_value()) {
    return std::nullopt;
  }
  const std::string& text = stage.platform_word->value;
  if (text.empty()) {
    Error("bad-platform", flag->value_range,
          absl::StrCat("empty platform value from expression ", *flag->value,
                       "; write one such as linux/amd64"));
    return std::nullopt;
  }
  absl::StatusOr<Platform> platform = ParsePlatform(text, outline_.host);
  if (!platform.ok()) {
    Error("bad-platform", flag->value_range,
          std::string(platform.status().message()));
    return std::nullopt;
  }
  return *std::move(platform);
}

void OutlineMaker::AddTriggers() {
  for (StageOutline& stage : outline_.stages) {
    // A context that replaces a stage replaces its instructions too.
    if (stage.replaced) {
      stage.body.clear();
      continue;
    }
    std::vector<std::string> texts;
    if (stage.base.kind == Origin::Kind::kStage) {
      for (const Statement* statement :
           outline_.stages[stage.base.stage].body) {
        if (statement->keyword == "ONBUILD") {
          texts.push_back(TriggerText(*statement));
        }
      }
    } else if (stage.base.kind == Origin::Kind::kImage) {
      auto base = bases_.find(stage.base.image.Full());
      if (base != bases_.end()) {
        texts = base->second.document.config.on_build;
      }
    }
    for (const std::string& text : texts) {
      std::optional<Statement> trigger =
          ParseTrigger(text, stage.BaseWord(), diagnostics_);
      if (trigger.has_value()) {
        trigger->range = stage.from->range;
        stage.triggers.push_back(*std::move(trigger));
      }
    }
  }
}

void OutlineMaker::AddNeeds(StageOutline& stage, const Statement& statement,
                            char escape) {
  for (const OriginName& use : OriginNames(statement)) {
    if (statement.keyword == "COPY" && IsExpanded(use.name, escape)) {
      Error("bad-source", use.range,
            "variable expansion is not supported for --from, define a new "
            "stage with FROM using ARG from global scope as a workaround");
      continue;
    }
    absl::StatusOr<Origin> origin = FindOrigin(outline_.stages, options_, use);
    if (!origin.ok()) {
      Error("bad-source", use.range, std::string(origin.status().message()));
    } else if (origin->kind == Origin::Kind::kStage) {
      stage.needs.push_back(origin->stage);
    }
  }
}

bool OutlineMaker::ReachesCycle(size_t stage, std::vector<int>& marks) const {
  constexpr int kOnPath = 1;
  constexpr int kDone = 2;
  if (marks[stage] != 0) {
    return marks[stage] == kOnPath;
  }
  marks[stage] = kOnPath;
  for (size_t need : outline_.stages[stage].needs) {
    if (ReachesCycle(need, marks)) {
      return true;
    }
  }
  marks[stage] = kDone;
  return false;
}

bool OutlineMaker::ReportCycle() {
  std::vector<int> marks(outline_.stages.size());
  for (size_t i = 0; i < outline_.stages.size(); ++i) {
    if (ReachesCycle(i, marks)) {
      const StageOutline& stage = outline_.stages[i];
      Error("stage-cycle", stage.Name(),
            absl::StrCat("circular dependency detected on stage: ", stage.label,
                         "; it needs itself by FROM, COPY --from or a mount"));
      return true;
    }
  }
  return false;
}

bool OutlineMaker::FindTarget() {
  outline_.target = outline_.stages.size() - 1;
  if (options_.target.empty()) {
    return true;
  }
  std::string wanted = absl::AsciiStrToLower(options_.target);
  std::vector<std::string> names;
  for (size_t i = outline_.stages.size(); i-- > 0;) {
    if (outline_.stages[i].name == wanted) {
      outline_.target = i;
      return true;
    }
    names.push_back(outline_.stages[i].name);
  }
  std::erase(names, "");
  std::string hint = DidYouMean(wanted, names);
  if (hint.empty()) {
    std::reverse(names.begin(), names.end());
    hint = names.empty()
               ? "; no stage has a name: write `FROM IMAGE AS NAME`"
               : absl::StrCat("; the stages are ", absl::StrJoin(names, ", "));
  }
  diagnostics_.Add({.code = "unknown-target",
                    .message = absl::StrCat("target stage \"", options_.target,
                                            "\" could not be found", hint)});
  return false;
}

void OutlineMaker::MarkReached() {
  std::vector<size_t> open = {outline_.target};
  for (size_t i = 0; options_.every_stage && i < outline_.stages.size(); ++i) {
    open.push_back(i);
  }
  while (!open.empty()) {
    StageOutline& stage = outline_.stages[open.back()];
    open.pop_back();
    if (!stage.reached) {
      stage.reached = true;
      open.insert(open.end(), stage.needs.begin(), stage.needs.end());
    }
  }
}

}  // namespace

std::vector<OriginName> OriginNames(const Statement& statement) {
  std::vector<OriginName> names;
  bool copies = statement.keyword == "COPY";
  if (!copies && statement.keyword != "RUN") {
    return names;
  }
  for (const grammar::Flag& flag : statement.flags) {
    if (!flag.value.has_value()) {
      continue;
    }
    if (copies && flag.name == "from" && !flag.value->empty()) {
      names.push_back({*flag.value, true, flag.value_range});
    } else if (!copies && flag.name == "mount") {
      MountMistake ignored;
      absl::StatusOr<MountFrom> from = ParseMountFrom(*flag.value, ignored);
      if (from.ok() && !from->name.empty() && !from->ignored) {
        names.push_back(
            {std::move(from->name), false, ValuePart(flag, from->place)});
      }
    }
  }
  return names;
}

absl::StatusOr<Origin> FindOrigin(const std::vector<StageOutline>& stages,
                                  const BuildOptions& options,
                                  const OriginName& use) {
  int64_t index = 0;
  if (use.may_be_index && absl::SimpleAtoi(use.name, &index)) {
    if (index < 0 || static_cast<uint64_t>(index) >= stages.size()) {
      return absl::InvalidArgumentError(absl::StrCat(
          "invalid stage index ", index, "; ",
          stages.size() == 1
              ? "there is only stage 0"
              : absl::StrCat("the stages are 0 to ", stages.size() - 1)));
    }
    return StageOrigin(index);
  }
  // The last definition in the file, not the latest so far.
  std::string lower = absl::AsciiStrToLower(use.name);
  for (size_t i = stages.size(); i-- > 0;) {
    if (stages[i].name == lower) {
      return StageOrigin(i);
    }
  }
  ASSIGN_OR_RETURN(Platform platform, TargetPlatform(options));
  return FindOutside(options, use.name, platform);
}

std::optional<Outline> MakeOutline(const grammar::DockerfileSyntax& syntax,
                                   const BuildOptions& options,
                                   const BaseImages& bases,
                                   Diagnostics& diagnostics) {
  return OutlineMaker(options, bases, diagnostics).Make(syntax);
}

}  // namespace lamina::frontend
