// What the flags of `build` and `plan` mean together.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "backend/formats/formats.h"
#include "backend/plan.h"
#include "backend/remote/key_agent.h"
#include "backend/run_mounts.h"
#include "base/diagnostic.h"
#include "base/files.h"
#include "base/source.h"
#include "cli/command.h"
#include "cli/export_flags.h"
#include "cli/ignore_input.h"
#include "cli/remote_access.h"
#include "frontend/lower.h"
#include "ir/optimise.h"

namespace lamina::cli {

// One -o: a format and where it goes.
struct OutputSpec {
  const backend::Format* format = nullptr;
  backend::ExportOptions options;
};

// Everything the command line and the files it names say, before any of it is
// understood.
struct BuildInput {
  SourceFile source;
  frontend::BuildOptions frontend;
  backend::PlanOptions plan;
  std::vector<ir::ImageReference> tags;
  std::vector<OutputSpec> outputs;
  backend::LayerWriterOptions layers;
  backend::RunResources resources;
  // Unpacked contexts; they live as long as this.
  std::vector<std::shared_ptr<TempDir>> kept_folders;
  // Agents of key files, likewise.
  std::vector<std::shared_ptr<backend::KeyAgent>> key_agents;
  // Images of OCI layouts, by the full name that stands for each.
  std::map<std::string, Digest> layout_images;
  // Mistakes in the ignore files: nothing is built then.
  std::vector<FileMistakes> file_mistakes;
  std::vector<std::string> caches_to_read;  // Folders.
  std::vector<std::string> caches_to_write;
  ir::OptimiseOptions optimise;
  RenderOptions render;
  std::string level;  // "0", "1", "2", "s".
  ExportSettings exports;
  bool offline = false;  // --offline: a plan may have unknown bases.
};

// Reads the build file and the ignore files, and what contexts are fetched
// from; touches nothing else.
absl::StatusOr<BuildInput> ReadBuildInput(const Invocation& invocation,
                                          RemoteAccess& remote);

// "a=1,b=2" with RFC 4180 quoting; a field without `=` has an empty value.
absl::StatusOr<std::vector<std::pair<std::string, std::string>>> ParseFields(
    absl::string_view text);

}  // namespace lamina::cli
