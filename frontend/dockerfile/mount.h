// RUN --mount (dockerfile.md 9.1).
#pragma once

#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/source.h"
#include "ir/op.h"

namespace lamina::frontend {

struct MountSpec {
  // Target and source as written; ids and targets are not filled in yet.
  ir::Mount mount;
  std::string from;          // Stage, image or context; empty without one.
  SourceRange source_place;  // Of the source in the record; the whole without.
};

using ValueExpander =
    absl::FunctionRef<absl::StatusOr<std::string>(absl::string_view)>;

// Where in the text a mistake is, and the word that may have been meant there.
struct MountMistake {
  SourceRange place;
  std::string better;
};

// Reads a value of --mount. All values but `from` are expanded.
absl::StatusOr<MountSpec> ParseMount(absl::string_view text,
                                     ValueExpander expand,
                                     MountMistake& mistake);

struct MountFrom {
  std::string name;      // Empty without one.
  SourceRange place;     // In the text.
  bool ignored = false;  // By this type of mount: tmpfs, ssh.
};

// Only `from`, which needs no variables: what is known before a stage is
// evaluated. Errors: a record that is no CSV, a `from` with a variable.
absl::StatusOr<MountFrom> ParseMountFrom(absl::string_view text,
                                         MountMistake& mistake);

}  // namespace lamina::frontend
