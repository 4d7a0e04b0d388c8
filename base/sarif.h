// Diagnostics as SARIF 2.1.0, for editors and code scanning services.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "base/diagnostic.h"
#include "base/source.h"

namespace lamina {

// What was found in one file.
struct FileDiagnostics {
  const Diagnostics& diagnostics;
  const SourceFile& source;
};

// One document with one run, whatever the number of files. Columns count code
// points from 1; an end column is the one behind the last character.
std::string RenderSarif(const std::vector<FileDiagnostics>& files,
                        absl::string_view version);

}  // namespace lamina
