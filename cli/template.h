// The part of Go's text/template that people use with `--format`.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/json.h"

namespace lamina::cli {

// Expands {{.A.B}}, {{json .A}}, {{len .A}}, {{index .A 0 "k"}}, {{join .A
// ","}},
// {{upper .A}}, {{lower .A}}, {{println .A}}, {{range .A}}...{{end}} and
// {{if .A}}...{{else}}...{{end}} with `data`, and `\t`, `\n` in the text.
// Errors are usage errors: a missing field, an unknown function.
absl::StatusOr<std::string> ExpandTemplate(absl::string_view text,
                                           const Json& data);

// Indented by four blanks as docker prints it, with a final newline.
std::string PrettyJson(const Json& json);

}  // namespace lamina::cli
