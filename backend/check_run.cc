#include "backend/check_run.h"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <set>
#include <system_error>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/files.h"
#include "base/text.h"

namespace lamina::backend {
namespace {

// How ELF files name an architecture (elf(5)).
struct ElfMachine {
  absl::string_view architecture;
  bool is_64;
  bool big_endian;
  uint16_t machine;
};
constexpr ElfMachine kMachines[] = {
    {"386", false, false, 3},      {"amd64", true, false, 62},
    {"arm", false, false, 40},     {"arm64", true, false, 183},
    {"loong64", true, false, 258}, {"mips", false, true, 8},
    {"mipsle", false, false, 8},   {"mips64", true, true, 8},
    {"mips64le", true, false, 8},  {"ppc64", true, true, 21},
    {"ppc64le", true, false, 21},  {"riscv64", true, false, 243},
    {"s390x", true, true, 22},     {"sparc64", true, true, 43},
};

// The first bytes of an executable; nothing for an unknown architecture.
std::optional<std::string> ElfHeader(absl::string_view architecture) {
  for (const ElfMachine& machine : kMachines) {
    if (machine.architecture != architecture) {
      continue;
    }
    std::string header(
        "\x7f"
        "ELF");
    header += machine.is_64 ? '\2' : '\1';
    header += machine.big_endian ? '\2' : '\1';
    header += '\1';
    header.resize(20);
    auto put = [&](size_t at, uint16_t value) {
      header[at + (machine.big_endian ? 1 : 0)] =
          static_cast<char>(value & 0xFF);
      header[at + (machine.big_endian ? 0 : 1)] = static_cast<char>(value >> 8);
    };
    put(16, 2);  // ET_EXEC
    put(18, machine.machine);
    return header;
  }
  return std::nullopt;
}

// A file of binfmt_misc, as the kernel prints it.
struct Handler {
  bool enabled = false;
  size_t offset = 0;
  std::string magic;  // Empty for one that goes by the file name.
  std::string mask;
};

Handler ReadHandler(absl::string_view text) {
  Handler handler;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    if (line == "enabled") {
      handler.enabled = true;
    } else if (absl::ConsumePrefix(&line, "magic ")) {
      handler.magic = absl::HexStringToBytes(line);
    } else if (absl::ConsumePrefix(&line, "mask ")) {
      handler.mask = absl::HexStringToBytes(line);
    } else if (absl::ConsumePrefix(&line, "offset ")) {
      // Executables are told by their first bytes; others do not matter here.
      handler.offset = line == "0" ? 0 : 1;
    }
  }
  return handler;
}

// As the kernel compares.
bool Takes(const Handler& handler, absl::string_view header) {
  if (handler.magic.empty() || handler.offset != 0 ||
      handler.magic.size() > header.size()) {
    return false;
  }
  for (size_t i = 0; i < handler.magic.size(); ++i) {
    char mask = i < handler.mask.size() ? handler.mask[i] : '\xFF';
    if (((handler.magic[i] ^ header[i]) & mask) != 0) {
      return false;
    }
  }
  return true;
}

// The place of a word inside an instruction, or the keyword.
SourceRange FindWord(const SourceFile& source, SourceRange range,
                     absl::string_view word) {
  size_t at = source.Slice(range).find(word);
  if (at == absl::string_view::npos) {
    return KeywordRange(source, range);
  }
  uint32_t begin = range.begin + static_cast<uint32_t>(at);
  return {begin, begin + static_cast<uint32_t>(word.size())};
}

std::string EmulationHint(const Emulation& emulation,
                          absl::string_view architecture,
                          const std::string& folder) {
  if (!emulation.mounted) {
    return absl::StrCat("mount binfmt_misc on ", folder,
                        " and install qemu-user-static");
  }
  if (!emulation.disabled.empty()) {
    return absl::StrCat("its handler is off: `echo 1 > ", folder, "/",
                        emulation.enabled ? emulation.disabled : "status",
                        "` as root turns it on");
  }
  return absl::StrCat(
      "install qemu-user-static, or `docker run --privileged "
      "--rm tonistiigi/binfmt --install ",
      architecture, "`");
}

}  // namespace

SourceRange KeywordRange(const SourceFile& source, SourceRange instruction) {
  absl::string_view text = source.Slice(instruction);
  size_t end = std::min(text.find_first_of(" \t\r\n"), text.size());
  return {instruction.begin, instruction.begin + static_cast<uint32_t>(end)};
}

void CheckSecrets(const ir::Run& run, const ir::Node& node,
                  const PlanOptions& options, const SourceFile& source,
                  Diagnostics& diagnostics) {
  for (const ir::Mount& mount : run.mounts) {
    bool secret = mount.type == ir::Mount::Type::kSecret;
    bool agent = mount.type == ir::Mount::Type::kSsh;
    const std::set<std::string>& given =
        secret ? options.secrets : options.agents;
    if ((!secret && !agent) || !mount.required || given.contains(mount.id)) {
      continue;
    }
    std::optional<std::string> near =
        Closest(mount.id, {given.begin(), given.end()});
    std::string hint =
        near.has_value() ? absl::StrCat("did you mean `", *near, "`?")
        : secret
            ? absl::StrCat("pass it with `--secret id=", mount.id, ",src=FILE`")
            : absl::StrCat("pass it with `--ssh ", mount.id, "=SOCKET`");
    diagnostics.Error("missing-secret", FindWord(source, node.source, mount.id),
                      absl::StrCat(secret ? "secret" : "ssh agent", " `",
                                   mount.id, "` was not given; ", hint));
  }
}

void CheckRunPlatform(const ir::Run& run, const ir::Node& node,
                      const PlanOptions& options, const SourceFile& source,
                      Diagnostics& diagnostics) {
  std::vector<std::string> parts = absl::StrSplit(run.platform, '/');
  std::string architecture = parts.size() > 1 ? parts[1] : "";
  Emulation emulation = FindEmulation(architecture, options.binfmt_folder);
  if (!emulation.ready) {
    diagnostics.Error(
        "foreign-platform", KeywordRange(source, node.source),
        absl::StrCat(
            "RUN for ", run.platform, " cannot run on this machine; ",
            EmulationHint(emulation, architecture, options.binfmt_folder)));
  }
}

Emulation FindEmulation(absl::string_view architecture,
                        const std::string& folder) {
  Emulation emulation;
  absl::StatusOr<std::string> status = ReadFile(JoinPath(folder, "status"));
  emulation.mounted = status.ok();
  emulation.enabled = status.ok() && absl::StartsWith(*status, "enabled");
  std::optional<std::string> header = ElfHeader(architecture);
  if (!emulation.mounted || !header.has_value()) {
    return emulation;
  }
  std::vector<std::string> names;
  std::error_code failed;
  for (const auto& entry :
       std::filesystem::directory_iterator(folder, failed)) {
    names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  for (const std::string& name : names) {
    if (name == "status" || name == "register") {
      continue;
    }
    absl::StatusOr<std::string> text = ReadFile(JoinPath(folder, name));
    Handler handler = text.ok() ? ReadHandler(*text) : Handler();
    if (!Takes(handler, *header)) {
      continue;
    }
    if (handler.enabled && emulation.enabled) {
      emulation.ready = true;
    } else if (emulation.disabled.empty()) {
      emulation.disabled = name;
    }
  }
  return emulation;
}

}  // namespace lamina::backend
