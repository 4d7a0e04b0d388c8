// What lowering found out about the words of a Dockerfile: the facts that lint
// judges by, so that nothing is evaluated twice.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/source.h"
#include "frontend/dockerfile/outline.h"
#include "grammar/dockerfile_syntax.h"

namespace lamina::frontend {

// A name that no ENV, ARG, base or build argument defines.
struct UndefinedName {
  std::string name;
  std::optional<std::string> near;  // The nearest name that is known there.
};

// A word, a flag's value or a heredoc's body, its variables filled in.
struct EvaluatedWord {
  SourceRange range;
  std::string written;  // Empty for a heredoc.
  std::string value;
  std::vector<UndefinedName> undefined;  // Each once.
};

struct EvaluatedStatement {
  const grammar::Statement* statement = nullptr;
  bool has_shell = false;  // By a SHELL of the stage, its stages or its base.
  bool base_known = true;  // False: it may define any name.
  // In the order of their evaluation; of EXPOSE the ports, one each.
  std::vector<EvaluatedWord> words;

  // What `word` became; null if it was not evaluated.
  const EvaluatedWord* Find(const grammar::Word& word) const;
};

// A base image that is not for the platform of the build.
struct OtherPlatform {
  std::string image;
  Platform found;
  Platform wanted;
};

struct EvaluatedStage {
  const StageOutline* outline = nullptr;
  std::optional<OtherPlatform> other_platform;
  std::vector<EvaluatedStatement> statements;  // Triggers of the base first.
};

// Pointers into it stay good when it is moved.
struct Evaluation {
  Evaluation() = default;
  Evaluation(Evaluation&&) = default;
  Evaluation& operator=(Evaluation&&) = default;

  // The statements without mistakes of form, and every FROM.
  grammar::DockerfileSyntax sound;
  std::optional<Outline> outline;      // Nothing where MakeOutline has none.
  std::vector<EvaluatedStage> stages;  // The reached ones, as in the file.
};

}  // namespace lamina::frontend
