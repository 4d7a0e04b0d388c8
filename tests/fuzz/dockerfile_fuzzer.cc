// Any bytes as a Dockerfile: read, printed, read again, described, lowered and
// checked. What prints must read as the same, a graph without errors must be
// sound, and findings stand inside the file.
#include <string>

#include "base/diagnostic.h"
#include "base/status.h"
#include "frontend/dockerfile/evaluation.h"
#include "frontend/lower.h"
#include "grammar/test_fingerprint.h"
#include "ir/verify.h"
#include "lint/lint.h"

namespace lamina {
namespace {

grammar::DockerfileSyntax Parse(const SourceFile& source,
                                Diagnostics& diagnostics) {
  return grammar::ParseDockerfile(source, frontend::DockerfileKeywords(),
                                  diagnostics);
}

// parse(print(s)) == s.
void CheckPrinting(const grammar::DockerfileSyntax& syntax) {
  SourceFile printed("Printed", grammar::PrintDockerfile(syntax));
  Diagnostics diagnostics;
  grammar::DockerfileSyntax again = Parse(printed, diagnostics);
  CHECK(!diagnostics.has_errors());
  CHECK(again.escape == syntax.escape);
  CHECK(again.statements.size() == syntax.statements.size());
  for (size_t i = 0; i < syntax.statements.size(); ++i) {
    CHECK(grammar::Fingerprint(again.statements[i]) ==
          grammar::Fingerprint(syntax.statements[i]));
  }
}

void CheckLowering(const SourceFile& source,
                   const grammar::DockerfileSyntax& syntax,
                   Diagnostics& diagnostics) {
  Diagnostics of_bases;
  frontend::FindBases(syntax, source, {}, {}, of_bases);
  Diagnostics of_description;
  frontend::DescribeDockerfile(syntax, source, of_description);
  frontend::Evaluation evaluation;
  ir::BuildGraph graph = frontend::LowerDockerfile(syntax, source, {}, {},
                                                   diagnostics, &evaluation);
  if (!diagnostics.has_errors()) {
    absl::Status sound = ir::VerifyGraph(graph);
    CHECK(sound.ok());
  }
  frontend::BuildOptions options;
  options.build_args["BUILDKIT_DOCKERFILE_CHECK"] = "experimental=all";
  lint::RunRules({source, syntax, evaluation, options, {}}, diagnostics);
  for (const Diagnostic& diagnostic : diagnostics.all()) {
    CHECK(!diagnostic.range.has_value() ||
          diagnostic.range->end <= source.text().size());
  }
}

}  // namespace
}  // namespace lamina

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace lamina;
  SourceFile source("Dockerfile",
                    std::string(reinterpret_cast<const char*>(data), size));
  Diagnostics diagnostics;
  grammar::DockerfileSyntax syntax = Parse(source, diagnostics);
  if (!diagnostics.has_errors()) {
    CheckPrinting(syntax);
  }
  CheckLowering(source, syntax, diagnostics);
  diagnostics.Sort();
  for (ErrorFormat format :
       {ErrorFormat::kHuman, ErrorFormat::kJson, ErrorFormat::kSarif}) {
    Render(diagnostics, source, {.format = format});
  }
  return 0;
}
