// Hostile archives: read, scanned, unpacked as layers one on the other, read
// back from the folders, and unpacked by ADD. Nothing beside the folder may
// change, and what the folders hold must be what the reader said.
//
// Input: a byte that chooses the form. 0: the bytes of an archive; checksums
// of headers are put right first, or nothing would pass. Else: a script of
// members, see ReadScript.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <filesystem>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "backend/copy.h"
#include "backend/tar/tar_header.h"
#include "backend/tar/tar_writer.h"
#include "backend/unpack.h"
#include "base/files.h"
#include "base/status.h"

namespace lamina::backend {
namespace {

void SetChecksum(char* block) {
  TarHeaderBlock header;
  memcpy(&header, block, kTarBlock);
  memset(header.checksum, ' ', sizeof header.checksum);
  memcpy(block, &header, kTarBlock);
  unsigned sum = 0;
  for (size_t i = 0; i < kTarBlock; ++i) {
    sum += static_cast<unsigned char>(block[i]);
  }
  snprintf(header.checksum, sizeof header.checksum, "%06o", sum);
  header.checksum[7] = ' ';
  memcpy(block, &header, kTarBlock);
}

std::string RepairChecksums(absl::string_view bytes) {
  std::string tar(bytes);
  constexpr size_t kMagic = offsetof(TarHeaderBlock, magic);
  for (size_t at = 0; at + kTarBlock <= tar.size(); at += kTarBlock) {
    if (tar.compare(at + kMagic, 5, "ustar") == 0) {
      SetChecksum(&tar[at]);
    }
  }
  return tar;
}

// Bytes of the input, one after the other; zeros when they are used up.
class Script {
 public:
  explicit Script(absl::string_view bytes) : bytes_(bytes) {}
  bool done() const { return bytes_.empty(); }
  uint8_t Byte() {
    uint8_t byte = bytes_.empty() ? 0 : bytes_[0];
    bytes_.remove_prefix(bytes_.empty() ? 0 : 1);
    return byte;
  }
  // One to four components, from a small alphabet so that names meet.
  std::string Path() {
    static constexpr absl::string_view kNames[] = {
        "a",      "b",   "c",      "d",     "..",           ".",
        "",       "/",   ".wh.a",  ".wh.b", ".wh..wh..opq", ".wh..",
        ".wh...", "etc", "canary", "\xff"};
    uint8_t shape = Byte();
    std::string path = (shape & 4) != 0 ? "/" : "";
    for (int count = 1 + (shape & 3); count > 0; --count) {
      absl::StrAppend(&path, kNames[Byte() % 16], count > 1 ? "/" : "");
    }
    return absl::StrCat(path, (shape & 8) != 0 ? "/" : "");
  }

 private:
  absl::string_view bytes_;
};

template <size_t kSize>
void Fill(char (&field)[kSize], absl::string_view text) {
  memcpy(field, text.data(), std::min(text.size(), kSize));
}

std::string Member(char type, const std::string& name, const std::string& link,
                   const std::string& content, uint8_t mode) {
  TarHeaderBlock header = {};
  Fill(header.name, name);
  Fill(header.link, link);
  Fill(header.magic, "ustar");
  Fill(header.version, "00");
  header.type = type;
  snprintf(header.mode, sizeof header.mode, "%07o", mode * 0101u & 07777);
  snprintf(header.uid, sizeof header.uid, "%07o", mode & 3u);
  snprintf(header.size, sizeof header.size, "%011zo", content.size());
  // One device that does nothing, and the one that an overlay understands.
  snprintf(header.major, sizeof header.major, "%07o", mode % 2);
  snprintf(header.minor, sizeof header.minor, "%07o", mode % 2 * 3);
  std::string block(reinterpret_cast<char*>(&header), kTarBlock);
  SetChecksum(block.data());
  return absl::StrCat(block, content, TarPadding(content.size()));
}

std::string Record(const std::string& key, const std::string& value) {
  std::string rest = absl::StrCat(" ", key, "=", value, "\n");
  size_t size = rest.size() + 1;
  size += absl::StrCat(size).size() - 1;
  size = rest.size() + absl::StrCat(size).size();
  return absl::StrCat(size, rest);
}

// Members of the layers: each is an operation, a name and what it needs.
std::vector<std::string> ReadScript(Script script) {
  static constexpr char kTypes[] = "0000112225555634";
  std::vector<std::string> layers(1);
  while (!script.done() && layers.size() <= 4) {
    std::string& tar = layers.back();
    uint8_t operation = script.Byte();
    if (operation == 0xFF) {
      layers.emplace_back();
      continue;
    }
    if (operation >= 0xF0) {
      static const std::string kKeys[] = {"path",
                                          "linkpath",
                                          "size",
                                          "mtime",
                                          "SCHILY.xattr.user.x",
                                          "SCHILY.xattr.trusted.overlay.opaque",
                                          "SCHILY.xattr.security.capability",
                                          "GNU.sparse.major"};
      tar +=
          Member('x', "x", "", Record(kKeys[operation % 8], script.Path()), 0);
      continue;
    }
    if (operation >= 0xE0) {
      tar += Member(operation % 2 ? 'L' : 'K', "x", "", script.Path(), 0);
      continue;
    }
    char type = kTypes[operation % 16];
    std::string name = script.Path();
    bool links = type == '1' || type == '2';
    std::string link = links ? script.Path() : "";
    std::string content =
        type == '0' ? std::string(operation / 16 * 97, 'x') : "";
    tar += Member(type, name, link, content, script.Byte());
  }
  for (std::string& tar : layers) {
    tar += TarEnd();
  }
  return layers;
}

// A folder for the layers with a canary beside it. Names of archives can reach
// the canary by `../canary`, if anything is wrong.
class Cage {
 public:
  Cage() : folder_(*TempDir::Create()) {
    for (const char* name :
         {"/layers", "/canary", "/canary/etc", "/scratch", "/context"}) {
      CHECK(MakeDirs(folder_.path() + name).ok());
    }
    CHECK(ReplaceFile(folder_.path() + "/canary/a", "x", 0400, false).ok());
    before_ = Fingerprint();
  }
  void CheckUntouched() const { CHECK(Fingerprint() == before_); }
  std::string Path(absl::string_view name) const {
    return JoinPath(folder_.path(), name);
  }

 private:
  std::string Fingerprint() const {
    // The folder itself changes whenever one of its folders is emptied.
    std::set<std::string> names;
    for (const auto& entry :
         std::filesystem::directory_iterator(folder_.path())) {
      names.insert(entry.path().filename());
    }
    std::string out = absl::StrCat(absl::StrJoin(names, " "), "\n");
    for (const char* name : {"/canary", "/canary/etc", "/canary/a"}) {
      struct stat info = {};
      CHECK(lstat((folder_.path() + name).c_str(), &info) == 0);
      absl::StrAppend(&out, info.st_mode, " ", info.st_nlink, " ", info.st_uid,
                      " ", info.st_size, " ", info.st_mtim.tv_nsec, "\n");
    }
    return out;
  }

  TempDir folder_;
  std::string before_;
};

// Everything but what only one of the two knows: digests, and what archives may
// say but no file system keeps: modes of symlinks, and user.* of anything but
// files and folders. Without `links` hard links are files: a name that gets an
// equal file is no longer one of its group, but has not changed for a scan.
std::string Describe(const ir::Tree& tree, bool links) {
  ir::StepDiff all;
  for (const auto& [path, item] : tree.items()) {
    all.entries.push_back(item.entry);
    ir::Entry& entry = all.entries.back();
    entry.digest = {};
    if (entry.type == ir::EntryType::kFile && !links) {
      entry.link.clear();
    }
    if (entry.type == ir::EntryType::kSymlink) {
      entry.mode = 0777;
    }
    if (entry.type != ir::EntryType::kFile &&
        entry.type != ir::EntryType::kDirectory) {
      std::erase_if(entry.xattrs, [](const auto& xattr) {
        return absl::StartsWith(xattr.first, "user.");
      });
    }
  }
  return ir::PrintStepDiff(all);
}

void CheckLayers(const Cage& cage, const std::vector<std::string>& tars) {
  ir::Tree tree;
  std::vector<std::string> folders;
  for (const std::string& tar : tars) {
    std::string folder = cage.Path(absl::StrCat("layers/", folders.size()));
    std::unique_ptr<ByteSource> source = MakeMemorySource(tar);
    absl::StatusOr<ir::StepDiff> unpacked =
        UnpackLayer(*source, tree, folders, folder);
    if (!unpacked.ok()) {
      break;
    }
    absl::StatusOr<ir::StepDiff> upper = ScanUpper(folder, tree, folders);
    if (!upper.ok()) {
      fprintf(stderr, "%s\n", upper.status().ToString().c_str());
    }
    CHECK(upper.ok());
    ir::Tree read_back = tree;
    tree.Apply(*unpacked);
    read_back.Apply(*upper);
    bool links = folders.empty();
    std::string wanted = Describe(tree, links);
    std::string found = Describe(read_back, links);
    if (wanted != found) {
      fprintf(stderr, "unpacked:\n%s\nread back:\n%s\n", wanted.c_str(),
              found.c_str());
    }
    CHECK(wanted == found);
    folders.push_back(folder);
  }
  RemoveTree(cage.Path("layers")).IgnoreError();
  CHECK(MakeDirs(cage.Path("layers")).ok());
}

// ADD of the archive into a tree that has what the archive may collide with.
void CheckAdd(const Cage& cage, const std::string& tar) {
  CHECK(ReplaceFile(cage.Path("context/x.tar"), tar, 0644, false).ok());
  absl::StatusOr<SourceTree> source =
      OpenContextFolder(cage.Path("context"), {});
  CHECK(source.ok());
  ir::Copy add = {.sources = {"x.tar"}, .destination = "/a/"};
  add.unpack = true;
  absl::StatusOr<CopyListing> listing = ListSources(add, {&*source});
  if (!listing.ok()) {
    return;
  }
  ir::Tree below;
  below.Apply({{{.path = "a", .type = ir::EntryType::kDirectory, .mode = 0755},
                {.path = "a/b", .type = ir::EntryType::kSymlink, .link = "/c"},
                {.path = "a/c", .mode = 0644}}});
  absl::StatusOr<PlacedCopy> placed =
      PlaceCopy(add, *listing, {&*source}, below,
                [](const std::string&) { return std::string(); },
                {.scratch = cage.Path("scratch")});
  for (size_t i = 0; placed.ok() && i < placed->diff.entries.size(); ++i) {
    CHECK(CheckEntryName(placed->diff.entries[i].path).ok());
  }
  RemoveTree(cage.Path("scratch")).IgnoreError();
  CHECK(MakeDirs(cage.Path("scratch")).ok());
}

void CheckStream(const std::string& bytes) {
  std::string format;
  absl::StatusOr<std::unique_ptr<ByteSource>> plain =
      Decompress(MakeMemorySource(bytes), &format);
  if (plain.ok()) {
    ScanLayer(**plain).IgnoreError();
  }
}

}  // namespace
}  // namespace lamina::backend

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace lamina::backend;
  static const Cage* cage = new Cage;
  absl::string_view input(reinterpret_cast<const char*>(data), size);
  if (input.empty()) {
    return 0;
  }
  std::vector<std::string> tars;
  if (input[0] == 0) {
    input.remove_prefix(1);
    CheckStream(std::string(input));
    tars = {RepairChecksums(input)};
  } else {
    tars = ReadScript(Script(input.substr(1)));
  }
  CheckLayers(*cage, tars);
  CheckAdd(*cage, tars[0]);
  cage->CheckUntouched();
  return 0;
}
