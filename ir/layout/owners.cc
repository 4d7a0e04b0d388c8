#include "ir/layout/owners.h"

#include <algorithm>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/files.h"

namespace lamina::ir {
namespace {

constexpr absl::string_view kDpkgInfo = "var/lib/dpkg/info/";
constexpr absl::string_view kApkInstalled = "lib/apk/db/installed";

bool SplitAt(absl::string_view text, absl::string_view marker,
             absl::string_view& before, absl::string_view& after) {
  size_t at = text.find(marker);
  if (at == absl::string_view::npos) {
    return false;
  }
  before = text.substr(0, at);
  after = text.substr(at + marker.size());
  return true;
}

// Names as PEP 503 compares them.
std::string PythonName(absl::string_view name) {
  std::string out;
  for (char c : absl::AsciiStrToLower(name)) {
    bool dash = c == '-' || c == '_' || c == '.';
    if (!dash) {
      out.push_back(c);
    } else if (!absl::EndsWith(out, "-")) {
      out.push_back('-');
    }
  }
  return out;
}

// "rake" of "rake-13.0.6", "my-gem" of "my-gem-1.0-x86_64-linux".
std::string WithoutVersion(absl::string_view name) {
  for (size_t at = name.find('-'); at != absl::string_view::npos;
       at = name.find('-', at + 1)) {
    if (at + 1 < name.size() && absl::ascii_isdigit(name[at + 1])) {
      return std::string(name.substr(0, at));
    }
  }
  return std::string(name);
}

class OwnerFinder {
 public:
  OwnerFinder(const std::vector<std::string>& paths, const ReadText& read)
      : paths_(paths), present_(paths.begin(), paths.end()), read_(read) {}

  std::map<std::string, std::string, std::less<>> Find() {
    // Whoever lists a path knows better than its folder does.
    for (const std::string& path : paths_) {
      ReadDatabase(path);
    }
    for (const std::string& path : paths_) {
      std::string owner = claims_.contains(path) ? "" : OwnerByFolder(path);
      if (!owner.empty()) {
        claims_[path].insert(owner);
      }
    }
    std::map<std::string, std::string, std::less<>> owners;
    for (const auto& [path, claims] : claims_) {
      if (claims.size() == 1) {
        owners.emplace(path, *claims.begin());
      }
    }
    return owners;
  }

 private:
  void Claim(const std::string& path, const std::string& owner) {
    if (present_.contains(path)) {
      claims_[path].insert(owner);
      return;
    }
    // The list may name a path as it was before /lib and /bin became links.
    std::string merged = absl::StrCat("usr/", path);
    if (present_.contains(merged)) {
      claims_[merged].insert(owner);
    }
  }

  void ReadDatabase(const std::string& path) {
    if (absl::StartsWith(path, kDpkgInfo) && absl::EndsWith(path, ".list")) {
      if (std::optional<std::string> text = Read(path)) {
        ReadDpkgList(path, *text);
      }
    } else if (path == kApkInstalled) {
      if (std::optional<std::string> text = Read(path)) {
        ReadApkInstalled(*text);
      }
    } else if (absl::EndsWith(path, ".dist-info/RECORD")) {
      if (std::optional<std::string> text = Read(path)) {
        ReadPythonRecord(path, *text);
      }
    }
  }

  std::optional<std::string> Read(const std::string& path) const {
    return read_ ? read_(path) : std::nullopt;
  }

  // One absolute path a line, folders too.
  void ReadDpkgList(const std::string& path, absl::string_view text) {
    std::string owner = DpkgOwner(path);
    for (absl::string_view line :
         absl::StrSplit(text, '\n', absl::SkipEmpty())) {
      if (absl::ConsumePrefix(&line, "/") && line != ".") {
        Claim(std::string(line), owner);
      }
    }
  }

  // Of a file in the info folder: "libc6:amd64.md5sums" is of libc6.
  static std::string DpkgOwner(absl::string_view path) {
    absl::string_view name = path.substr(kDpkgInfo.size());
    name = name.substr(0, name.rfind('.'));
    return absl::StrCat("deb:", name.substr(0, name.find(':')));
  }

  // P: is the package's name, F: a folder, R: a file in it.
  void ReadApkInstalled(absl::string_view text) {
    std::string owner;
    std::string folder;
    for (absl::string_view line : absl::StrSplit(text, '\n')) {
      if (absl::ConsumePrefix(&line, "P:")) {
        owner = absl::StrCat("apk:", line);
      } else if (absl::ConsumePrefix(&line, "F:")) {
        folder = std::string(line);
        Claim(folder, owner);
      } else if (absl::ConsumePrefix(&line, "R:")) {
        Claim(folder.empty() ? std::string(line) : JoinPath(folder, line),
              owner);
      }
    }
  }

  // Comma-separated: path relative to the folder of *.dist-info, hash, size.
  void ReadPythonRecord(const std::string& path, absl::string_view text) {
    absl::string_view info = DirName(path);
    absl::string_view site = DirName(info);
    absl::string_view name = BaseName(info);
    std::string owner =
        absl::StrCat("pip:", PythonName(name.substr(0, name.find('-'))));
    for (absl::string_view line :
         absl::StrSplit(text, '\n', absl::SkipEmpty())) {
      std::string file;
      if (absl::ConsumePrefix(&line, "\"")) {
        file = std::string(line.substr(0, line.find('"')));
      } else {
        file = std::string(line.substr(0, line.find(',')));
      }
      std::string absolute = absl::StrCat("/", site, "/", file);
      Claim(CleanPath(absl::StartsWith(file, "/") ? file : absolute).substr(1),
            owner);
    }
  }

  std::string OwnerByFolder(const std::string& path) const {
    if (absl::StartsWith(path, kDpkgInfo) &&
        present_.contains(DpkgList(path))) {
      return DpkgOwner(path);
    }
    std::string owner = NpmOwner(path);
    owner = owner.empty() ? PythonOwner(path) : owner;
    owner = owner.empty() ? GoOwner(path) : owner;
    return owner.empty() ? GemOwner(path) : owner;
  }

  // The list beside a file of the info folder.
  static std::string DpkgList(absl::string_view path) {
    return absl::StrCat(path.substr(0, path.rfind('.')), ".list");
  }

  // What is below the last node_modules/NAME that has a package.json.
  std::string NpmOwner(absl::string_view path) const {
    constexpr absl::string_view kModules = "node_modules/";
    for (size_t at = path.rfind(kModules); at != absl::string_view::npos;
         at = at == 0 ? absl::string_view::npos
                      : path.rfind(kModules, at - 1)) {
      if (at > 0 && path[at - 1] != '/') {
        continue;
      }
      absl::string_view rest = path.substr(at + kModules.size());
      size_t end = rest.find('/');
      if (absl::StartsWith(rest, "@") && end != absl::string_view::npos) {
        end = rest.find('/', end + 1);
      }
      absl::string_view name = rest.substr(0, end);
      absl::string_view folder = path.substr(0, at + kModules.size());
      if (present_.contains(absl::StrCat(folder, name, "/package.json"))) {
        return absl::StrCat("npm:", name);
      }
    }
    return "";
  }

  std::string PythonOwner(absl::string_view path) const {
    absl::string_view before, after;
    if (!SplitAt(path, ".dist-info", before, after) ||
        (!after.empty() && after[0] != '/')) {
      return "";
    }
    absl::string_view name = BaseName(before);
    return absl::StrCat("pip:", PythonName(name.substr(0, name.find('-'))));
  }

  // .../pkg/mod/MODULE@VERSION/... and .../pkg/mod/cache/download/MODULE/@v/...
  std::string GoOwner(absl::string_view path) const {
    absl::string_view before, rest, module, after;
    if (!SplitAt(path, "pkg/mod/", before, rest)) {
      return "";
    }
    if (absl::ConsumePrefix(&rest, "cache/download/")) {
      return SplitAt(rest, "/@v", module, after) ? absl::StrCat("go:", module)
                                                 : "";
    }
    return SplitAt(rest, "@", module, after) ? absl::StrCat("go:", module) : "";
  }

  // .../gems/NAME-VERSION/... beside .../specifications/NAME-VERSION.gemspec
  std::string GemOwner(absl::string_view path) const {
    absl::string_view home, rest;
    if (absl::EndsWith(path, ".gemspec") &&
        BaseName(DirName(path)) == "specifications") {
      return absl::StrCat("gem:", WithoutVersion(absl::StripSuffix(
                                      BaseName(path), ".gemspec")));
    }
    for (size_t at = path.find("gems/"); at != absl::string_view::npos;
         at = path.find("gems/", at + 1)) {
      home = path.substr(0, at);
      rest = path.substr(at + 5);
      absl::string_view name = rest.substr(0, rest.find('/'));
      if (present_.contains(
              absl::StrCat(home, "specifications/", name, ".gemspec"))) {
        return absl::StrCat("gem:", WithoutVersion(name));
      }
    }
    return "";
  }

  const std::vector<std::string>& paths_;
  std::set<std::string, std::less<>> present_;
  const ReadText& read_;
  std::map<std::string, std::set<std::string>> claims_;
};

}  // namespace

std::map<std::string, std::string, std::less<>> FindOwners(
    const std::vector<std::string>& paths, const ReadText& read) {
  return OwnerFinder(paths, read).Find();
}

bool IsIndexFile(absl::string_view path) {
  constexpr absl::string_view kFiles[] = {
      "etc/ld.so.cache",           "usr/share/applications/mimeinfo.cache",
      "usr/share/mime/mime.cache", "var/cache/ldconfig/aux-cache",
      "var/lib/dpkg/available",    "var/lib/dpkg/available-old",
      "var/lib/dpkg/status",       "var/lib/dpkg/status-old",
  };
  constexpr absl::string_view kFolders[] = {
      "lib/apk/db/",           "usr/lib/fontconfig/cache/",
      "usr/lib/sysimage/rpm/", "var/cache/fontconfig/",
      "var/lib/rpm/",
  };
  return std::find(std::begin(kFiles), std::end(kFiles), path) !=
             std::end(kFiles) ||
         std::any_of(std::begin(kFolders), std::end(kFolders),
                     [path](absl::string_view folder) {
                       return absl::StartsWith(path, folder);
                     });
}

}  // namespace lamina::ir
