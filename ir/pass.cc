#include "ir/pass.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "ir/verify.h"

namespace lamina::ir {

#define PASS(name) extern const Pass name;
#include "ir/passes/pipeline.def"
#undef PASS

namespace {

// A pass that breaks a graph must be caught before its result is built.
void CheckGraph(const BuildGraph& graph, absl::string_view after) {
#ifndef NDEBUG
  absl::Status status = VerifyGraph(graph);
  if (!status.ok()) {
    std::string broken = absl::StrCat("after ", after, ": ", status.message());
    CheckFailed(__FILE__, __LINE__, broken.c_str());
  }
#else
  static_cast<void>(graph);
  static_cast<void>(after);
#endif
}

}  // namespace

std::vector<const Pass*> AllPasses() {
  return {
#define PASS(name) &name,
#include "ir/passes/pipeline.def"
#undef PASS
  };
}

BuildGraph Optimise(BuildGraph graph, Level level) {
  CheckGraph(graph, "lowering");
  for (const Pass* pass : AllPasses()) {
    if (pass->since <= level) {
      graph = pass->run(graph);
      CheckGraph(graph, pass->name);
    }
  }
  return graph;
}

}  // namespace lamina::ir
