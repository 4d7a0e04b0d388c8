// What is to be done: the closed set of operations of a build graph.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/digest.h"
#include "ir/image_reference.h"

namespace lamina::ir {

// The empty tree.
struct Scratch {
  friend bool operator==(const Scratch&, const Scratch&) = default;
};

// The tree of an image in the store.
struct BaseImage {
  ImageReference reference;
  Digest image_id;  // Digest of the config; none when it is unknown (offline).

  friend bool operator==(const BaseImage&, const BaseImage&) = default;
};

// A folder of the user: the build context or a named one.
struct LocalFiles {
  std::string name;  // "" is the build context.

  friend bool operator==(const LocalFiles&, const LocalFiles&) = default;
};

// A file that is fetched from a URL: a tree with that one file, mode 0600 and
// 0:0, its time from Last-Modified, else 0.
struct RemoteFile {
  std::string url;       // http or https.
  std::string name;      // Of the file in the tree.
  std::string checksum;  // "sha256:" and hex digits; empty: what comes counts.

  friend bool operator==(const RemoteFile&, const RemoteFile&) = default;
};

// The files of one commit of a git repository, modes 0644 and 0755, 0:0.
struct GitTree {
  std::string url;  // Of the repository; no query, no fragment.
  // A branch, a tag, a full name such as refs/pull/1/head, or the 40 digits of
  // a commit; empty: the default branch.
  std::string ref;
  std::string subdir;    // Clean, relative; empty: the whole tree.
  std::string checksum;  // First digits of the commit; empty: what comes counts.
  bool keep_git = false;         // With the folder .git.
  bool skip_submodules = false;
  bool by_commit = false;        // Fetches `checksum` and never looks at `ref`.
  bool commit_times = false;     // Files have the time of the commit.

  friend bool operator==(const GitTree&, const GitTree&) = default;
};

enum class NetworkMode { kDefault, kHost, kNone };

// One `RUN --mount`. `input` is the position of the source in Node::inputs.
struct Mount {
  enum class Type { kBind, kCache, kTmpfs, kSecret, kSsh };
  enum class Sharing { kShared, kPrivate, kLocked };
  Type type = Type::kBind;
  std::string target;  // Absolute, clean.
  std::string source;  // Path in the input; of a secret: unused.
  std::optional<uint32_t> input;
  bool read_only = true;
  std::string id;  // cache, secret, ssh.
  Sharing sharing = Sharing::kShared;
  bool required = false;
  int64_t size = 0;  // tmpfs, bytes; 0 is no limit.
  uint32_t mode = 0;
  uint32_t uid = 0;
  uint32_t gid = 0;
  std::string env;  // secret: name of the variable.

  friend bool operator==(const Mount&, const Mount&) = default;
};

// A file that exists only while a RUN runs (a heredoc with a shebang).
struct ScriptFile {
  std::string name;  // Below /dev/pipes/.
  std::string data;

  friend bool operator==(const ScriptFile&, const ScriptFile&) = default;
};

// Runs a process on inputs[0].
struct Run {
  std::vector<std::string> args;  // The whole argv, shell included.
  std::vector<std::string> env;   // NAME=value: ENV, and ARGs with a value.
  // Predefined proxies: seen by the process, not part of the step's key.
  std::vector<std::string> hidden_env;
  std::string user;
  std::string working_dir = "/";
  NetworkMode network = NetworkMode::kDefault;
  bool insecure = false;
  // os/arch[/variant] of the programs; empty when it is the build host's.
  std::string platform;
  std::vector<Mount> mounts;
  std::vector<ScriptFile> scripts;

  friend bool operator==(const Run&, const Run&) = default;
};

// A file whose bytes stand in the build file (COPY <<EOF).
struct InlineFile {
  std::string name;
  std::string data;

  friend bool operator==(const InlineFile&, const InlineFile&) = default;
};

// Owner and mode that a COPY or ADD asks for.
struct Ownership {
  std::string user;  // Name or number; empty: as the source has it.
  std::string group;
  bool given = false;

  friend bool operator==(const Ownership&, const Ownership&) = default;
};

// Copies into inputs[0]; sources come from the other inputs (none when there
// are only inline files). Without `preserve_owner` everything becomes 0:0.
struct Copy {
  std::vector<std::string> sources;  // Expanded; wildcards not yet resolved.
  // Of each source, the position in Node::inputs of the tree that it is in;
  // empty: all are in inputs[1].
  std::vector<uint32_t> source_inputs;
  std::vector<InlineFile> files;
  std::string destination;  // Absolute; a trailing slash means a folder.
  Ownership owner;
  std::string chmod;  // Octal or symbolic; empty: as the source has it.
  bool preserve_owner = false;  // --from: owners of the source tree.
  bool unpack = false;          // ADD: local archives are unpacked.
  bool unpack_remote = false;   // ADD: archives from a RemoteFile, too.
  bool parents = false;         // --parents
  bool link = false;            // --link
  std::vector<std::string> exclude;

  uint32_t InputOf(size_t source) const {
    return source_inputs.empty() ? 1 : source_inputs[source];
  }

  friend bool operator==(const Copy&, const Copy&) = default;
};

// Makes a folder and its missing parents, 0755 (WORKDIR).
struct MakeDir {
  std::string path;
  std::string user;  // Owner of what is made; empty is 0:0.

  friend bool operator==(const MakeDir&, const MakeDir&) = default;
};

using Op = std::variant<Scratch, BaseImage, LocalFiles, RemoteFile, GitTree,
                        Run, Copy, MakeDir>;

}  // namespace lamina::ir
