#include "frontend/dockerfile/proxy.h"

#include <array>

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace lamina::frontend {
namespace {

constexpr std::array<absl::string_view, 5> kNames = {
    "HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY"};

}  // namespace

bool IsProxyArgument(absl::string_view name) {
  std::string upper = absl::AsciiStrToUpper(name);
  return absl::c_linear_search(kNames, upper) &&
         (name == upper || name == absl::AsciiStrToLower(name));
}

std::vector<std::string> ProxyVariables(
    const std::map<std::string, std::string>& build_args) {
  std::vector<std::string> variables;
  for (absl::string_view name : kNames) {
    std::string lower = absl::AsciiStrToLower(name);
    auto given = build_args.find(std::string(name));
    if (given == build_args.end()) {
      given = build_args.find(lower);
    }
    if (given != build_args.end()) {
      variables.push_back(absl::StrCat(name, "=", given->second));
      variables.push_back(absl::StrCat(lower, "=", given->second));
    }
  }
  return variables;
}

}  // namespace lamina::frontend
