#include "ir/image_reference.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/digest.h"
#include "base/status.h"

namespace lamina::ir {
namespace {

constexpr absl::string_view kDefaultDomain = "docker.io";
constexpr absl::string_view kOfficial = "library/";
constexpr size_t kMaxTag = 128;
constexpr size_t kMaxPath = 255;

bool IsLowerOrDigit(char c) {
  return absl::ascii_islower(c) || absl::ascii_isdigit(c);
}

bool All(absl::string_view text, bool (*accepts)(char)) {
  return std::all_of(text.begin(), text.end(), accepts);
}

bool IsHex(char c) { return absl::ascii_isdigit(c) || (c >= 'a' && c <= 'f'); }

// Host names, IPv4 addresses and localhost; [IPv6]; each with a port or none.
bool IsDomain(absl::string_view domain) {
  size_t bracket = domain.rfind(']');
  size_t colon = domain.rfind(':');
  if (colon != absl::string_view::npos &&
      (bracket == absl::string_view::npos || colon > bracket)) {
    absl::string_view port = domain.substr(colon + 1);
    if (port.empty() || !All(port, [](char c) {
          return absl::ascii_isdigit(static_cast<unsigned char>(c));
        })) {
      return false;
    }
    domain = domain.substr(0, colon);
  }
  if (domain.size() > 2 && domain.front() == '[' && domain.back() == ']') {
    return All(domain.substr(1, domain.size() - 2), [](char c) {
      return absl::ascii_isxdigit(static_cast<unsigned char>(c)) || c == ':';
    });
  }
  std::vector<absl::string_view> labels = absl::StrSplit(domain, '.');
  return std::all_of(labels.begin(), labels.end(), [](absl::string_view label) {
    return !label.empty() && label.front() != '-' && label.back() != '-' &&
           All(label, [](char c) {
             return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
                    c == '-';
           });
  });
}

// Runs of letters and digits; between two of them `.`, `_`, `__` or dashes.
bool IsPathComponent(absl::string_view text) {
  bool alnum = false;
  size_t at = 0;
  while (at < text.size()) {
    size_t begin = at;
    if (IsLowerOrDigit(text[at])) {
      alnum = true;
      ++at;
      continue;
    }
    char separator = text[at];
    while (at < text.size() && text[at] == separator) {
      ++at;
    }
    size_t most = separator == '.'   ? 1
                  : separator == '_' ? 2
                  : separator == '-' ? text.size()
                                     : 0;
    if (!alnum || at == text.size() || at - begin > most) {
      return false;
    }
    alnum = false;
  }
  return alnum;
}

bool IsTag(absl::string_view tag) {
  auto word = [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_';
  };
  return !tag.empty() && tag.size() <= kMaxTag && word(tag[0]) &&
         std::all_of(tag.begin(), tag.end(), [word](char c) {
           return word(c) || c == '.' || c == '-';
         });
}

bool IsDigest(absl::string_view digest) {
  constexpr absl::string_view kSha512 = "sha512:";
  if (digest.substr(0, kSha512.size()) == kSha512) {
    digest.remove_prefix(kSha512.size());
    return digest.size() == 128 && All(digest, IsHex);
  }
  return Digest::Parse(digest).ok();
}

// Docker's rule for what stands before the first slash.
bool LooksLikeDomain(absl::string_view first) {
  return first.find_first_of(".:") != absl::string_view::npos ||
         first == "localhost" || absl::AsciiStrToLower(first) != first;
}

absl::Status Wrong(absl::string_view text, absl::string_view part,
                   absl::string_view value, absl::string_view allowed) {
  return absl::InvalidArgumentError(
      absl::StrCat("`", text, "` is no image name: ", part, " `", value,
                   "` must be ", allowed));
}

absl::Status CheckPath(absl::string_view text, absl::string_view path) {
  if (path.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("`", text, "` is no image name: the repository is empty"));
  }
  if (path.size() > kMaxPath) {
    return absl::InvalidArgumentError(
        absl::StrCat("the repository of an image name has ", path.size(),
                     " bytes; ", kMaxPath, " are allowed"));
  }
  for (absl::string_view component : absl::StrSplit(path, '/')) {
    if (absl::AsciiStrToLower(component) != component) {
      return Wrong(text, "repository", path, "lower case");
    }
    if (!IsPathComponent(component)) {
      return Wrong(text, "repository", path,
                   "lower-case letters and digits, with one `.`, one or two "
                   "`_`, or any `-` between them");
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ImageReference> ImageReference::Parse(absl::string_view text) {
  if (text.empty()) {
    return absl::InvalidArgumentError("the image name is empty");
  }
  if (text.size() == 64 && All(text, IsHex)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "`", text, "` is no image name: 64 hex digits alone are an image id"));
  }
  ImageReference reference;
  absl::string_view rest = text;
  size_t slash = rest.find('/');
  reference.domain = std::string(kDefaultDomain);
  if (slash != absl::string_view::npos &&
      LooksLikeDomain(rest.substr(0, slash))) {
    reference.domain = std::string(rest.substr(0, slash));
    rest.remove_prefix(slash + 1);
  }
  if (!IsDomain(reference.domain)) {
    return Wrong(text, "domain", reference.domain,
                 "a host name, with `:` and a port number if need be");
  }
  if (reference.domain == "index.docker.io") {
    reference.domain = std::string(kDefaultDomain);
  }
  if (size_t at = rest.find('@'); at != absl::string_view::npos) {
    reference.digest = std::string(rest.substr(at + 1));
    rest = rest.substr(0, at);
    if (!IsDigest(reference.digest)) {
      return Wrong(text, "digest", reference.digest,
                   "`sha256:` and 64 lower-case hex digits");
    }
  }
  if (size_t colon = rest.find(':'); colon != absl::string_view::npos) {
    reference.tag = std::string(rest.substr(colon + 1));
    rest = rest.substr(0, colon);
    if (!IsTag(reference.tag)) {
      return Wrong(text, "tag", reference.tag,
                   "1 to 128 letters, digits, `_`, `.` and `-`, the first "
                   "neither `.` nor `-`");
    }
  } else if (reference.digest.empty()) {
    reference.tag = "latest";
  }
  RETURN_IF_ERROR(CheckPath(text, rest));
  bool official = reference.domain == kDefaultDomain &&
                  rest.find('/') == absl::string_view::npos;
  reference.path = absl::StrCat(official ? kOfficial : "", rest);
  return reference;
}

std::string ImageReference::Full() const {
  return absl::StrCat(domain, "/", path, tag.empty() ? "" : ":", tag,
                      digest.empty() ? "" : "@", digest);
}

std::string ImageReference::FamiliarRepository() const {
  if (domain != kDefaultDomain) {
    return absl::StrCat(domain, "/", path);
  }
  absl::string_view short_path = path;
  if (short_path.substr(0, kOfficial.size()) == kOfficial &&
      short_path.find('/', kOfficial.size()) == absl::string_view::npos) {
    return std::string(short_path.substr(kOfficial.size()));
  }
  // Without the domain the first folder would be taken for one.
  bool misread = LooksLikeDomain(short_path.substr(0, short_path.find('/')));
  return absl::StrCat(misread ? absl::StrCat(domain, "/") : "", path);
}

std::string ImageReference::Familiar() const {
  return absl::StrCat(FamiliarRepository(), tag.empty() ? "" : ":", tag,
                      digest.empty() ? "" : "@", digest);
}

}  // namespace lamina::ir
