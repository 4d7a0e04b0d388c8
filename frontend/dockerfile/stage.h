// What instructions see and change while their stage is lowered.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "base/diagnostic.h"
#include "frontend/dockerfile/evaluation.h"
#include "frontend/dockerfile/expand.h"
#include "frontend/dockerfile/layer_marks.h"
#include "frontend/dockerfile/outline.h"
#include "frontend/lower.h"
#include "grammar/dockerfile_syntax.h"
#include "ir/graph.h"
#include "ir/image_config.h"

namespace lamina::frontend {

inline constexpr absl::string_view kHistoryComment = "buildkit.dockerfile.v0";

// What a stage hands on to the stages built FROM it.
struct StageState {
  ir::NodeId root;
  ir::ImageConfig config;
  std::vector<ir::HistoryStep> history;
  Variables variables;  // ENV and ARG; later assignments win.
  // Declared ARGs, once each; the value counts where `variables` has none.
  std::vector<std::pair<std::string, std::string>> arguments;
};

// What the stages of one file share.
struct Build {
  const BuildOptions& options;
  const BaseImages& bases;
  const Outline& outline;
  Diagnostics& diagnostics;
  Evaluation& evaluation;
  ir::BuildGraph graph;
  // By position of the stage; only those that were lowered already.
  std::map<size_t, StageState> done;
  // By the first byte of the statement.
  LayerMarks layer_marks;
  // Nodes that stand for the same thing wherever it is used, by its name.
  std::map<std::string, ir::NodeId> shared;
};

// A tree to copy or mount from.
struct Source {
  ir::NodeId node;
  bool is_context = false;  // A folder of the user, where owners mean nothing.
};

class Stage {
 public:
  // Begins with the configuration and history of the base.
  Stage(Build& build, size_t position);

  // Runs the triggers of the base, then the stage's own instructions.
  // What is left to do on a folder that stands for a base is only done for the
  // target. What was found out goes to the evaluation.
  StageState Lower(bool is_target);

  StageState& state() { return state_; }
  const StageState& state() const { return state_; }
  ir::ImageConfig& config() { return state_.config; }
  const Build& build() const { return build_; }
  // Whether this stage had a CMD: an ENTRYPOINT then keeps it.
  bool has_cmd = false;

  // The value of a word; nothing if it has none, which is reported.
  std::optional<std::string> Expand(const grammar::Word& word);
  std::optional<std::string> Expand(absl::string_view text, SourceRange range);
  std::optional<std::vector<std::string>> ExpandAll(
      const std::vector<grammar::Word>& words);
  char escape() const { return escape_; }
  // What `text` is expanded with. Behind a base that is unknown, a variable
  // may have another value than we know: a ValueError of this statement is then
  // a warning.
  const Variables& VariablesFor(absl::string_view text);
  bool guesses() const { return guesses_; }
  // Notes what a word of the statement became, for lint.
  void Note(SourceRange range, absl::string_view written, std::string value,
            const UsedNames& names = {});

  void Error(absl::string_view code, SourceRange range, std::string message);
  // An error that lies in the value of a word, not in its form.
  void ValueError(absl::string_view code, SourceRange range,
                  std::string message);
  void AddValueError(Diagnostic diagnostic);
  void Warning(absl::string_view code, SourceRange range, std::string message);

  // Adds a history entry without a layer.
  void CommitConfig(std::string created_by);
  // Adds a step on top of the stage and its history entry; `inputs` come
  // after the stage's own tree, `words` are the places of its sources.
  void CommitStep(const grammar::Statement& statement, ir::Op op,
                  const std::vector<ir::NodeId>& inputs, std::string created_by,
                  ir::Places words = {});

  Source Context();
  // The tree of a RemoteFile or GitTree; equal ones are one node.
  ir::NodeId Remote(const ir::Op& op, SourceRange range);
  // Nothing if the name cannot be used here, which is reported. `target` is of
  // a mount; empty for a copy.
  std::optional<Source> FindSource(const OriginName& use,
                                   absl::string_view target);

 private:
  void BeginFrom(const Origin& base);
  void BeginFromImage(const ir::ImageReference& reference);
  bool CheckPlatformWord();  // False if it is reported.
  void NotePlatform(const ir::ImageReference& reference);
  void FinishBase();
  void LowerStatement(const grammar::Statement& statement, char escape);
  std::optional<ir::NodeId> OriginNode(const Origin& origin, SourceRange range);
  ir::NodeId Shared(const std::string& name, ir::Op op, SourceRange range,
                    std::string text, std::vector<ir::NodeId> inputs = {});
  void MakeBaseOfFolder();
  ir::NodeId ImageNode(const ir::ImageReference& reference, SourceRange range);

  Build& build_;
  const StageOutline& outline_;
  EvaluatedStage facts_;
  StageState state_;
  char escape_;
  bool guesses_ = false;  // In the statement that is lowered.
};

// The statement on one line, as progress shows it.
std::string StatementText(const grammar::Statement& statement);

}  // namespace lamina::frontend
