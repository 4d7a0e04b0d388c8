#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "frontend/dockerfile/arguments.h"
#include "frontend/dockerfile/go_text.h"
#include "frontend/dockerfile/instruction.h"

namespace lamina::frontend {
namespace {

using grammar::Statement;
using grammar::Word;

constexpr absl::string_view kPortHint =
    "; it is a number from 0 to 65535, or FIRST-LAST";

struct PortRange {
  int first = 0;
  int last = 0;
};

std::optional<int> ReadPort(absl::string_view text) {
  int port = 0;
  bool digits = text.find_first_not_of("0123456789") == text.npos;
  return digits && absl::SimpleAtoi(text, &port) && port <= 65535
             ? std::optional(port)
             : std::nullopt;
}

std::optional<PortRange> ReadRange(absl::string_view text) {
  size_t dash = text.find('-');
  std::optional<int> first = ReadPort(text.substr(0, dash));
  std::optional<int> last =
      dash == text.npos ? first : ReadPort(text.substr(dash + 1));
  if (!first.has_value() || !last.has_value() || *first > *last) {
    return std::nullopt;
  }
  return PortRange{*first, *last};
}

bool IsAddress(absl::string_view ip) {
  if (ip.find(':') != ip.npos) {
    return ip.find_first_not_of("0123456789abcdefABCDEF:.%") == ip.npos;
  }
  int parts = 0;
  while (true) {
    size_t dot = ip.find('.');
    int part = 0;
    absl::string_view digits = ip.substr(0, dot);
    if (digits.find_first_not_of("0123456789") != digits.npos ||
        digits.size() > 3 || !absl::SimpleAtoi(digits, &part) || part > 255) {
      return false;
    }
    ++parts;
    if (dot == ip.npos) {
      return parts == 4;
    }
    ip.remove_prefix(dot + 1);
  }
}

// Cuts the text behind the last colon off `rest`.
absl::string_view TakeLast(absl::string_view& rest) {
  size_t colon = rest.rfind(':');
  bool found = colon != rest.npos;
  absl::string_view last = found ? rest.substr(colon + 1) : rest;
  rest = found ? rest.substr(0, colon) : absl::string_view();
  return last;
}

template <typename... Parts>
absl::Status Invalid(const Parts&... parts) {
  return absl::InvalidArgumentError(absl::StrCat("invalid ", parts...));
}

// "[ip:][host:]port[-port][/proto]" as "port/proto", one a port. Address and
// host port are checked and dropped.
absl::StatusOr<std::vector<std::string>> ReadPorts(absl::string_view word) {
  absl::string_view rest = word;
  std::string protocol = "tcp";
  if (size_t slash = rest.find('/'); slash != rest.npos) {
    if (slash + 1 < rest.size()) {
      protocol = absl::AsciiStrToLower(rest.substr(slash + 1));
    }
    rest = rest.substr(0, slash);
  }
  absl::string_view container = TakeLast(rest);
  absl::string_view host = TakeLast(rest);
  absl::string_view ip = rest;
  if (ip.size() > 2 && ip.front() == '[' && ip.back() == ']') {
    ip = ip.substr(1, ip.size() - 2);
  }
  if (container.empty()) {
    return Invalid("port: ", GoQuote(word),
                   ": no port specified; write a port, as in `80/tcp`");
  }
  std::string hint = DidYouMean(protocol, {"tcp", "udp", "sctp"});
  if (protocol != "tcp" && protocol != "udp" && protocol != "sctp") {
    return Invalid("port: ", GoQuote(word), ": invalid proto: ", protocol,
                   hint.empty() ? "; it is tcp, udp or sctp" : hint);
  }
  if (!ip.empty() && !IsAddress(ip)) {
    return Invalid("IP address: ", ip, "; write one such as 127.0.0.1");
  }
  std::optional<PortRange> ports = ReadRange(container);
  if (!ports.has_value()) {
    return Invalid("containerPort: ", container, kPortHint);
  }
  if (!host.empty()) {
    std::optional<PortRange> hosts = ReadRange(host);
    if (!hosts.has_value()) {
      return Invalid("hostPort: ", host, kPortHint);
    }
    if (ports->first != ports->last &&
        ports->last - ports->first != hosts->last - hosts->first) {
      return Invalid(
          "ranges specified for container and host Ports: ", container, " and ",
          host, "; give both the same number of ports");
    }
  }
  std::vector<std::string> result;
  for (int port = ports->first; port <= ports->last; ++port) {
    result.push_back(absl::StrCat(port, "/", protocol));
  }
  return result;
}

// Raw words are sorted before anything else happens to them.
std::vector<Word> SortedWords(const Statement& statement) {
  std::vector<Word> words = statement.words;
  std::stable_sort(
      words.begin(), words.end(),
      [](const Word& a, const Word& b) { return a.text < b.text; });
  return words;
}

void Check(const Statement& statement, Diagnostics& diagnostics) {
  if (statement.words.empty()) {
    diagnostics.Error("bad-arguments", ArgumentRange(statement),
                      "EXPOSE requires at least one argument; write a port, as "
                      "in `EXPOSE 80/tcp`");
  }
}

void Describe(const Statement& statement, Json& object) {
  object.Set("values", Json::Strings(WordTexts(SortedWords(statement))));
}

absl::StatusOr<std::vector<std::string>> ExpandPorts(const Word& word,
                                                     Stage& stage) {
  std::vector<std::string> ports;
  ASSIGN_OR_RETURN(
      std::vector<std::string> specs,
      ExpandAndSplit(word.text, stage.escape(), stage.VariablesFor(word.text)));
  for (const std::string& spec : specs) {
    ASSIGN_OR_RETURN(std::vector<std::string> unrolled, ReadPorts(spec));
    stage.Note(word.range, word.text, spec);
    ports.insert(ports.end(), unrolled.begin(), unrolled.end());
  }
  return ports;
}

void Lower(const Statement& statement, Stage& stage) {
  std::vector<std::string> all;
  for (const Word& word : SortedWords(statement)) {
    absl::StatusOr<std::vector<std::string>> ports = ExpandPorts(word, stage);
    if (!ports.ok()) {
      stage.ValueError("bad-port", word.range,
                       std::string(ports.status().message()));
      return;
    }
    all.insert(all.end(), ports->begin(), ports->end());
  }
  stage.config().exposed_ports.insert(all.begin(), all.end());
  stage.CommitConfig(absl::StrCat("EXPOSE ", GoList(all)));
}

}  // namespace

constinit const Instruction kExpose = {
    .keyword = "EXPOSE",
    .shape = grammar::ArgumentShape::kWords,
    .check = Check,
    .describe = Describe,
    .lower = Lower,
};

}  // namespace lamina::frontend
