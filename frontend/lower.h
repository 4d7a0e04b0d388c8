// Syntax -> build graph.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/diagnostic.h"
#include "grammar/dockerfile_syntax.h"
#include "ir/graph.h"
#include "ir/image_config.h"
#include "ir/image_reference.h"

namespace lamina::frontend {

// What `--build-context NAME=...` puts in the place of a stage, a base or a
// source.
struct NamedContext {
  enum class Kind { kFolder, kImage, kScratch };
  Kind kind = Kind::kFolder;  // A folder is the LocalFiles of that name.
  ir::ImageReference image;
};

// What the command line says about the meaning of the build file. Environment,
// clock and host come in here and nowhere else.
struct BuildOptions {
  std::map<std::string, std::string> build_args;
  std::string target;  // Empty: the last stage.
  std::map<std::string, std::string> labels;
  std::string platform;  // "os/arch[/variant]"; empty: host.
  std::string host_platform = "linux/amd64";
  // By name; `NAME::OS/ARCH` counts for that platform only.
  std::map<std::string, NamedContext> named_contexts;
  ir::NetworkMode network = ir::NetworkMode::kDefault;
  std::set<std::string> allowed;  // "security.insecure", "network.host".
  // Seconds since the epoch, of a build context that was fetched.
  std::optional<int64_t> context_time;
  bool every_stage = false;  // Also those that the target does not reach.
};

struct Evaluation;  // frontend/dockerfile/evaluation.h

// A base as the store or a registry has it.
struct BaseInfo {
  Digest image_id;
  ir::ImageDocument document;
};

// By ImageReference::Full(). An image that is not here is unknown: the caller
// has reported it, or plans offline.
using BaseImages = std::map<std::string, BaseInfo>;

// An image that the target needs, and where it was asked for.
struct BaseUse {
  ir::ImageReference reference;
  SourceRange range;
  // The stage whose name is near to what was written, if one is.
  std::optional<std::string> near_stage = std::nullopt;
};

// The table of all instructions, for ParseDockerfile.
std::vector<grammar::KeywordShape> DockerfileKeywords();

// The images that the chosen target reaches by FROM, COPY --from and mounts,
// each once, in the order of their first use. Needs no image, but finds what
// the triggers of a base name only when that base is in `bases`. Reports only
// what prevents the answer; Lower reports everything.
std::vector<BaseUse> FindBases(const grammar::DockerfileSyntax& syntax,
                               const SourceFile& source,
                               const BuildOptions& options,
                               const BaseImages& bases,
                               Diagnostics& diagnostics);

// The time of everything new, in seconds since the epoch: the build argument
// SOURCE_DATE_EPOCH, else a global ARG of that name. Nothing when neither gives
// one, or when it cannot be used, which is reported.
std::optional<int64_t> FindEpoch(const grammar::DockerfileSyntax& syntax,
                                 const BuildOptions& options,
                                 Diagnostics& diagnostics);

// Turns a Dockerfile into a build graph with one target. Reports every mistake
// it can find; the graph is meaningful only if no error was reported. Stages
// that the target does not reach are checked and leave no nodes.
// Warnings: unused build arguments (with the nearest declared name).
// `evaluation` may be null; else it is filled also where there are errors.
ir::BuildGraph LowerDockerfile(const grammar::DockerfileSyntax& syntax,
                               const SourceFile& source,
                               const BuildOptions& options,
                               const BaseImages& bases,
                               Diagnostics& diagnostics,
                               Evaluation* evaluation = nullptr);

// A step of a stage that the target does not reach.
struct UnreachedStep {
  std::string stage;
  std::string text;
  SourceRange range;
};
// In the order of the file. Empty where FindBases has no answer either.
std::vector<UnreachedStep> FindUnreachedSteps(
    const grammar::DockerfileSyntax& syntax, const BuildOptions& options,
    const BaseImages& bases);

// What `lamina parse --format=json` prints for one file: the reading of the
// reference parser, without a final newline.
std::string DescribeDockerfile(const grammar::DockerfileSyntax& syntax,
                               const SourceFile& source,
                               Diagnostics& diagnostics);

}  // namespace lamina::frontend
