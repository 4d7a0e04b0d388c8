#include "base/url.h"

#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/status.h"

namespace lamina {
namespace {

absl::Status Wrong(absl::string_view message) {
  return absl::InvalidArgumentError(message);
}

bool IsScheme(absl::string_view text) {
  if (text.empty() || !absl::ascii_isalpha(text[0])) {
    return false;
  }
  for (char c : text) {
    if (!absl::ascii_isalnum(c) && c != '+' && c != '-' && c != '.') {
      return false;
    }
  }
  return true;
}

// A name or an address. A leading dash would be an option of some program.
bool IsHost(absl::string_view host) {
  if (absl::StartsWith(host, "[")) {
    return host.size() > 3 && host.back() == ']' &&
           host.substr(1, host.size() - 2)
                   .find_first_not_of("0123456789abcdefABCDEF:.") ==
               absl::string_view::npos;
  }
  if (host.empty() || host[0] == '-' || host[0] == '.') {
    return false;
  }
  for (char c : host) {
    if (!absl::ascii_isalnum(c) && c != '-' && c != '.' && c != '_') {
      return false;
    }
  }
  return true;
}

// Makes `text` safe in a request line; a `%` must begin an escape already.
absl::StatusOr<std::string> Encode(absl::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    auto byte = static_cast<unsigned char>(text[i]);
    if (byte < 0x20 || byte == 0x7F) {
      return Wrong("has a control character");
    }
    if (byte == '%' &&
        (i + 2 >= text.size() || !absl::ascii_isxdigit(text[i + 1]) ||
         !absl::ascii_isxdigit(text[i + 2]))) {
      return Wrong("has a `%` without two hex digits behind it");
    }
    if (byte == ' ' || byte > 0x7E ||
        absl::StrContains("\"<>\\^`{|}", text[i])) {
      absl::StrAppendFormat(&out, "%%%02X", unsigned{byte});
    } else {
      out.push_back(text[i]);
    }
  }
  return out;
}

absl::Status ReadAuthority(absl::string_view text, Url& url) {
  size_t at = text.rfind('@');
  if (at != absl::string_view::npos) {
    ASSIGN_OR_RETURN(url.user, Encode(text.substr(0, at)));
    text.remove_prefix(at + 1);
  }
  size_t colon = text.rfind(':');
  if (colon != absl::string_view::npos && text.back() != ']') {
    absl::string_view port = text.substr(colon + 1);
    if (!port.empty() && (!absl::SimpleAtoi(port, &url.port) || url.port < 1 ||
                          url.port > 65535 || !absl::ascii_isdigit(port[0]))) {
      return Wrong(absl::StrCat("has the port `", port,
                                "`, which is no number from 1 to 65535"));
    }
    text = text.substr(0, colon);
  }
  if (!IsHost(text)) {
    return Wrong(text.empty()
                     ? "has no host"
                     : absl::StrCat("has `", text, "` for a host name"));
  }
  url.host = absl::AsciiStrToLower(text);
  return absl::OkStatus();
}

std::string RemoveDots(absl::string_view path) {
  std::vector<absl::string_view> kept;
  bool folder = false;
  for (absl::string_view part : absl::StrSplit(path.substr(1), '/')) {
    folder = part.empty() || part == "." || part == "..";
    if (part == ".." && !kept.empty()) {
      kept.pop_back();
    } else if (part != "." && part != "..") {
      kept.push_back(part);
    }
  }
  if (folder && (kept.empty() || !kept.back().empty())) {
    kept.push_back("");
  }
  return absl::StrCat("/", absl::StrJoin(kept, "/"));
}

}  // namespace

absl::StatusOr<Url> Url::Parse(absl::string_view text) {
  Url url;
  size_t colon = text.find("://");
  if (colon == absl::string_view::npos || !IsScheme(text.substr(0, colon))) {
    return Wrong("does not begin with a scheme such as https://");
  }
  url.scheme = absl::AsciiStrToLower(text.substr(0, colon));
  absl::string_view rest = text.substr(colon + 3);
  if (size_t hash = rest.find('#'); hash != absl::string_view::npos) {
    url.fragment = std::string(rest.substr(hash + 1));
    rest = rest.substr(0, hash);
  }
  if (size_t mark = rest.find('?'); mark != absl::string_view::npos) {
    ASSIGN_OR_RETURN(url.query, Encode(rest.substr(mark + 1)));
    rest = rest.substr(0, mark);
  }
  size_t slash = std::min(rest.find('/'), rest.size());
  RETURN_IF_ERROR(ReadAuthority(rest.substr(0, slash), url));
  ASSIGN_OR_RETURN(url.path, Encode(rest.substr(slash)));
  if (url.path.empty()) {
    url.path.push_back('/');
  }
  return url;
}

absl::StatusOr<Url> Url::Resolve(absl::string_view reference) const {
  reference = reference.substr(0, reference.find('#'));
  size_t end = std::min(reference.find_first_of(":/?"), reference.size());
  if (end < reference.size() && reference[end] == ':') {
    ASSIGN_OR_RETURN(Url absolute, Parse(reference));
    absolute.user.clear();
    return absolute;
  }
  if (absl::StartsWith(reference, "//")) {
    ASSIGN_OR_RETURN(Url absolute, Parse(absl::StrCat(scheme, ":", reference)));
    absolute.user.clear();
    return absolute;
  }
  Url url = *this;
  url.user.clear();
  url.fragment.clear();
  size_t mark = reference.find('?');
  absl::string_view target = reference.substr(0, mark);
  if (mark != absl::string_view::npos || !target.empty()) {
    ASSIGN_OR_RETURN(url.query, Encode(mark == absl::string_view::npos
                                           ? absl::string_view()
                                           : reference.substr(mark + 1)));
  }
  ASSIGN_OR_RETURN(std::string encoded, Encode(target));
  if (absl::StartsWith(encoded, "/")) {
    url.path = RemoveDots(encoded);
  } else if (!encoded.empty()) {
    url.path =
        RemoveDots(absl::StrCat(path.substr(0, path.rfind('/') + 1), encoded));
  }
  return url;
}

std::string Url::Authority() const {
  return port == 0 ? host : absl::StrCat(host, ":", port);
}

std::string Url::ToString() const {
  return absl::StrCat(scheme, "://", user, user.empty() ? "" : "@", Authority(),
                      path, query.empty() ? "" : "?", query);
}

std::string Url::Shown() const {
  return absl::StrCat(scheme, "://", Authority(), path);
}

int Url::PortOrDefault() const {
  if (port != 0) {
    return port;
  }
  return scheme == "https"  ? 443
         : scheme == "http" ? 80
         : scheme == "git"  ? 9418
         : scheme == "ssh"  ? 22
                            : 0;
}

bool Url::SameOrigin(const Url& other) const {
  return scheme == other.scheme && host == other.host &&
         PortOrDefault() == other.PortOrDefault();
}

std::optional<std::string> DecodePercent(absl::string_view text, bool plus) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && plus) {
      out.push_back(' ');
      continue;
    }
    if (text[i] != '%') {
      out.push_back(text[i]);
      continue;
    }
    uint32_t byte = 0;
    if (i + 2 >= text.size() || !absl::ascii_isxdigit(text[i + 1]) ||
        !absl::SimpleHexAtoi(text.substr(i + 1, 2), &byte)) {
      return std::nullopt;
    }
    out.push_back(static_cast<char>(byte));
    i += 2;
  }
  return out;
}

std::string HidePassword(absl::string_view text) {
  size_t begin = text.find("://");
  begin = begin == absl::string_view::npos ? 0 : begin + 3;
  size_t end = std::min(text.find_first_of("/?#", begin), text.size());
  size_t at = text.substr(0, end).rfind('@');
  size_t colon = text.find(':', begin);
  if (at == absl::string_view::npos || at < begin || colon > at) {
    return std::string(text);
  }
  return absl::StrCat(text.substr(0, colon + 1), "***", text.substr(at));
}

}  // namespace lamina
