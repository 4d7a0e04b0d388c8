// The user's mistakes: collected as data, rendered once.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "base/source.h"

namespace lamina {

enum class Severity { kError, kWarning, kInfo };

absl::string_view SeverityName(Severity severity);

// A second place that explains the first.
struct Note {
  std::optional<SourceRange> range;
  std::string message;
};

// A change of the text that removes the mistake.
struct Edit {
  SourceRange range;
  std::string text;
};
struct Fix {
  std::string title;
  std::vector<Edit> edits;
};

// Observation first, lower case, code in backticks, no final stop; a hint
// stands after `;`.
struct Diagnostic {
  Severity severity = Severity::kError;
  std::string code;  // Stable, for instance "unknown-stage".
  std::optional<SourceRange> range;
  std::string message;
  std::vector<Note> notes;
  std::optional<Fix> fix = std::nullopt;
};

class Diagnostics {
 public:
  void Add(Diagnostic diagnostic);
  void Error(absl::string_view code, SourceRange range, std::string message);
  void Warning(absl::string_view code, SourceRange range, std::string message);

  bool has_errors() const { return has_errors_; }
  // In reading order once Sort() was called, else in the order of discovery.
  const std::vector<Diagnostic>& all() const { return all_; }
  // Also drops what was reported twice.
  void Sort();

 private:
  std::vector<Diagnostic> all_;
  bool has_errors_ = false;
};

enum class ErrorFormat { kHuman, kShort, kJson, kSarif };

// How the printer shows diagnostics. Colours mark severity and range only.
struct RenderOptions {
  ErrorFormat format = ErrorFormat::kHuman;
  bool colour = false;
  size_t max_errors = 20;  // The rest is counted in one line.
  std::string version;     // Of this program, for SARIF.
};

// The text for stderr: `file:line:column: error: message [code]`, the line of
// source and a marker under the range, then the notes. JSON: one object a line;
// SARIF: one document, also when there is nothing to report.
std::string Render(const Diagnostics& diagnostics, const SourceFile& source,
                   const RenderOptions& options);

}  // namespace lamina
