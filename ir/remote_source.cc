#include "ir/remote_source.h"

#include <map>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/digest.h"
#include "base/files.h"
#include "base/status.h"
#include "base/text.h"
#include "base/url.h"

namespace lamina::ir {
namespace {

constexpr absl::string_view kNoName = "__unnamed__";

absl::Status Wrong(absl::string_view message) {
  return absl::InvalidArgumentError(message);
}

bool IsLowerHex(absl::string_view text) {
  return text.find_first_not_of("0123456789abcdef") == absl::string_view::npos;
}

std::string Quote(absl::string_view text) {
  return absl::StrCat("\"", EscapeControls(text), "\"");
}

// git check-ref-format; what begins with a dash would be an option.
bool IsRefName(absl::string_view ref) {
  for (char c : ref) {
    auto byte = static_cast<unsigned char>(c);
    if (byte <= 0x20 || byte == 0x7F || absl::StrContains("~^:?*[\\", c)) {
      return false;
    }
  }
  for (absl::string_view part : absl::StrSplit(ref, '/')) {
    if (part.empty() || part[0] == '.' || part[0] == '-' ||
        absl::EndsWith(part, ".lock")) {
      return false;
    }
  }
  return ref != "@" && !absl::StrContains(ref, "..") &&
         !absl::StrContains(ref, "@{") && !absl::EndsWith(ref, ".");
}

// Reads one git URL; keeps the place of what it looks at.
class GitUrlReader {
 public:
  GitUrlReader(absl::string_view text, UrlMistake& mistake)
      : text_(text), mistake_(mistake) {}

  absl::StatusOr<GitUrl> Read() {
    absl::string_view rest = text_;
    if (size_t hash = rest.find('#'); hash != absl::string_view::npos) {
      RETURN_IF_ERROR(ReadFragment(rest.substr(hash + 1)));
      rest = rest.substr(0, hash);
    }
    absl::string_view query;
    if (size_t mark = rest.find('?'); mark != absl::string_view::npos) {
      query = rest.substr(mark + 1);
      rest = rest.substr(0, mark);
    }
    RETURN_IF_ERROR(ReadRepository(rest));
    for (absl::string_view field :
         absl::StrSplit(query, '&', absl::SkipEmpty())) {
      RETURN_IF_ERROR(ReadField(field));
    }
    RETURN_IF_ERROR(Finish());
    return std::move(result_);
  }

 private:
  GitTree& tree() { return result_.tree; }

  void At(absl::string_view part) {
    mistake_.begin = static_cast<size_t>(part.data() - text_.data());
    mistake_.size = part.size();
  }
  absl::Status WrongAt(absl::string_view part, absl::string_view message) {
    At(part);
    return Wrong(message);
  }

  absl::Status ReadRepository(absl::string_view text) {
    if (absl::StrContains(text, "://")) {
      ASSIGN_OR_RETURN(Url url, Url::Parse(text));
      if (url.path == "/") {
        return Wrong("names no repository");
      }
      tree().url = url.ToString();
      return absl::OkStatus();
    }
    // user@host:path, for ssh.
    size_t at = text.find('@');
    size_t colon = text.find(':');
    absl::string_view user = text.substr(0, at);
    absl::string_view host = text.substr(at + 1, colon - at - 1);
    absl::string_view path = text.substr(colon + 1);
    ASSIGN_OR_RETURN(Url url, Url::Parse(absl::StrCat("ssh://", host, "/")));
    if (user.empty() || user[0] == '-' || path.empty() || path[0] == '-' ||
        url.port != 0) {
      return Wrong("is no repository of the form user@host:path");
    }
    for (char c : text) {
      if (absl::ascii_iscntrl(c)) {
        return Wrong("has a control character");
      }
    }
    tree().url = std::string(text);
    return absl::OkStatus();
  }

  absl::Status ReadFragment(absl::string_view fragment) {
    size_t colon = std::min(fragment.find(':'), fragment.size());
    RETURN_IF_ERROR(SetRef(fragment.substr(0, colon), fragment));
    return colon < fragment.size()
               ? SetSubdir(fragment.substr(colon + 1), fragment)
               : absl::OkStatus();
  }

  absl::Status SetRef(absl::string_view ref, absl::string_view part) {
    if (ref.empty()) {
      return absl::OkStatus();
    }
    if (!IsRefName(ref)) {
      return WrongAt(part, absl::StrCat("asks for ", Quote(ref),
                                        ", which is no name of a branch, a "
                                        "tag or a commit"));
    }
    if (!tree().ref.empty() && tree().ref != ref) {
      return WrongAt(part, absl::StrCat("has two refs; ref conflicts: ",
                                        Quote(tree().ref), " vs ", Quote(ref)));
    }
    tree().ref = std::string(ref);
    return absl::OkStatus();
  }

  absl::Status SetSubdir(absl::string_view subdir, absl::string_view part) {
    while (absl::ConsumePrefix(&subdir, "/")) {
    }
    std::string clean = CleanPath(subdir);
    if (clean == ".." || absl::StartsWith(clean, "../") ||
        absl::StrContains(clean, '\0')) {
      return WrongAt(part, absl::StrCat("asks for the folder ", Quote(subdir),
                                        ", which leaves the repository"));
    }
    if (clean == ".") {
      clean.clear();
    }
    if (!tree().subdir.empty() && tree().subdir != clean) {
      return WrongAt(part,
                     absl::StrCat("has two folders; subdir conflicts: ",
                                  Quote(tree().subdir), " vs ", Quote(clean)));
    }
    tree().subdir = std::move(clean);
    return absl::OkStatus();
  }

  absl::Status ReadField(absl::string_view field) {
    size_t equals = field.find('=');
    bool bare = equals == absl::string_view::npos;
    absl::string_view key = field.substr(0, equals);
    std::optional<std::string> value =
        bare ? "" : DecodePercent(field.substr(equals + 1), /*plus=*/true);
    if (!value.has_value()) {
      return WrongAt(field,
                     absl::StrCat("has a bad `%` in query ", Quote(key)));
    }
    if (key == "keep-git-dir" || key == "submodules" ||
        key == "fetch-by-commit") {
      return ReadSwitch(key, bare ? "true" : *value, field);
    }
    static constexpr absl::string_view kKeys[] = {
        "ref", "branch", "tag", "subdir", "commit", "checksum", "mtime"};
    if (std::find(std::begin(kKeys), std::end(kKeys), key) == std::end(kKeys)) {
      return ReportUnknownKey(key);
    }
    if (value->empty()) {
      return WrongAt(field, absl::StrCat("is incomplete: query ", Quote(key),
                                         " has no value"));
    }
    auto [known, is_new] = values_.emplace(key, Field{*value, field});
    if (!is_new) {
      return WrongAt(field, absl::StrCat("is ambiguous: query ", Quote(key),
                                         " has multiple values"));
    }
    return absl::OkStatus();
  }

  absl::Status ReportUnknownKey(absl::string_view key) {
    At(key);
    std::optional<std::string> near = Closest(
        key, {"ref", "branch", "tag", "subdir", "commit", "checksum",
              "keep-git-dir", "submodules", "fetch-by-commit", "mtime"});
    std::string hint =
        near.has_value()
            ? absl::StrCat("; did you mean `", *near, "`?")
            : "; known are ref, branch, tag, subdir, commit, checksum, "
              "keep-git-dir, submodules, fetch-by-commit and mtime";
    mistake_.better = near.value_or("");
    return Wrong(absl::StrCat("has an unexpected query ", Quote(key), hint));
  }

  absl::Status ReadSwitch(absl::string_view key, absl::string_view value,
                          absl::string_view field) {
    bool on = value == "true" || value == "1";
    if (!on && value != "false" && value != "0") {
      return WrongAt(
          field, absl::StrCat("has query ", Quote(key), " with ", Quote(value),
                              "; write true or false"));
    }
    if (!switches_.emplace(key, on).second) {
      return WrongAt(field, absl::StrCat("is ambiguous: query ", Quote(key),
                                         " has multiple values"));
    }
    return absl::OkStatus();
  }

  // `name` with the prefix it stands for.
  absl::Status SetNamed(absl::string_view key, absl::string_view prefix) {
    auto given = values_.find(key);
    if (given == values_.end()) {
      return absl::OkStatus();
    }
    return SetRef(
        absl::StrCat(prefix, absl::StripPrefix(given->second.value, prefix)),
        given->second.part);
  }

  absl::Status SetCommit(absl::string_view key) {
    auto given = values_.find(key);
    if (given == values_.end()) {
      return absl::OkStatus();
    }
    const std::string& commit = given->second.value;
    At(given->second.part);
    RETURN_IF_ERROR(CheckCommit(commit));
    if (!tree().checksum.empty() && tree().checksum != commit) {
      return Wrong(absl::StrCat("has two commits; checksum mismatch ",
                                Quote(tree().checksum), " != ", Quote(commit)));
    }
    tree().checksum = commit;
    return absl::OkStatus();
  }

  absl::Status Finish() {
    if (values_.count("branch") > 0 && values_.count("tag") > 0) {
      return WrongAt(values_.at("tag").part,
                     "is ambiguous: branch conflicts with tag");
    }
    RETURN_IF_ERROR(SetNamed("ref", ""));
    RETURN_IF_ERROR(SetNamed("tag", "refs/tags/"));
    RETURN_IF_ERROR(SetNamed("branch", "refs/heads/"));
    RETURN_IF_ERROR(SetCommit("commit"));
    RETURN_IF_ERROR(SetCommit("checksum"));
    if (auto subdir = values_.find("subdir"); subdir != values_.end()) {
      RETURN_IF_ERROR(SetSubdir(subdir->second.value, subdir->second.part));
    }
    if (auto mtime = values_.find("mtime"); mtime != values_.end()) {
      tree().commit_times = mtime->second.value == "commit";
      if (!tree().commit_times && mtime->second.value != "checkout") {
        return WrongAt(mtime->second.part,
                       absl::StrCat("has query \"mtime\" with ",
                                    Quote(mtime->second.value),
                                    "; write checkout or commit"));
      }
    }
    for (const auto& [key, on] : switches_) {
      if (key == "keep-git-dir") {
        result_.keep_git = on;
        tree().keep_git = on;
      } else if (key == "submodules") {
        tree().skip_submodules = !on;
      } else {
        tree().by_commit = on;
      }
    }
    return absl::OkStatus();
  }

  struct Field {
    std::string value;
    absl::string_view part;  // Of text_.
  };

  absl::string_view text_;
  UrlMistake& mistake_;
  GitUrl result_;
  std::map<std::string, Field, std::less<>> values_;
  std::map<std::string, bool, std::less<>> switches_;
};

}  // namespace

bool IsHttpSource(absl::string_view source) {
  return absl::StartsWith(source, "http://") ||
         absl::StartsWith(source, "https://");
}

bool IsGitSource(absl::string_view source) {
  if (absl::StartsWith(source, "./") || absl::StartsWith(source, "../")) {
    return false;
  }
  if (absl::StartsWith(source, "git://") ||
      absl::StartsWith(source, "ssh://")) {
    return true;
  }
  if (IsHttpSource(source)) {
    return absl::EndsWith(source.substr(0, source.find_first_of("?#")), ".git");
  }
  // user@host:path
  size_t at = source.find('@');
  size_t colon = source.find(':');
  return at != absl::string_view::npos && colon != absl::string_view::npos &&
         at > 0 && at < colon &&
         !absl::StrContains(source.substr(0, colon), "/");
}

bool IsOtherUrl(absl::string_view source) {
  size_t colon = source.find("://");
  if (colon == 0 || colon == absl::string_view::npos || IsHttpSource(source) ||
      IsGitSource(source)) {
    return false;
  }
  for (char c : source.substr(0, colon)) {
    if (!absl::ascii_isalnum(c) && c != '+' && c != '-') {
      return false;
    }
  }
  return true;
}

absl::StatusOr<RemoteFile> ParseFileUrl(absl::string_view text,
                                        UrlMistake& mistake) {
  ASSIGN_OR_RETURN(Url url, Url::Parse(text));
  std::optional<std::string> path = DecodePercent(url.path);
  absl::string_view shown = path.has_value() ? *path : url.path;
  while (absl::EndsWith(shown, "/")) {
    shown.remove_suffix(1);
  }
  std::string name(BaseName(shown));
  bool control = false;
  for (char c : name) {
    control = control || absl::ascii_iscntrl(c);
  }
  if (control || name == "." || name == "..") {
    size_t slash = text.find('/', text.find("://") + 3);
    mistake.begin = slash;
    mistake.size = text.substr(slash).find_first_of("?#");
    mistake.size = std::min(mistake.size, text.size() - slash);
    return Wrong(absl::StrCat("would be a file named ", Quote(name),
                              "; write the path of a file"));
  }
  return RemoteFile{url.ToString(),
                    name.empty() ? std::string(kNoName) : std::move(name), ""};
}

absl::StatusOr<GitUrl> ParseGitUrl(absl::string_view text,
                                   UrlMistake& mistake) {
  return GitUrlReader(text, mistake).Read();
}

absl::Status CheckFileChecksum(absl::string_view text, UrlMistake& mistake) {
  if (Digest::Parse(text).ok()) {
    return absl::OkStatus();
  }
  mistake = {};
  std::string lower = absl::AsciiStrToLower(text);
  for (const std::string& fixed : {lower, absl::StrCat("sha256:", lower)}) {
    if (Digest::Parse(fixed).ok()) {
      mistake.better = fixed;
      return Wrong(absl::StrCat("`", text, "` is no checksum; did you mean `",
                                fixed, "`?"));
    }
  }
  if (absl::StartsWith(lower, "sha512:") ||
      absl::StartsWith(lower, "sha384:")) {
    return Wrong(absl::StrCat("files are verified with sha256 only, not with ",
                              lower.substr(0, 6)));
  }
  return Wrong(absl::StrCat("`", EscapeControls(text),
                            "` is no checksum; that of a URL is `sha256:` "
                            "and 64 hex digits, see sha256sum(1)"));
}

absl::Status CheckCommit(absl::string_view text) {
  if (text.size() >= 7 && text.size() <= 64 && IsLowerHex(text)) {
    return absl::OkStatus();
  }
  return Wrong(absl::StrCat("has the commit `", EscapeControls(text),
                            "`; write at least 7 of its lower-case hex "
                            "digits"));
}

bool IsWholeCommit(absl::string_view text) {
  return (text.size() == 40 || text.size() == 64) && IsLowerHex(text);
}

}  // namespace lamina::ir
