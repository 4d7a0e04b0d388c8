// A remote git repository and our bare copy of what we fetched from it, by the
// program git. URLs, refs and file names are the enemy's (security.md C6, C7):
// no shell, no configuration but ours, https, http, ssh and git only, no hooks,
// no prompt, and the URL is never an argument.
#pragma once

#include <atomic>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "backend/remote/child_process.h"
#include "base/files.h"
#include "ir/op.h"

namespace lamina::backend {

struct GitOptions {
  // Value of an Authorization header for the host of the URL; empty: none.
  std::string authorization;
  std::string agent;  // Socket of an ssh agent; empty: none.
  int64_t most_seconds = 3600;
  const std::atomic<int>* cancel = nullptr;
};

// What a ref of the remote repository names.
struct GitRef {
  std::string name;    // refs/heads/main; HEAD; empty for a bare commit.
  std::string commit;  // All digits.
  std::string tag;     // Of an annotated tag: the tag's own digits.
};

class GitRepository {
 public:
  // `bare` is a folder of our own, made at the first fetch.
  GitRepository(std::string url, std::string bare, GitOptions options)
      : url_(std::move(url)),
        bare_(std::move(bare)),
        options_(std::move(options)) {}

  // Asks the remote repository. A branch wins over a tag. NotFound: no such
  // ref; the message names what is near. Unavailable: no answer.
  absl::StatusOr<GitRef> Resolve(const std::string& ref);

  // --- the bare copy; nothing but Fetch uses the network
  // All digits of the commit whose name, or whose tag's name, is `commit`;
  // nothing if it was never fetched.
  absl::StatusOr<std::optional<std::string>> FindCommit(
      const std::string& commit);
  // Fetches one commit, without its history where the server can do that.
  absl::Status Fetch(const GitRef& ref);
  // Seconds since the epoch.
  absl::StatusOr<int64_t> CommitTime(const std::string& commit);

  // Writes the files of a fetched commit into the new folder `path`, whole,
  // and with its submodules, which are fetched.
  absl::Status CheckOut(const GitRef& ref, const ir::GitTree& tree,
                        const std::string& path);

 private:
  absl::StatusOr<ChildProcess> Command(const std::vector<std::string>& args,
                                       absl::string_view protocols);
  absl::StatusOr<ChildResult> Run(const std::vector<std::string>& args,
                                  absl::string_view protocols = "");
  // The output of a command that must succeed.
  absl::StatusOr<std::string> Ask(const std::vector<std::string>& args,
                                  absl::string_view doing,
                                  absl::string_view protocols = "");
  absl::Status Explain(const std::string& errors, absl::string_view doing);
  absl::Status Unknown(const std::string& ref);
  absl::Status MakeBare();
  absl::Status TidyGitFolder(const std::string& folder);
  absl::Status WriteSecretConfig();

  std::string url_;
  std::string bare_;
  GitOptions options_;
  UniqueFd config_;  // In memory only: it holds the authorization.
};

}  // namespace lamina::backend
