#include "backend/waste_advice.h"

#include <algorithm>
#include <iterator>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace lamina::backend {
namespace {

// `words` are parts of a path, or its end when they begin with `*`.
struct Kind {
  std::vector<absl::string_view> words;
  absl::string_view mount;  // Target of a cache mount; empty: an archive.
};

const std::vector<Kind>& Kinds() {
  static const std::vector<Kind>& kinds = *new std::vector<Kind>{
      {{"var/lib/apt/lists/"}, "/var/lib/apt/lists"},
      {{"var/cache/apt/"}, "/var/cache/apt"},
      {{"var/cache/apk/", "etc/apk/cache/"}, "/var/cache/apk"},
      {{"var/cache/dnf/", "var/cache/yum/", "var/cache/libdnf5/"},
       "/var/cache/dnf"},
      {{".cache/pip/"}, "/root/.cache/pip"},
      {{".npm/", ".cache/yarn/", ".yarn/cache/", ".pnpm-store/"}, "/root/.npm"},
      {{".cache/go-build/"}, "/root/.cache/go-build"},
      {{"go/pkg/mod/"}, "/go/pkg/mod"},
      {{"cargo/registry/", "cargo/git/"}, "/usr/local/cargo/registry"},
      {{".m2/", ".gradle/"}, "/root/.m2"},
      {{".cache/"}, "/root/.cache"},
      {{"*.tar", "*.tar.gz", "*.tgz", "*.tar.xz", "*.txz", "*.tar.bz2",
        "*.tbz2", "*.tar.zst", "*.zip", "*.deb", "*.rpm", "*.apk", "*.whl"},
       ""},
  };
  return kinds;
}

bool HasAny(absl::string_view text,
            const std::vector<absl::string_view>& words) {
  return std::any_of(
      words.begin(), words.end(),
      [text](absl::string_view word) { return absl::StrContains(text, word); });
}

bool Copies(absl::string_view instruction) {
  return absl::StartsWith(instruction, "COPY ") ||
         absl::StartsWith(instruction, "ADD ") ||
         HasAny(instruction, {"#(nop) COPY ", "#(nop) ADD "});
}

bool RemovesPackages(absl::string_view instruction) {
  return HasAny(
      instruction,
      {"apt-get purge",    "apt-get remove",    "apt-get autoremove",
       "apt-get -y purge", "apt-get -y remove", "apt-get -y autoremove",
       "apt purge",        "apt remove",        "apt autoremove",
       "--auto-remove",    "apk del",           "dnf remove",
       "dnf -y remove",    "yum remove",        "yum -y remove",
       "microdnf remove",  "dpkg --purge",      "dpkg -r",
       "pip uninstall",    "pacman -R"});
}

std::string ForMetadata(const WasteFacts& facts) {
  const bool owner = absl::StrContains(facts.guilty, "chown");
  const bool mode = absl::StrContains(facts.guilty, "chmod");
  const absl::string_view flag = owner && mode ? "--chown and --chmod"
                                 : owner       ? "--chown"
                                               : "--chmod";
  if (!facts.writer_is_own) {
    return "the base has these files: change them where the base is built, or "
           "name fewer of them";
  }
  if (Copies(facts.writer) && Copies(facts.guilty)) {
    return "copy the files once, with their final owner and mode";
  }
  if (Copies(facts.writer) && (owner || mode)) {
    return absl::StrCat("use COPY ", flag,
                        " instead of changing the files afterwards");
  }
  if (owner || mode) {
    return absl::StrCat("run ", owner ? "chown" : "chmod",
                        " in the RUN that writes the files");
  }
  return "write the files once, with their final owner, mode and time";
}

std::string ForCache(absl::string_view mount) {
  return absl::StrCat(
      "delete it in the RUN that writes it, or use RUN "
      "--mount=type=cache,target=",
      mount);
}

// The kind that most bytes are of, or kWasteKinds.
size_t MainKind(const WasteFacts& facts) {
  for (size_t kind = 0; kind < kWasteKinds; ++kind) {
    if (facts.kinds[kind] * 2 > facts.bytes) {
      return kind;
    }
  }
  return kWasteKinds;
}

std::string ForDeletion(const WasteFacts& facts) {
  const size_t kind = MainKind(facts);
  if (!facts.writer_is_own) {
    return "the base has these files, and deleting does not make it smaller: "
           "choose a smaller base, or delete them where it is built";
  }
  if (facts.moved * 2 > facts.bytes) {
    return "write the files where they belong: moving them in a later "
           "instruction stores them twice";
  }
  if (kind < kWasteKinds && !Kinds()[kind].mount.empty()) {
    return ForCache(Kinds()[kind].mount);
  }
  if (kind < kWasteKinds && Copies(facts.writer)) {
    return "let ADD unpack the archive, or show it to the RUN that unpacks it "
           "with --mount=type=bind";
  }
  if (kind < kWasteKinds) {
    return "download, unpack and delete the archive in one RUN, or let ADD "
           "fetch it in another stage";
  }
  if (RemovesPackages(facts.guilty)) {
    return "build in a stage of its own and COPY --from=STAGE the result, or "
           "install and remove the build tools in one RUN";
  }
  return Copies(facts.writer)
             ? "leave the files out of the COPY, or show them to the RUN that "
               "needs them with --mount=type=bind"
             : "delete the files in the RUN that writes them, or write them in "
               "another stage";
}

std::string ForOverwriting(const WasteFacts& facts) {
  if (!facts.writer_is_own) {
    return "the base has another version of these files: choose a newer base";
  }
  if (Copies(facts.writer) && Copies(facts.guilty)) {
    return "copy the files once: leave them out of the first COPY";
  }
  return "write the files once: join the two instructions, or leave out the "
         "first version";
}

}  // namespace

size_t WasteKindOf(absl::string_view path) {
  const std::vector<Kind>& kinds = Kinds();
  for (size_t i = 0; i < kinds.size(); ++i) {
    for (absl::string_view word : kinds[i].words) {
      if (word.front() == '*' ? absl::EndsWith(path, word.substr(1))
                              : absl::StrContains(path, word)) {
        return i;
      }
    }
  }
  return kWasteKinds;
}

std::string WasteAdvice(const WasteFacts& facts) {
  switch (facts.cause) {
    case WasteCause::kMetadata:
      return ForMetadata(facts);
    case WasteCause::kDeleted:
      return ForDeletion(facts);
    case WasteCause::kOverwritten:
      return ForOverwriting(facts);
  }
  return "";
}

}  // namespace lamina::backend
