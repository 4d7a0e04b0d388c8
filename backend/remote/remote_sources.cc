#include "backend/remote/remote_sources.h"

#include <fcntl.h>

#include <algorithm>
#include <thread>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "base/url.h"
#include "ir/remote_source.h"

namespace lamina::backend {
namespace {

Digest KeyOf(absl::string_view kind, absl::string_view url,
             absl::string_view ref) {
  Hasher hasher;
  hasher.UpdateField(kind);
  hasher.UpdateField(url);
  hasher.UpdateField(ref);
  return hasher.Finish();
}

Digest FileIdentity(const Digest& content) {
  return KeyOf("lamina remote file", content.hex(), "");
}

// What the files of a commit depend on. In .git stand the names, too.
Digest TreeIdentity(const ir::GitTree& tree, const std::string& commit) {
  Hasher hasher;
  hasher.UpdateField("lamina git tree");
  hasher.UpdateField(commit);
  hasher.UpdateField(tree.subdir);
  hasher.UpdateField(tree.skip_submodules ? "without submodules" : "");
  if (tree.keep_git) {
    hasher.UpdateField(HidePassword(tree.url));
    hasher.UpdateField(tree.ref);
  }
  return hasher.Finish();
}

std::string Shown(const std::string& url) {
  absl::StatusOr<Url> parsed = Url::Parse(url);
  return parsed.ok() ? parsed->Shown() : HidePassword(url);
}

absl::Status NotHere(const std::string& what) {
  return absl::FailedPreconditionError(
      absl::StrCat(what,
                   " is not in the store, and nothing is fetched with "
                   "--offline"));
}

absl::Status WrongCommit(const ir::GitTree& tree, const GitRef& ref) {
  std::string name = tree.ref.empty() ? "the default branch"
                                      : absl::StrCat("`", tree.ref, "`");
  return absl::DataLossError(absl::StrCat(
      name, " of ", Shown(tree.url), " is commit ", ref.commit,
      ref.tag.empty() ? "" : absl::StrCat(" (tag ", ref.tag, ")"), ", not ",
      tree.checksum, "; the ref was moved, or the checksum was never its own"));
}

bool Fits(const ir::GitTree& tree, const GitRef& ref) {
  return absl::StartsWith(ref.commit, tree.checksum) ||
         (!ref.tag.empty() && absl::StartsWith(ref.tag, tree.checksum));
}

void Report(const ir::Node& node, const absl::Status& status,
            Diagnostics& diagnostics) {
  bool git = std::holds_alternative<ir::GitTree>(node.op);
  absl::string_view code = "fetch-failed";
  if (absl::IsDataLoss(status)) {
    code = "checksum-mismatch";
  } else if (git && absl::IsNotFound(status)) {
    code = "unknown-ref";
  } else if (absl::IsInvalidArgument(status)) {
    code = "bad-url";
  }
  diagnostics.Error(code, node.source, std::string(status.message()));
}

}  // namespace

bool IsRemote(const ir::Op& op) {
  return std::holds_alternative<ir::RemoteFile>(op) ||
         std::holds_alternative<ir::GitTree>(op);
}

absl::StatusOr<RemoteStates> RemoteSources::Resolve(const ir::BuildGraph& graph,
                                                    Diagnostics& diagnostics) {
  std::vector<const ir::Node*> nodes;
  for (const ir::Node& node : graph.nodes) {
    if (IsRemote(node.op)) {
      nodes.push_back(&node);
    }
  }
  std::vector<absl::StatusOr<RemoteState>> found(nodes.size(),
                                                 absl::UnknownError(""));
  ForEach(nodes.size(), [&](size_t i) { found[i] = ResolveOne(nodes[i]->op); });
  RemoteStates states;
  for (size_t i = 0; i < nodes.size(); ++i) {
    if (!found[i].ok()) {
      Report(*nodes[i], found[i].status(), diagnostics);
      continue;
    }
    states[ir::PrintOp(nodes[i]->op)] = *std::move(found[i]);
  }
  return states;
}

absl::Status RemoteSources::Fetch(const ir::BuildGraph& graph,
                                  const std::vector<ir::NodeId>& nodes,
                                  RemoteStates& states,
                                  Diagnostics& diagnostics) {
  std::vector<absl::Status> done(nodes.size());
  std::vector<RemoteState*> wanted;
  for (ir::NodeId id : nodes) {
    wanted.push_back(&states.at(ir::PrintOp(graph.nodes[id].op)));
  }
  ForEach(nodes.size(), [&](size_t i) {
    done[i] = FetchInto(graph.nodes[nodes[i]].op, *wanted[i]);
  });
  for (size_t i = 0; i < nodes.size(); ++i) {
    if (!done[i].ok()) {
      Report(graph.nodes[nodes[i]], done[i], diagnostics);
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<RemoteState> RemoteSources::FetchOne(const ir::Op& op) {
  ASSIGN_OR_RETURN(RemoteState state, ResolveOne(op));
  if (!state.identity.has_value()) {
    return absl::FailedPreconditionError(
        absl::StrCat(state.unknown,
                     "; nothing is fetched here, only by a build without "
                     "--offline"));
  }
  RETURN_IF_ERROR(FetchInto(op, state));
  return state;
}

absl::StatusOr<RemoteState> RemoteSources::ResolveOne(const ir::Op& op) {
  const auto* file = std::get_if<ir::RemoteFile>(&op);
  return file != nullptr ? ResolveFile(*file)
                         : ResolveGit(std::get<ir::GitTree>(op));
}

absl::Status RemoteSources::FetchInto(const ir::Op& op, RemoteState& state) {
  if (state.fetched) {
    return absl::OkStatus();
  }
  const auto* file = std::get_if<ir::RemoteFile>(&op);
  RETURN_IF_ERROR(file != nullptr ? FetchFile(*file, state)
                                  : FetchGit(std::get<ir::GitTree>(op), state));
  state.fetched = true;
  return absl::OkStatus();
}

// --- files -----------------------------------------------------------------

absl::StatusOr<RemoteState> RemoteSources::ResolveFile(
    const ir::RemoteFile& file) {
  RemoteState state;
  if (!file.checksum.empty()) {
    ASSIGN_OR_RETURN(state.content, Digest::Parse(file.checksum));
    state.identity = FileIdentity(state.content);
    return state;
  }
  Digest key = KeyOf("file", file.url, "");
  ASSIGN_OR_RETURN(std::optional<RemoteRecord> record, Remembered(key));
  if (!options_.network) {
    if (!record.has_value()) {
      state.unknown = absl::StrCat(
          "`", Shown(file.url), "` was never fetched: its content is unknown");
      return state;
    }
    state.content = record->content;
    state.identity = FileIdentity(state.content);
    return state;
  }
  // Another process may fetch the same: its answer is as good.
  ASSIGN_OR_RETURN(UniqueFd lock, Lock(key));
  ASSIGN_OR_RETURN(record, Remembered(key));
  RETURN_IF_ERROR(Download(file, record, state));
  state.identity = FileIdentity(state.content);
  return state;
}

absl::Status RemoteSources::FetchFile(const ir::RemoteFile& file,
                                      RemoteState& state) {
  Digest key = KeyOf("file", file.url, "");
  ASSIGN_OR_RETURN(UniqueFd lock, Lock(key));
  ASSIGN_OR_RETURN(std::optional<RemoteRecord> record, Remembered(key));
  bool remembered = record.has_value() && record->content == state.content;
  bool usable = remembered || !options_.network;
  if (usable) {
    // The bytes of an earlier build may have been damaged since.
    ASSIGN_OR_RETURN(usable, store_->CheckBlob(state.content));
  }
  if (usable) {
    std::optional<int64_t> time =
        remembered ? ParseHttpDate(record->last_modified) : std::nullopt;
    state.mtime = time.value_or(0);
    return absl::OkStatus();
  }
  if (!options_.network) {
    return NotHere(Shown(file.url));
  }
  Digest wanted = state.content;
  RETURN_IF_ERROR(Download(file, std::nullopt, state));
  return state.content == wanted
             ? absl::OkStatus()
             : absl::UnavailableError(absl::StrCat(
                   Shown(file.url),
                   " changed while it was looked at; build again"));
}

absl::Status RemoteSources::Download(const ir::RemoteFile& file,
                                     const std::optional<RemoteRecord>& record,
                                     RemoteState& state) {
  DownloadRequest request;
  request.url = file.url;
  ASSIGN_OR_RETURN(request.headers, FileHeaders(file.url));
  if (record.has_value() && !options_.refresh &&
      store_->HasBlob(record->content)) {
    request.etag = record->etag;
    request.last_modified = record->last_modified;
  }
  if (!file.checksum.empty()) {
    request.checksum = state.content;
  }
  Announce(file.url);
  ASSIGN_OR_RETURN(TempDir scratch, TempDir::Create(store_->scratch()));
  std::string path = JoinPath(scratch.path(), "download");
  ASSIGN_OR_RETURN(Downloaded done, backend::Download(request, path, transport_,
                                                      options_.downloads));
  if (done.not_modified) {
    state.content = record->content;
    state.mtime = ParseHttpDate(record->last_modified).value_or(0);
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(store_->PublishBlob(path, done.digest));
  RemoteRecord fresh;
  fresh.key = KeyOf("file", file.url, "");
  fresh.content = done.digest;
  fresh.etag = done.etag;
  fresh.last_modified = done.last_modified;
  RETURN_IF_ERROR(store_->AddRemote(fresh));
  state.content = done.digest;
  state.mtime = ParseHttpDate(done.last_modified).value_or(0);
  state.fetched = true;
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::pair<std::string, std::string>>>
RemoteSources::FileHeaders(const std::string& url) {
  std::vector<std::pair<std::string, std::string>> headers;
  ASSIGN_OR_RETURN(Url parsed, Url::Parse(url));
  ASSIGN_OR_RETURN(std::optional<std::string> header,
                   Secret(absl::StrCat("HTTP_AUTH_HEADER_", parsed.host)));
  ASSIGN_OR_RETURN(std::optional<std::string> token,
                   Secret(absl::StrCat("HTTP_AUTH_TOKEN_", parsed.host)));
  if (header.has_value()) {
    headers.emplace_back("Authorization", *header);
  } else if (token.has_value()) {
    headers.emplace_back("Authorization", absl::StrCat("Bearer ", *token));
  }
  return headers;
}

// --- git -------------------------------------------------------------------

absl::StatusOr<RemoteState> RemoteSources::ResolveGit(const ir::GitTree& tree) {
  RemoteState state;
  bool fixed = ir::IsWholeCommit(tree.checksum);
  if (fixed || ir::IsWholeCommit(tree.ref)) {
    state.ref.commit = fixed ? tree.checksum : tree.ref;
    if (!Fits(tree, state.ref)) {
      return WrongCommit(tree, state.ref);
    }
    state.identity = TreeIdentity(tree, state.ref.commit);
    return state;
  }
  Digest key = KeyOf("git", tree.url, tree.ref);
  if (options_.network) {
    Announce(tree.url);
    ASSIGN_OR_RETURN(GitRepository repository, OpenGit(tree.url));
    ASSIGN_OR_RETURN(state.ref, repository.Resolve(tree.ref));
    RemoteRecord record;
    record.key = key;
    record.commit = state.ref.commit;
    record.tag = state.ref.tag;
    record.ref = state.ref.name;
    RETURN_IF_ERROR(store_->AddRemote(record));
  } else {
    ASSIGN_OR_RETURN(std::optional<RemoteRecord> record, Remembered(key));
    if (!record.has_value()) {
      state.unknown =
          absl::StrCat("`", Shown(tree.url), tree.ref.empty() ? "" : "#",
                       tree.ref, "` was never fetched: its files are unknown");
      return state;
    }
    state.ref = {record->ref, record->commit, record->tag};
  }
  if (!Fits(tree, state.ref)) {
    return WrongCommit(tree, state.ref);
  }
  state.identity = TreeIdentity(tree, state.ref.commit);
  return state;
}

absl::Status RemoteSources::FetchCommit(const ir::GitTree& tree,
                                        GitRepository& repository,
                                        RemoteState& state) {
  ASSIGN_OR_RETURN(std::optional<std::string> commit,
                   repository.FindCommit(state.ref.commit));
  if (commit.has_value()) {
    state.ref.commit = *commit;
    return absl::OkStatus();
  }
  if (!options_.network) {
    return NotHere(
        absl::StrCat("commit ", state.ref.commit, " of ", Shown(tree.url)));
  }
  Announce(tree.url);
  // A whole checksum fixed the commit before anybody looked at the ref.
  if (!tree.checksum.empty() && !tree.by_commit && state.ref.name.empty() &&
      !ir::IsWholeCommit(tree.ref)) {
    ASSIGN_OR_RETURN(state.ref, repository.Resolve(tree.ref));
    if (!Fits(tree, state.ref)) {
      return WrongCommit(tree, state.ref);
    }
  }
  return repository.Fetch(state.ref);
}

absl::Status RemoteSources::FetchGit(const ir::GitTree& tree,
                                     RemoteState& state) {
  ASSIGN_OR_RETURN(GitRepository repository, OpenGit(tree.url));
  // One process at a time changes the copy of a repository.
  ASSIGN_OR_RETURN(UniqueFd lock, Lock(KeyOf("git", tree.url, "")));
  RETURN_IF_ERROR(FetchCommit(tree, repository, state));
  ASSIGN_OR_RETURN(TempDir folder, TempDir::Create(store_->scratch()));
  std::string path = JoinPath(folder.path(), "tree");
  {
    std::lock_guard guard(mutex_);
    folders_.push_back(std::move(folder));
  }
  RETURN_IF_ERROR(repository.CheckOut(state.ref, tree, path));
  if (tree.commit_times) {
    ASSIGN_OR_RETURN(state.commit_time,
                     repository.CommitTime(state.ref.commit));
  }
  state.folder = JoinPath(path, tree.subdir);
  // No symlink of the repository leads out of it.
  ASSIGN_OR_RETURN(UniqueFd root, OpenFile(path, O_PATH | O_DIRECTORY));
  if (!tree.subdir.empty() &&
      !OpenBeneath(root.get(), tree.subdir, O_PATH | O_DIRECTORY).ok()) {
    return absl::NotFoundError(absl::StrCat(
        Shown(tree.url), " has no folder `", tree.subdir, "` in commit ",
        state.ref.commit.substr(0, 12), "; check what stands behind `:`"));
  }
  return absl::OkStatus();
}

absl::StatusOr<GitRepository> RemoteSources::OpenGit(const std::string& url) {
  GitOptions options;
  options.agent = options_.agent;
  options.cancel = options_.cancel;
  absl::StatusOr<Url> parsed = Url::Parse(url);
  if (parsed.ok() && absl::StartsWith(parsed->scheme, "http")) {
    for (absl::string_view id : {"GIT_AUTH_HEADER", "GIT_AUTH_TOKEN"}) {
      for (const std::string& name :
           {absl::StrCat(id, ".", parsed->host), std::string(id)}) {
        ASSIGN_OR_RETURN(std::optional<std::string> secret, Secret(name));
        if (secret.has_value() && options.authorization.empty()) {
          options.authorization =
              id == "GIT_AUTH_HEADER"
                  ? *secret
                  : absl::StrCat("Basic ", absl::Base64Escape(absl::StrCat(
                                               "x-access-token:", *secret)));
        }
      }
    }
  }
  return GitRepository(
      url, JoinPath(store_->GitFolder(), KeyOf("git", url, "").hex()),
      std::move(options));
}

// --- common ----------------------------------------------------------------

absl::StatusOr<std::optional<std::string>> RemoteSources::Secret(
    const std::string& id) {
  if (options_.secret == nullptr) {
    return std::optional<std::string>();
  }
  absl::StatusOr<std::string> text = options_.secret(id);
  if (absl::IsNotFound(text.status())) {
    return std::optional<std::string>();
  }
  RETURN_IF_ERROR(text.status());
  absl::string_view line = absl::StripTrailingAsciiWhitespace(*text);
  if (line.find_first_of(absl::string_view("\r\n\0", 3)) !=
      absl::string_view::npos) {
    return absl::InvalidArgumentError(
        absl::StrCat("secret `", id, "` has more than one line"));
  }
  return std::optional<std::string>(std::string(line));
}

absl::StatusOr<std::optional<RemoteRecord>> RemoteSources::Remembered(
    const Digest& key) {
  if (store_ == nullptr) {
    return std::optional<RemoteRecord>();
  }
  return store_->FindRemote(key);
}

// Without network nothing is written, not even a lock file.
absl::StatusOr<UniqueFd> RemoteSources::Lock(const Digest& key) {
  return options_.network ? store_->Lock(key) : UniqueFd();
}

void RemoteSources::Announce(const std::string& url) {
  if (options_.on_fetch != nullptr) {
    std::lock_guard guard(mutex_);
    options_.on_fetch(Shown(url));
  }
}

void RemoteSources::ForEach(size_t count,
                            const std::function<void(size_t)>& work) {
  std::atomic<size_t> next = 0;
  auto run = [&] {
    for (size_t i = next++; i < count; i = next++) {
      work(i);
    }
  };
  std::vector<std::thread> helpers;
  for (size_t i = 1; i < std::min(count, static_cast<size_t>(options_.at_once));
       ++i) {
    helpers.emplace_back(run);
  }
  run();
  for (std::thread& helper : helpers) {
    helper.join();
  }
}

}  // namespace lamina::backend
