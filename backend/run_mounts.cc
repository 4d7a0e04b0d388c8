#include "backend/run_mounts.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "base/status.h"
#include "base/text.h"

namespace lamina::backend {
namespace {

using ir::Mount;
using runtime::SandboxMount;

constexpr size_t kMaxSecret = 500 * 1024;  // Bytes.
constexpr size_t kShortestSecret = 4;
// Of one line of several: shorter ones, such as `}`, are no secret.
constexpr size_t kShortestLine = 8;

SandboxMount Basic(const Mount& mount, SandboxMount::Type type) {
  SandboxMount made;
  made.type = type;
  made.target = mount.target;
  made.read_only = mount.read_only;
  return made;
}

template <typename Value>
std::string NotGiven(absl::string_view kind, const std::string& id,
                     const std::map<std::string, Value>& given) {
  std::vector<std::string> ids;
  for (const auto& [name, value] : given) {
    ids.push_back(name);
  }
  std::optional<std::string> near = Closest(id, ids);
  return absl::StrCat(
      kind, " `", id, "` was not given",
      near.has_value() ? absl::StrCat("; did you mean `", *near, "`?") : "");
}

}  // namespace

absl::StatusOr<std::string> ReadSecret(const std::string& id,
                                       const SecretSource& source) {
  std::string text;
  if (!source.variable.empty()) {
    const char* value = getenv(source.variable.c_str());
    if (value == nullptr) {
      return absl::NotFoundError(absl::StrCat("secret `", id, "`: variable ",
                                              source.variable, " is not set"));
    }
    text = value;
  } else {
    absl::StatusOr<std::string> read = ReadFile(source.file, kMaxSecret + 1);
    RETURN_IF_ERROR(
        Annotate(read.status(), absl::StrCat("secret `", id, "`")));
    text = *std::move(read);
  }
  if (text.size() > kMaxSecret) {
    return absl::InvalidArgumentError(
        absl::StrCat("secret `", id, "` has more than 500 KiB"));
  }
  return text;
}

absl::Status StepMounts::Add(const Mount& mount,
                             std::optional<SandboxMount> source,
                             const CacheSeed* seed) {
  switch (mount.type) {
    case Mount::Type::kBind: {
      CHECK(source.has_value());
      source->target = mount.target;
      source->read_only = mount.read_only;
      // Writes are allowed with `rw`, and discarded.
      source->discard_writes = !mount.read_only;
      mounts_.push_back(*std::move(source));
      return absl::OkStatus();
    }
    case Mount::Type::kTmpfs: {
      SandboxMount made = Basic(mount, SandboxMount::Type::kTmpfs);
      made.size = mount.size;
      made.nosuid = true;
      mounts_.push_back(std::move(made));
      return absl::OkStatus();
    }
    case Mount::Type::kCache:
      return AddCache(mount, seed);
    case Mount::Type::kSecret:
      return AddSecret(mount);
    case Mount::Type::kSsh:
      return AddAgent(mount);
  }
  return absl::OkStatus();
}

absl::Status StepMounts::AddCache(const Mount& mount, const CacheSeed* seed) {
  ASSIGN_OR_RETURN(CacheInstance cache, TakeCache(mount, seed, caches_));
  SandboxMount made = Basic(mount, SandboxMount::Type::kBind);
  made.source = std::move(cache.folder);
  mounts_.push_back(std::move(made));
  locks_.push_back(std::move(cache.lock));
  return absl::OkStatus();
}

absl::Status StepMounts::AddSecret(const Mount& mount) {
  auto given = resources_.secrets.find(mount.id);
  if (given == resources_.secrets.end()) {
    return mount.required
               ? absl::NotFoundError(absl::StrCat(
                     NotGiven("secret", mount.id, resources_.secrets),
                     "; pass it with --secret id=", mount.id, ",src=FILE"))
               : absl::OkStatus();
  }
  ASSIGN_OR_RETURN(std::string text, ReadSecret(mount.id, given->second));
  secrets_.push_back(text);
  if (!mount.env.empty()) {
    env_.push_back(absl::StrCat(mount.env, "=", text));
  }
  if (!mount.target.empty()) {
    SandboxMount made = Basic(mount, SandboxMount::Type::kFile);
    made.read_only = true;
    made.nosuid = true;
    made.noexec = (mount.mode & 0111) == 0;
    made.content = std::move(text);
    made.mode = mount.mode;
    made.uid = mount.uid;
    made.gid = mount.gid;
    mounts_.push_back(std::move(made));
  }
  return absl::OkStatus();
}

absl::Status StepMounts::AddAgent(const Mount& mount) {
  auto given = resources_.agents.find(mount.id);
  if (given == resources_.agents.end()) {
    return mount.required
               ? absl::NotFoundError(absl::StrCat(
                     NotGiven("ssh agent", mount.id, resources_.agents),
                     "; pass it with --ssh ", mount.id, "=SOCKET"))
               : absl::OkStatus();
  }
  ASSIGN_OR_RETURN(std::unique_ptr<AgentRelay> relay,
                   AgentRelay::Start({.agent = given->second,
                                      .mode = mount.mode,
                                      .uid = mount.uid,
                                      .gid = mount.gid}));
  SandboxMount made = Basic(mount, SandboxMount::Type::kBind);
  made.read_only = false;
  made.source = relay->path();
  relays_.push_back(std::move(relay));
  mounts_.push_back(std::move(made));
  return absl::OkStatus();
}

absl::Status StepMounts::MoveInto(runtime::SandboxSpec& spec) {
  std::move(mounts_.begin(), mounts_.end(), std::back_inserter(spec.mounts));
  std::move(env_.begin(), env_.end(), std::back_inserter(spec.env));
  mounts_.clear();
  env_.clear();
  return absl::OkStatus();
}

Redactor::Redactor(const std::vector<std::string>& secrets) {
  for (const std::string& secret : secrets) {
    // Files end with a line end, which is not part of what must stay secret.
    absl::string_view text = absl::StripAsciiWhitespace(secret);
    if (text.size() >= kShortestSecret) {
      secrets_.emplace_back(text);
    }
    std::vector<absl::string_view> lines = absl::StrSplit(text, '\n');
    for (size_t i = 0; i < lines.size() && lines.size() > 1; ++i) {
      absl::string_view line = absl::StripAsciiWhitespace(lines[i]);
      if (line.size() >= kShortestLine) {
        secrets_.emplace_back(line);
      }
    }
  }
  // The whole before its parts.
  std::stable_sort(secrets_.begin(), secrets_.end(),
                   [](const std::string& a, const std::string& b) {
                     return a.size() > b.size();
                   });
}

std::string Redactor::Pass(absl::string_view bytes) {
  if (secrets_.empty()) {
    return std::string(bytes);
  }
  absl::StrAppend(&held_, bytes);
  size_t keep = 0;
  for (const std::string& secret : secrets_) {
    held_ = absl::StrReplaceAll(held_, {{secret, "***"}});
  }
  for (const std::string& secret : secrets_) {
    size_t longest = std::min(secret.size() - 1, held_.size());
    for (size_t size = longest; size > keep; --size) {
      if (absl::EndsWith(held_, absl::string_view(secret).substr(0, size))) {
        keep = size;
      }
    }
  }
  std::string shown = held_.substr(0, held_.size() - keep);
  held_.erase(0, shown.size());
  return shown;
}

std::string Redactor::Rest() { return std::exchange(held_, ""); }

}  // namespace lamina::backend
