// The predefined proxy arguments (dockerfile.md 7.3).
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace lamina::frontend {

// HTTP_PROXY and its likes, upper or lower case.
bool IsProxyArgument(absl::string_view name);

// NAME=value under both spellings of each proxy that is given.
std::vector<std::string> ProxyVariables(
    const std::map<std::string, std::string>& build_args);

}  // namespace lamina::frontend
