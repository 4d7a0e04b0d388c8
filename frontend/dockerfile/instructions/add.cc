#include "absl/strings/str_cat.h"
#include "base/text.h"
#include "base/url.h"
#include "frontend/dockerfile/copy_files.h"
#include "frontend/dockerfile/instruction.h"
#include "ir/remote_source.h"

namespace lamina::frontend {
namespace {

using grammar::Statement;

constexpr FlagSpec kFlags[] = {
    {"chown"},
    {"chmod"},
    {"link", FlagKind::kBool},
    {"exclude", FlagKind::kList},
    {"keep-git-dir", FlagKind::kBool},
    {"checksum"},
    {"unpack", FlagKind::kBool},
};

// Sources of ADD: paths, URLs and git repositories.
class Rules : public CopyRules {
 public:
  Rules(const Statement& statement, std::string checksum, Stage& stage)
      : statement_(statement), checksum_(std::move(checksum)), stage_(stage) {
    // Unset: archives of the context only.
    unpack = FlagIsTrue(statement, "unpack", /*otherwise=*/true);
    unpack_remote = FlagIsTrue(statement, "unpack");
  }

  bool Accept(const std::string& source, SourceRange range,
              std::optional<ir::Op>& remote) override {
    if (ir::IsGitSource(source)) {
      return AcceptGit(source, range, remote);
    }
    if (ir::IsHttpSource(source)) {
      return AcceptFile(source, range, remote);
    }
    if (ir::IsOtherUrl(source)) {
      ReportScheme(source, range);
      return false;
    }
    if (!checksum_.empty()) {
      stage_.ValueError("bad-flag",
                        NameRange(*FindFlag(statement_, "checksum")),
                        "checksum requires HTTP(S) or Git sources; remove it");
      return false;
    }
    return true;
  }

  bool has_git() const { return has_git_; }

 private:
  bool AcceptFile(const std::string& source, SourceRange range,
                  std::optional<ir::Op>& remote) {
    ir::UrlMistake mistake;
    absl::StatusOr<ir::RemoteFile> file = ir::ParseFileUrl(source, mistake);
    if (!file.ok()) {
      ReportUrl(source, range, mistake, file.status());
      return false;
    }
    if (!checksum_.empty()) {
      absl::Status fits = ir::CheckFileChecksum(checksum_, mistake);
      if (!fits.ok()) {
        ReportChecksum(mistake, fits.message());
        return false;
      }
    }
    file->checksum = checksum_;
    WarnOfPassword(source, range);
    remote = *std::move(file);
    return true;
  }

  bool AcceptGit(const std::string& source, SourceRange range,
                 std::optional<ir::Op>& remote) {
    has_git_ = true;
    ir::UrlMistake mistake;
    absl::StatusOr<ir::GitUrl> url = ir::ParseGitUrl(source, mistake);
    if (!url.ok()) {
      ReportUrl(source, range, mistake, url.status());
      return false;
    }
    if (!SetCommit(url->tree) || !SetKeepGit(*url)) {
      return false;
    }
    WarnOfPassword(source, range);
    remote = std::move(url->tree);
    return true;
  }

  void WarnOfPassword(const std::string& source, SourceRange range) {
    if (std::string hidden = HidePassword(source); hidden != source) {
      stage_.Warning("password-in-url", range,
                     absl::StrCat("`", hidden,
                                  "` has a password, which the history of the "
                                  "image will show; pass a token as secret"));
    }
  }

  bool SetCommit(ir::GitTree& tree) {
    if (!checksum_.empty()) {
      if (absl::Status fits = ir::CheckCommit(checksum_); !fits.ok()) {
        ReportChecksum({}, absl::StrCat("`--checksum` ", fits.message()));
        return false;
      }
      if (!tree.checksum.empty() && tree.checksum != checksum_) {
        ReportChecksum({}, absl::StrCat("checksum mismatch \"", tree.checksum,
                                        "\" != \"", checksum_,
                                        "\"; remove `--checksum` or the "
                                        "commit of the URL"));
        return false;
      }
      tree.checksum = checksum_;
    }
    if (tree.by_commit && !ir::IsWholeCommit(tree.checksum)) {
      stage_.ValueError("bad-url", statement_.words[0].range,
                        "`fetch-by-commit` needs all digits of a commit; give "
                        "them with `commit=` or `--checksum`");
      return false;
    }
    return true;
  }

  bool SetKeepGit(ir::GitUrl& url) {
    const grammar::Flag* flag = FindFlag(statement_, "keep-git-dir");
    if (flag == nullptr) {
      return true;
    }
    bool keep = FlagIsTrue(statement_, "keep-git-dir");
    if (url.keep_git.has_value() && *url.keep_git != keep) {
      stage_.ValueError("bad-flag", NameRange(*flag),
                        "inconsistent keep-git-dir configuration; the URL says "
                        "otherwise: remove one of the two");
      return false;
    }
    url.tree.keep_git = keep;
    return true;
  }

  // The part of a word, if it stands in the file as it is expanded.
  SourceRange Part(absl::string_view value, SourceRange range,
                   const ir::UrlMistake& mistake) const {
    bool as_written = range.end - range.begin == value.size();
    if (!as_written || mistake.size == 0) {
      return range;
    }
    auto begin = static_cast<uint32_t>(range.begin + mistake.begin);
    return {begin, begin + static_cast<uint32_t>(mistake.size)};
  }

  void ReportUrl(const std::string& source, SourceRange range,
                 const ir::UrlMistake& mistake, const absl::Status& status) {
    Diagnostic bad = {
        .code = "bad-url",
        .range = Part(source, range, mistake),
        .message = absl::StrCat("`", EscapeControls(HidePassword(source)), "` ",
                                status.message())};
    if (!mistake.better.empty() && bad.range != range) {
      bad.fix = {{absl::StrCat("write `", mistake.better, "`"),
                  {{*bad.range, mistake.better}}}};
    }
    stage_.AddValueError(std::move(bad));
  }

  void ReportChecksum(const ir::UrlMistake& mistake,
                      absl::string_view message) {
    const grammar::Flag& flag = *FindFlag(statement_, "checksum");
    Diagnostic bad = {.code = "bad-flag",
                      .range = flag.value_range,
                      .message = std::string(message)};
    if (!mistake.better.empty()) {
      bad.fix = {{absl::StrCat("write `", mistake.better, "`"),
                  {{flag.value_range, mistake.better}}}};
    }
    stage_.AddValueError(std::move(bad));
  }

  void ReportScheme(const std::string& source, SourceRange range) {
    std::string scheme = source.substr(0, source.find("://"));
    std::optional<std::string> near =
        Closest(scheme, {"https", "http", "git", "ssh"});
    Diagnostic bad = {
        .code = "bad-source",
        .range = Part(source, range, {.begin = 0, .size = scheme.size()})};
    if (near.has_value()) {
      bad.message = absl::StrCat("`", scheme, "://` is not fetched; did you ",
                                 "mean `", *near, "://`?");
      bad.fix = {{absl::StrCat("write `", *near, "`"), {{*bad.range, *near}}}};
    } else {
      bad.message = absl::StrCat(
          "`", scheme, "://` is not fetched, only http, https, git and ssh",
          scheme == "file" ? "; copy the file from the build context"
                           : "; download it, and copy the file");
    }
    stage_.AddValueError(std::move(bad));
  }

  const Statement& statement_;
  std::string checksum_;
  Stage& stage_;
  bool has_git_ = false;
};

void LowerAdd(const Statement& statement, Stage& stage) {
  std::optional<std::string> checksum =
      ExpandFlag(statement, "checksum", stage);
  if (!checksum.has_value()) {
    return;
  }
  if (!checksum->empty() && statement.words.size() > 2) {
    stage.Error("bad-flag", NameRange(*FindFlag(statement, "checksum")),
                "checksum can't be specified for multiple sources; remove it, "
                "or write an ADD for each source");
    return;
  }
  Rules rules(statement, *std::move(checksum), stage);
  LowerCopy(statement, rules, stage);
  if (FlagIsTrue(statement, "keep-git-dir") && !rules.has_git()) {
    stage.Warning("keep-git-dir-ignored",
                  FindFlag(statement, "keep-git-dir")->range,
                  "`--keep-git-dir` has no effect: no source is a git "
                  "repository");
  }
}

}  // namespace

constinit const Instruction kAdd = {
    .keyword = "ADD",
    .shape = grammar::ArgumentShape::kJsonOrWords,
    .heredocs = true,
    .flags = kFlags,
    .check = CheckCopy,
    .describe = DescribeCopy,
    .lower = LowerAdd,
};

}  // namespace lamina::frontend
