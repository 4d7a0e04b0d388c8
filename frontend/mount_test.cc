// Every option of RUN --mount, right and wrong (dockerfile.md 9.1).
#include "frontend/dockerfile/mount.h"

#include <iterator>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "frontend/dockerfile/expand.h"
#include "gtest/gtest.h"

namespace lamina::frontend {
namespace {

using ir::Mount;

constexpr const char* kTypes[] = {"bind", "cache", "tmpfs", "secret", "ssh"};
constexpr const char* kSharing[] = {"", " private", " locked"};

std::string Show(const MountSpec& spec) {
  const Mount& mount = spec.mount;
  auto text = [](const char* name, const std::string& value) {
    return value.empty() ? "" : absl::StrCat(" ", name, "=", value);
  };
  return absl::StrCat(
      kTypes[static_cast<int>(mount.type)], mount.read_only ? " ro" : " rw",
      text("target", mount.target), text("source", mount.source),
      text("from", spec.from), text("id", mount.id),
      kSharing[static_cast<int>(mount.sharing)],
      mount.required ? " required" : "",
      mount.size == 0 ? "" : absl::StrCat(" size=", mount.size),
      mount.mode == 0 ? "" : absl::StrFormat(" 0%o", mount.mode),
      mount.uid == 0 ? "" : absl::StrCat(" uid=", mount.uid),
      mount.gid == 0 ? "" : absl::StrCat(" gid=", mount.gid),
      text("env", mount.env));
}

// What was read, or "!" and the error.
std::string Read(absl::string_view record) {
  Variables variables;
  variables.Set("v", "value");
  variables.Set("kind", "cache");
  auto expand = [&](absl::string_view value) {
    return ExpandWord(value, '\\', variables);
  };
  MountMistake mistake;
  absl::StatusOr<MountFrom> from = ParseMountFrom(record, mistake);
  if (!from.ok()) {
    return absl::StrCat("!", from.status().message());
  }
  absl::StatusOr<MountSpec> spec = ParseMount(record, expand, mistake);
  return spec.ok() ? Show(*spec) : absl::StrCat("!", spec.status().message());
}

struct Row {
  const char* record;
  const char* result;  // An error up to its hint.
};

constexpr Row kValid[] = {
    // Types, in any case; bind is the default.
    {"target=/t", "bind ro target=/t"},
    {"type=bind,target=/t", "bind ro target=/t"},
    {"type=BIND,TARGET=/t", "bind ro target=/t"},
    {"type=cache,target=/t", "cache rw target=/t 0755"},
    {"type=tmpfs,target=/t", "tmpfs rw target=/t"},
    {"type=secret,id=a", "secret ro id=a 0400"},
    {"type=ssh", "ssh ro 0600"},
    {"type=$kind,target=/t", "cache rw target=/t 0755"},
    // Targets and sources under their names.
    {"dst=/t", "bind ro target=/t"},
    {"destination=/t", "bind ro target=/t"},
    {"target=t/../u", "bind ro target=t/../u"},
    {"target=/$v", "bind ro target=/value"},
    {"target=/t,source=/s", "bind ro target=/t source=/s"},
    {"target=/t,src=s/$v", "bind ro target=/t source=s/value"},
    {"target=/a,target=/b", "bind ro target=/b"},
    {"target=/t,from=img:1", "bind ro target=/t from=img:1"},
    {"type=cache,target=/t,from=a,source=/s",
     "cache rw target=/t source=/s from=a 0755"},
    {"type=tmpfs,target=/t,from=a", "tmpfs rw target=/t from=a"},
    // Read-only and writable, bare and with a value.
    {"target=/t,ro", "bind ro target=/t"},
    {"target=/t,readonly", "bind ro target=/t"},
    {"target=/t,rw", "bind rw target=/t"},
    {"target=/t,readwrite", "bind rw target=/t"},
    {"target=/t,rw=true", "bind rw target=/t"},
    {"target=/t,rw=0", "bind ro target=/t"},
    {"target=/t,ro=F", "bind rw target=/t"},
    {"target=/t,readwrite=False", "bind ro target=/t"},
    {"type=cache,target=/t,ro", "cache ro target=/t 0755"},
    {"type=tmpfs,target=/t,readonly=1", "tmpfs ro target=/t"},
    {"type=secret,id=a,rw", "secret ro id=a 0400"},
    // Ids and names.
    {"target=/t,id=x", "bind ro target=/t id=x"},
    {"type=cache,target=/t,id=x y", "cache rw target=/t id=x y 0755"},
    {"type=cache,target=/t,id=$v", "cache rw target=/t id=value 0755"},
    {"type=secret,src=a", "secret ro id=a 0400"},
    {"type=secret,source=a", "secret ro id=a 0400"},
    {"type=secret,target=/s", "secret ro target=/s 0400"},
    {"type=secret,id=a,env=E", "secret ro id=a 0400 env=E"},
    {"type=secret,id=a,env=E,target=/s", "secret ro target=/s id=a 0400 env=E"},
    {"target=/t,env=E", "bind ro target=/t env=E"},
    {"type=ssh,id=a,target=/s", "ssh ro target=/s id=a 0600"},
    // Sharing.
    {"type=cache,target=/t,sharing=shared", "cache rw target=/t 0755"},
    {"type=cache,target=/t,sharing=private", "cache rw target=/t private 0755"},
    {"type=cache,target=/t,sharing=LOCKED", "cache rw target=/t locked 0755"},
    // Required.
    {"type=secret,id=a,required", "secret ro id=a required 0400"},
    {"type=secret,id=a,required=false", "secret ro id=a 0400"},
    {"type=ssh,required=t", "ssh ro required 0600"},
    // Sizes.
    {"type=tmpfs,target=/t,size=100", "tmpfs rw target=/t size=100"},
    {"type=tmpfs,target=/t,size=64m", "tmpfs rw target=/t size=67108864"},
    {"type=tmpfs,target=/t,size=1GiB", "tmpfs rw target=/t size=1073741824"},
    {"type=tmpfs,target=/t,size=1.5kb", "tmpfs rw target=/t size=1536"},
    {"type=tmpfs,target=/t,size=7b", "tmpfs rw target=/t size=7"},
    // Modes and owners.
    {"type=cache,target=/t,mode=0700", "cache rw target=/t 0700"},
    {"type=cache,target=/t,mode=1777,uid=5,gid=6",
     "cache rw target=/t 01777 uid=5 gid=6"},
    {"type=secret,id=a,mode=555", "secret ro id=a 0555"},
    {"type=ssh,uid=1000,gid=1000,mode=666", "ssh ro 0666 uid=1000 gid=1000"},
    {"type=cache,target=/t,uid=4294967295",
     "cache rw target=/t 0755 uid=4294967295"},
    // Quotes of RFC 4180.
    {"type=bind,\"source=a,b\",target=/t", "bind ro target=/t source=a,b"},
    {"\"target=/a \"\"b\"\"\"", "bind ro target=/a b"},
    {"target=/a b", "bind ro target=/a b"},
};

constexpr Row kInvalid[] = {
    {"type=volume,target=/t", "unsupported mount type \"volume\""},
    {"type=,target=/t", "unsupported mount type \"\""},
    {"type= bind,target=/t", "unsupported mount type \" bind\""},
    {"type=cache", "target required"},
    {"type=bind", "target required"},
    {"type=tmpfs", "target required"},
    {"target=", "target required"},
    {"target=$none", "target required"},
    {"target=/t,from=$x",
     "'from' doesn't support variable expansion, define alias stage instead"},
    {"target=${v", "failed to process \"${v\": syntax error: missing '}'"},
    {"target=/t,foo=1", "unexpected key 'foo' in 'foo=1'"},
    {"target=/t,foo", "invalid field 'foo' must be a key=value pair"},
    {"target=/t,id", "invalid field 'id' must be a key=value pair"},
    {"target=/t,", "invalid field '' must be a key=value pair"},
    {"", "invalid field '' must be a key=value pair"},
    {" target=/t", "unexpected key ' target' in ' target=/t'"},
    {"target=/t,ro=yes", "invalid value for ro: yes"},
    {"target=/t,readonly=", "invalid value for readonly: "},
    {"target=/t,rw=tRUE", "invalid value for rw: tRUE"},
    {"type=secret,id=a,required=maybe", "invalid value for required: maybe"},
    {"required,type=secret,id=a",
     "unexpected key 'required' for mount type 'bind'"},
    {"target=/t,required=true",
     "unexpected key 'required' for mount type 'bind'"},
    {"type=cache,target=/t,required",
     "unexpected key 'required' for mount type 'cache'"},
    {"type=tmpfs,target=/t,required",
     "unexpected key 'required' for mount type 'tmpfs'"},
    {"target=/t,size=1", "unexpected key 'size' for mount type 'bind'"},
    {"size=1,type=tmpfs,target=/t",
     "unexpected key 'size' for mount type 'bind'"},
    {"type=cache,target=/t,size=1",
     "unexpected key 'size' for mount type 'cache'"},
    {"type=secret,id=a,size=1",
     "unexpected key 'size' for mount type 'secret'"},
    {"type=ssh,size=1", "unexpected key 'size' for mount type 'ssh'"},
    {"type=tmpfs,target=/t,size=", "invalid value for size: "},
    {"type=tmpfs,target=/t,size=1x", "invalid value for size: 1x"},
    {"type=tmpfs,target=/t,size=-1", "invalid value for size: -1"},
    {"type=cache,target=/t,sharing=x", "unsupported sharing value \"x\""},
    {"target=/t,sharing=shared", "invalid cache sharing set for bind mount"},
    {"type=tmpfs,target=/t,sharing=shared",
     "invalid cache sharing set for tmpfs mount"},
    {"type=ssh,sharing=shared", "invalid cache sharing set for ssh mount"},
    {"type=secret,id=a,sharing=shared",
     "secret mount should not define sharing"},
    {"type=cache,target=/t,mode=9", "invalid value 9 for mode"},
    {"type=cache,target=/t,mode=0x1", "invalid value 0x1 for mode"},
    {"type=cache,target=/t,mode=u+x", "invalid value u+x for mode"},
    {"type=cache,target=/t,uid=me", "invalid value me for uid"},
    {"type=cache,target=/t,uid=-1", "invalid value -1 for uid"},
    {"type=cache,target=/t,gid=4294967296", "invalid value 4294967296 for gid"},
    {"target=/t,mode=1", "mode not allowed for \"bind\" type mounts"},
    {"target=/t,uid=1", "uid not allowed for \"bind\" type mounts"},
    {"target=/t,gid=1", "gid not allowed for \"bind\" type mounts"},
    {"type=tmpfs,target=/t,mode=1",
     "mode not allowed for \"tmpfs\" type mounts"},
    {"type=tmpfs,target=/t,uid=1", "uid not allowed for \"tmpfs\" type mounts"},
    {"type=secret", "invalid secret mount. one of source, target required"},
    {"type=secret,id=a,source=b", "both source and id can't be set"},
    {"type=secret,id=a,from=b", "secret mount should not have a from"},
    {"type=ssh,source=a", "ssh does not support source"},
    {"type=bind,\"target=/t", "failed to parse csv mounts"},
    {"type=bind,tar\"get=/t", "failed to parse csv mounts"},
    {"\"type=bind\"x,target=/t", "failed to parse csv mounts"},
};

TEST(Mount, OptionsAreReadAsTheReferenceReadsThem) {
  static_assert(std::size(kValid) + std::size(kInvalid) >= 100);
  for (const Row& row : kValid) {
    EXPECT_EQ(Read(row.record), row.result) << row.record;
  }
}

TEST(Mount, MistakesHaveTheWordsOfTheReferenceAndAHint) {
  for (const Row& row : kInvalid) {
    std::string got = Read(row.record);
    std::string wanted = absl::StrCat("!", row.result);
    EXPECT_EQ(got.substr(0, wanted.size()), wanted) << row.record;
    bool ends = got.size() == wanted.size() || got[wanted.size()] == ';' ||
                got[wanted.size()] == ':';
    EXPECT_TRUE(ends) << got;
  }
}

TEST(Mount, OnlySomeTypesReadFrom) {
  for (const auto& [record, ignored] :
       {std::pair("type=tmpfs,target=/t,from=a", true),
        std::pair("from=a,type=SSH", true),
        std::pair("type=cache,target=/t,from=a", false),
        std::pair("target=/t,from=a", false)}) {
    MountMistake mistake;
    absl::StatusOr<MountFrom> from = ParseMountFrom(record, mistake);
    ASSERT_TRUE(from.ok());
    EXPECT_EQ(from->name, "a");
    EXPECT_EQ(from->ignored, ignored) << record;
  }
}

}  // namespace
}  // namespace lamina::frontend
