// Checks and descriptions that several instructions share.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "base/diagnostic.h"
#include "base/json.h"
#include "frontend/dockerfile/stage.h"
#include "grammar/dockerfile_syntax.h"

namespace lamina::frontend {

// Where the arguments stand, or the keyword when there is none.
SourceRange ArgumentRange(const grammar::Statement& statement);

// `X requires exactly one argument`, for the instructions that take the text.
void CheckOneText(const grammar::Statement& statement,
                  Diagnostics& diagnostics);

std::vector<std::string> WordTexts(const std::vector<grammar::Word>& words);
void DescribeText(const grammar::Statement& statement, Json& object);
void DescribePairs(const grammar::Statement& statement, Json& object);

// ENV and LABEL: keys and values expanded, all in the state before. Nothing
// if one cannot be.
std::optional<std::vector<std::pair<std::string, std::string>>> ExpandPairs(
    const grammar::Statement& statement, Stage& stage);

// RUN, CMD, ENTRYPOINT: {form, command}.
void DescribeCommand(const grammar::Statement& statement, Json& object);
// The argv: the exec form's strings, or the stage's shell and `text`.
std::vector<std::string> CommandArgs(const grammar::Statement& statement,
                                     absl::string_view text,
                                     const ir::ImageConfig& config);

}  // namespace lamina::frontend
