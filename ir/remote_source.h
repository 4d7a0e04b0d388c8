// Reads the words that name something elsewhere: URLs of files and git
// repositories (dockerfile.md 10.6 and 13.2).
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "ir/op.h"

namespace lamina::ir {

// Whether a source is fetched. `./x` and `../x` are always paths.
bool IsHttpSource(absl::string_view source);
// git://, ssh://, user@host:path, and http(s):// whose path ends in .git.
bool IsGitSource(absl::string_view source);
// `x://...` of another scheme: no path that anybody has.
bool IsOtherUrl(absl::string_view source);

// The part of the text that a mistake is in; `size` 0 is the whole of it.
struct UrlMistake {
  size_t begin = 0;
  size_t size = 0;
  std::string better;  // What to write there; may be empty.
};

// Errors: text behind "`URL` ", without saying the URL.
absl::StatusOr<RemoteFile> ParseFileUrl(absl::string_view text,
                                        UrlMistake& mistake);

struct GitUrl {
  GitTree tree;
  std::optional<bool> keep_git;  // As the query says.
};
// Of what IsGitSource() is true for, and of URLs that a caller takes for a
// repository for other reasons. Fragment `#REF[:SUBDIR]`; query `ref` `branch`
// `tag` `subdir` `commit` `checksum` `keep-git-dir` `submodules`
// `fetch-by-commit` `mtime`.
absl::StatusOr<GitUrl> ParseGitUrl(absl::string_view text, UrlMistake& mistake);

// "sha256:" and 64 lower-case hex digits.
absl::Status CheckFileChecksum(absl::string_view text, UrlMistake& mistake);
// The first 7 to 64 hex digits of a commit's name.
absl::Status CheckCommit(absl::string_view text);
// All 40 (or 64) of them.
bool IsWholeCommit(absl::string_view text);

}  // namespace lamina::ir
