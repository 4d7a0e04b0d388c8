// What COPY and ADD have in common (dockerfile.md 10).
#pragma once

#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "base/diagnostic.h"
#include "base/json.h"
#include "frontend/dockerfile/stage.h"
#include "grammar/dockerfile_syntax.h"

namespace lamina::frontend {

void CheckCopy(const grammar::Statement& statement, Diagnostics& diagnostics);
void DescribeCopy(const grammar::Statement& statement, Json& object);

// What an instruction makes of its sources.
class CopyRules {
 public:
  virtual ~CopyRules() = default;
  // One source, expanded. False if the instruction does not take it, which is
  // reported; sets `remote` for what is fetched.
  virtual bool Accept(const std::string& source, SourceRange range,
                      std::optional<ir::Op>& remote) = 0;
  // ADD: archives of the context, and fetched ones, are unpacked.
  bool unpack = false;
  bool unpack_remote = false;
};

// The step of a COPY or ADD.
void LowerCopy(const grammar::Statement& statement, CopyRules& rules,
               Stage& stage);

// The expanded value of a string flag; "" without one, nothing on an error.
std::optional<std::string> ExpandFlag(const grammar::Statement& statement,
                                      absl::string_view name, Stage& stage);

}  // namespace lamina::frontend
