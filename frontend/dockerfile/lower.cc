#include "frontend/lower.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/text.h"
#include "frontend/dockerfile/directives.h"
#include "frontend/dockerfile/evaluation.h"
#include "frontend/dockerfile/flags.h"
#include "frontend/dockerfile/instruction.h"
#include "frontend/dockerfile/layer_marks.h"
#include "frontend/dockerfile/outline.h"
#include "frontend/dockerfile/proxy.h"
#include "frontend/dockerfile/stage.h"

namespace lamina::frontend {
namespace {

using grammar::DockerfileSyntax;
using grammar::Statement;

// The statements that can be lowered. A FROM stays whatever is wrong with it,
// or its instructions would seem to belong to the stage before.
DockerfileSyntax KeepSound(const DockerfileSyntax& syntax,
                           Diagnostics& diagnostics) {
  DockerfileSyntax sound = syntax;
  sound.statements.clear();
  bool in_stage = false;
  for (const Statement& statement : syntax.statements) {
    bool is_from = statement.keyword == "FROM";
    in_stage = in_stage || is_from;
    bool fits = CheckStatement(statement, diagnostics);
    if (!in_stage && statement.keyword != "ARG") {
      diagnostics.Error("no-stage", statement.keyword_word.range,
                        "no build stage in current context; write a FROM "
                        "before it");
    } else if (fits || is_from) {
      sound.statements.push_back(statement);
    }
  }
  return sound;
}

// The configuration that the target promises, with what the command line says.
void FinishConfig(const BuildOptions& options, const Platform& platform,
                  ir::ImageConfig& config) {
  for (const auto& [name, value] : options.labels) {
    config.labels[name] = value;
  }
  if (options.platform.empty()) {
    return;
  }
  bool other =
      config.os != platform.os || config.architecture != platform.architecture;
  config.os = platform.os;
  config.architecture = platform.architecture;
  if (other || !platform.variant.empty()) {
    config.variant = platform.variant;
  }
  if (other || !platform.os_version.empty()) {
    config.os_version = platform.os_version;
  }
  Platform result = {config.os, config.architecture, config.variant, ""};
  NormalisePlatform(result);
  config.architecture = result.architecture;
  config.variant = result.variant;
}

void CollectArguments(const Statement& statement,
                      std::vector<std::string>& names) {
  if (statement.keyword == "ARG") {
    for (const grammar::KeyValue& pair : statement.pairs) {
      names.push_back(pair.key.text);
    }
  }
}

constexpr absl::string_view kUndeclaredHint =
    "; declare it in the stage that uses it";

bool IsPredefined(absl::string_view name) {
  return IsProxyArgument(name) || absl::StartsWith(name, "BUILDKIT_") ||
         name == "SOURCE_DATE_EPOCH";
}

void WarnUnusedArguments(const BuildOptions& options,
                         const DockerfileSyntax& syntax, const Outline& outline,
                         Diagnostics& diagnostics) {
  std::vector<std::string> declared;
  for (const Statement& statement : syntax.statements) {
    CollectArguments(statement, declared);
  }
  for (const StageOutline& stage : outline.stages) {
    for (const Statement& trigger : stage.triggers) {
      CollectArguments(trigger, declared);
    }
  }
  for (const auto& [name, value] : options.build_args) {
    bool known = std::count(declared.begin(), declared.end(), name) > 0 ||
                 outline.globals.Find(name) != nullptr || IsPredefined(name);
    if (!known) {
      std::string hint = DidYouMean(name, declared);
      diagnostics.Add(
          {.severity = Severity::kWarning,
           .code = "unused-build-arg",
           .message = absl::StrCat("build argument `", name,
                                   "` is declared by no ARG of this file",
                                   hint.empty() ? kUndeclaredHint : hint)});
    }
  }
}

bool CheckTargetPlatform(const Outline& outline, Diagnostics& diagnostics) {
  if (outline.target_platform.os == "linux") {
    return true;
  }
  diagnostics.Add({.code = "unsupported-platform",
                   .message = absl::StrCat(
                       "platform ", outline.target_platform.Text(),
                       " is not supported; only linux images are "
                       "built",
                       DidYouMean(outline.target_platform.os, {"linux"}))});
  return false;
}

}  // namespace

std::vector<BaseUse> FindBases(const DockerfileSyntax& syntax,
                               const SourceFile& /*source*/,
                               const BuildOptions& options,
                               const BaseImages& bases,
                               Diagnostics& diagnostics) {
  std::vector<BaseUse> uses;
  std::optional<Outline> outline =
      MakeOutline(syntax, options, bases, diagnostics);
  if (!outline.has_value()) {
    return uses;
  }
  std::vector<std::string> stage_names;
  for (const StageOutline& stage : outline->stages) {
    if (!stage.name.empty()) {
      stage_names.push_back(stage.name);
    }
  }
  auto add = [&](const Origin& origin, SourceRange range, bool written) {
    bool known = std::any_of(uses.begin(), uses.end(), [&](const BaseUse& use) {
      return use.reference == origin.image;
    });
    if (origin.kind == Origin::Kind::kImage && !known) {
      // What a trigger says cannot be changed here.
      uses.push_back(
          {origin.image, range,
           written ? Closest(origin.image.FamiliarRepository(), stage_names)
                   : std::nullopt});
    }
  };
  auto add_all = [&](const Statement& statement, bool written) {
    for (const OriginName& use : OriginNames(statement)) {
      absl::StatusOr<Origin> origin = FindOrigin(outline->stages, options, use);
      if (origin.ok()) {
        add(*origin, use.range, written);
      }
    }
  };
  for (const StageOutline& stage : outline->stages) {
    if (!stage.reached) {
      continue;
    }
    if (!stage.from->words.empty()) {
      add(stage.base, stage.from->words[0].range, true);
    }
    for (const Statement& trigger : stage.triggers) {
      add_all(trigger, false);
    }
    for (const Statement* statement : stage.body) {
      add_all(*statement, true);
    }
  }
  return uses;
}

std::vector<UnreachedStep> FindUnreachedSteps(const DockerfileSyntax& syntax,
                                              const BuildOptions& options,
                                              const BaseImages& bases) {
  std::vector<UnreachedStep> steps;
  Diagnostics ignored;  // Lowering reports the same mistakes.
  std::optional<Outline> outline = MakeOutline(syntax, options, bases, ignored);
  if (!outline.has_value()) {
    return steps;
  }
  for (const StageOutline& stage : outline->stages) {
    if (stage.reached) {
      continue;
    }
    for (const Statement* statement : stage.body) {
      if (MakesStep(*statement)) {
        steps.push_back(
            {stage.label, StatementText(*statement), statement->range});
      }
    }
  }
  return steps;
}

ir::BuildGraph LowerDockerfile(const DockerfileSyntax& syntax,
                               const SourceFile& /*source*/,
                               const BuildOptions& options,
                               const BaseImages& bases,
                               Diagnostics& diagnostics,
                               Evaluation* evaluation) {
  Evaluation unwanted;
  Evaluation& facts = evaluation == nullptr ? unwanted : *evaluation;
  CheckSyntaxDirective(syntax, options, diagnostics);
  facts.sound = KeepSound(syntax, diagnostics);
  const DockerfileSyntax& sound = facts.sound;
  facts.outline = MakeOutline(sound, options, bases, diagnostics);
  const std::optional<Outline>& outline = facts.outline;
  if (!outline.has_value() || !CheckTargetPlatform(*outline, diagnostics)) {
    return {};
  }
  WarnUnusedArguments(options, sound, *outline, diagnostics);

  Build build = {.options = options,
                 .bases = bases,
                 .outline = *outline,
                 .diagnostics = diagnostics,
                 .evaluation = facts,
                 .layer_marks = ReadLayerMarks(sound, diagnostics)};
  for (size_t i = 0; i < outline->stages.size(); ++i) {
    if (outline->stages[i].reached) {
      build.done[i] = Stage(build, i).Lower(i == outline->target);
    }
  }
  StageState& last = build.done.at(outline->target);
  FinishConfig(options, outline->target_platform, last.config);
  build.graph.targets.push_back({.name = outline->stages[outline->target].label,
                                 .root = last.root,
                                 .config = std::move(last.config),
                                 .history = std::move(last.history)});
  return std::move(build.graph);
}

}  // namespace lamina::frontend
