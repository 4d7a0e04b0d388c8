#include "cli/build_flags.h"

#include <fcntl.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cstdlib>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/files.h"
#include "base/status.h"
#include "cli/context_input.h"
#include "cli/error_format.h"
#include "cli/ignore_input.h"
#include "cli/named_contexts.h"
#include "cli/optimise_flags.h"
#include "cli/secret_flags.h"
#include "cli/store_access.h"
#include "ir/image_reference.h"

namespace lamina::cli {
namespace {

constexpr size_t kMaxBuildFile = 64 << 20;  // Bytes.

// KEY=VALUE of a flag.
absl::StatusOr<std::pair<std::string, std::string>> SplitPair(
    absl::string_view flag, absl::string_view text) {
  std::pair<absl::string_view, absl::string_view> pair =
      absl::StrSplit(text, absl::MaxSplits('=', 1));
  if (pair.first.empty() || !absl::StrContains(text, "=")) {
    return UsageError(
        absl::StrCat("--", flag, " takes NAME=VALUE, not `", text, "`"));
  }
  return std::make_pair(std::string(pair.first), std::string(pair.second));
}

absl::StatusOr<backend::Compression> ParseCompression(absl::string_view text) {
  for (backend::Compression compression :
       {backend::Compression::kNone, backend::Compression::kGzip,
        backend::Compression::kZstd}) {
    if (text == backend::CompressionName(compression)) {
      return compression;
    }
  }
  if (text == "uncompressed") {
    return backend::Compression::kNone;
  }
  return UsageError(
      absl::StrCat("compression `", text, "` is none of none, gzip, zstd"));
}

// A path alone: an image archive by its ending, else a folder (docker's
// meaning).
absl::Status UsePath(const std::string& path, OutputSpec& output) {
  output.options.dest = path;
  output.options.type = "local";
  for (absl::string_view ending : {".tar", ".tar.gz", ".tgz", ".tar.zst"}) {
    if (absl::EndsWith(path, ending)) {
      output.options.type = "docker";
    }
  }
  if (path == "-") {
    output.options.type = "tar";
  }
  if (absl::EndsWith(path, "gz")) {
    output.options.layers.compression = backend::Compression::kGzip;
  } else if (absl::EndsWith(path, ".zst")) {
    output.options.layers.compression = backend::Compression::kZstd;
  }
  return absl::OkStatus();
}

absl::Status SetOutputField(const std::string& key, const std::string& value,
                            OutputSpec& output) {
  if (key == "type") {
    output.options.type = value;
  } else if (key == "dest") {
    output.options.dest = value;
  } else if (key == "compression") {
    ASSIGN_OR_RETURN(output.options.layers.compression,
                     ParseCompression(value));
  } else if (key == "compression-level") {
    if (!absl::SimpleAtoi(value, &output.options.layers.compression_level)) {
      return UsageError(
          absl::StrCat("compression-level `", value, "` is no number"));
    }
  } else if (key == "name") {
    ASSIGN_OR_RETURN(ir::ImageReference name, ir::ImageReference::Parse(value));
    output.options.names.push_back(std::move(name));
  } else {
    return UsageError(absl::StrCat(
        "-o does not know `", key,
        "`; its fields are type, dest, name, compression, compression-level"));
  }
  return absl::OkStatus();
}

absl::StatusOr<OutputSpec> ParseOutput(
    absl::string_view text, const backend::LayerWriterOptions& layers) {
  OutputSpec output;
  output.options.layers = layers;
  if (!absl::StrContains(text, "=")) {
    RETURN_IF_ERROR(UsePath(std::string(text), output));
  } else {
    ASSIGN_OR_RETURN(auto fields, ParseFields(text));
    for (const auto& [key, value] : fields) {
      RETURN_IF_ERROR(SetOutputField(key, value, output));
    }
  }
  if (output.options.type == "image") {
    return output;  // The store, which every build writes to.
  }
  output.format = backend::FindFormat(output.options.type);
  if (output.format == nullptr) {
    std::string known;
    for (const backend::Format* format : backend::AllFormats()) {
      absl::StrAppend(&known, known.empty() ? "" : ", ", format->name);
    }
    return UsageError(absl::StrCat("output type `", output.options.type,
                                   "` is none of ", known));
  }
  if (output.options.dest.empty()) {
    output.options.dest = "-";
  }
  if (output.options.dest == "-" && isatty(STDOUT_FILENO)) {
    return UsageError(
        "an archive is not written to a terminal; redirect the "
        "output or name a file with dest=");
  }
  return output;
}

// Opened inside a context that is no folder of the user: its links, too.
absl::StatusOr<std::string> ReadInside(const std::string& folder,
                                       const std::string& name) {
  ASSIGN_OR_RETURN(UniqueFd root, OpenFile(folder, O_PATH | O_DIRECTORY));
  absl::StatusOr<UniqueFd> file =
      OpenInRoot(root.get(), name, O_RDONLY | O_NONBLOCK | O_NOCTTY);
  if (!file.ok()) {
    return absl::NotFoundError(
        absl::StrCat("the context has no file `", name, "`"));
  }
  return ReadAll(file->get(), kMaxBuildFile);
}

// The name of the build file in the context's folder.
absl::StatusOr<std::string> DefaultBuildFile(const ContextInput& context) {
  for (const char* name : {"Dockerfile", "dockerfile"}) {
    if (FileExists(JoinPath(context.folder, name))) {
      return name;
    }
  }
  std::string where = context.commit    ? "the repository"
                      : context.foreign ? "the archive"
                                        : context.folder;
  return UserError(
      absl::StrCat("there is no Dockerfile in ", where,
                   "; name the build file with -f, or the folder it is in"));
}

absl::StatusOr<SourceFile> ReadBuildFile(const std::string& named,
                                         const ContextInput& context,
                                         std::string* path) {
  const std::string& folder = context.folder;
  *path = JoinPath(folder, "Dockerfile");
  if (named == "-") {
    ASSIGN_OR_RETURN(std::string text, ReadAll(STDIN_FILENO, kMaxBuildFile));
    return SourceFile("<stdin>", std::move(text));
  }
  if (context.build_file.has_value()) {
    return SourceFile(context.file_name, *context.build_file);
  }
  std::string name = named;
  if (named.empty()) {
    ASSIGN_OR_RETURN(name, DefaultBuildFile(context));
  }
  // What is fetched or unpacked is all there is: -f names a file of it.
  absl::StatusOr<std::string> text;
  if (context.foreign) {
    text = ReadInside(folder, name);
  } else {
    name = named.empty() ? JoinPath(folder, name) : named;
    text = ReadFile(name, kMaxBuildFile);
  }
  if (!text.ok()) {
    return UserError(text.status().message());
  }
  *path = context.foreign ? JoinPath(folder, name) : name;
  // The folder of the user's own prompt needs no naming.
  std::string shown = absl::StartsWith(name, "./") ? name.substr(2) : name;
  return SourceFile(std::move(shown), *std::move(text));
}

absl::Status ReadContext(const Invocation& invocation,
                         const ContextInput& found,
                         const std::string& build_file, BuildInput& input) {
  backend::LocalContext context;
  context.path = found.folder;
  context.commit = found.commit;
  context.commit_time = found.commit_time;
  if (!found.remote || invocation.Has("ignorefile")) {
    ASSIGN_OR_RETURN(context.ignore,
                     FindIgnores(invocation.Get("ignorefile"), build_file,
                                 found.folder, input.file_mistakes));
  }
  input.plan.contexts[""] = std::move(context);
  return absl::OkStatus();
}

// "linux/amd64", of the kernel that runs the steps.
std::string HostPlatform() {
  struct utsname host = {};
  std::string machine = uname(&host) == 0 ? host.machine : "x86_64";
  if (absl::StartsWith(machine, "armv6")) {
    machine = "arm/v6";
  } else if (absl::StartsWith(machine, "arm")) {
    machine = "arm/v7";
  } else if (machine == "i686" || machine == "i586") {
    machine = "386";
  } else if (machine == "loongarch64") {
    machine = "loong64";
  }
  return absl::StrCat("linux/", machine);
}

absl::Status ReadFrontendOptions(const Invocation& invocation,
                                 frontend::BuildOptions& options) {
  options.target = invocation.Get("target");
  options.host_platform = HostPlatform();
  options.platform = invocation.Get("platform");
  for (const std::string& text : invocation.GetAll("build-arg")) {
    if (absl::StrContains(text, "=")) {
      ASSIGN_OR_RETURN(auto pair, SplitPair("build-arg", text));
      options.build_args.insert_or_assign(pair.first, pair.second);
    } else if (const char* value = getenv(text.c_str())) {
      options.build_args.insert_or_assign(text, value);
    }
  }
  for (const char* name :
       {"HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY",
        "http_proxy", "https_proxy", "ftp_proxy", "no_proxy", "all_proxy"}) {
    const char* value = getenv(name);
    if (value != nullptr && *value != '\0') {
      options.build_args.try_emplace(name, value);
    }
  }
  for (const std::string& text : invocation.GetAll("label")) {
    ASSIGN_OR_RETURN(auto pair, SplitPair("label", text));
    options.labels.insert_or_assign(pair.first, pair.second);
  }
  std::string network = invocation.Get("network");
  if (network == "none") {
    options.network = ir::NetworkMode::kNone;
  } else if (network == "host") {
    options.network = ir::NetworkMode::kHost;
  } else if (network != "default") {
    return UsageError(absl::StrCat("invalid network mode \"", network,
                                   "\"; it is default, host or none"));
  }
  for (const std::string& right : invocation.GetAll("allow")) {
    if (right != "security.insecure" && right != "network.host") {
      return UsageError(
          absl::StrCat("--allow knows security.insecure and "
                       "network.host, not `",
                       right, "`"));
    }
    options.allowed.insert(right);
  }
  return absl::OkStatus();
}

// FOLDER, or docker's type=local,src=FOLDER and type=local,dest=FOLDER.
absl::StatusOr<std::string> ReadCacheSpec(absl::string_view flag,
                                          absl::string_view place,
                                          const std::string& text) {
  if (!absl::StrContains(text, '=')) {
    return text;
  }
  std::string folder;
  ASSIGN_OR_RETURN(auto fields, ParseFields(text));
  for (const auto& [key, value] : fields) {
    if (key == "type" && value != "local") {
      return UsageError(absl::StrCat("--", flag, " knows type=local only, not `",
                                     value, "`: lamina keeps caches in folders"));
    }
    if (key == place) {
      folder = value;
    } else if (key != "type" && !(key == "mode" && value == "max")) {
      return UsageError(absl::StrCat("--", flag, " does not know `", key, "=",
                                     value, "`; it takes type=local,", place,
                                     "=FOLDER"));
    }
  }
  if (folder.empty()) {
    return UsageError(absl::StrCat("--", flag, " ", text, " has no ", place,
                                   "=FOLDER"));
  }
  return folder;
}

absl::Status ReadCaches(const Invocation& invocation, BuildInput& input) {
  for (const std::string& text : invocation.GetAll("cache-from")) {
    ASSIGN_OR_RETURN(std::string folder,
                     ReadCacheSpec("cache-from", "src", text));
    input.caches_to_read.push_back(std::move(folder));
  }
  for (const std::string& text : invocation.GetAll("cache-to")) {
    ASSIGN_OR_RETURN(std::string folder,
                     ReadCacheSpec("cache-to", "dest", text));
    input.caches_to_write.push_back(std::move(folder));
  }
  for (const std::string& text : invocation.GetAll("no-cache-filter")) {
    for (absl::string_view stage : absl::StrSplit(text, ',')) {
      input.plan.no_cache_stages.insert(absl::AsciiStrToLower(stage));
    }
  }
  return absl::OkStatus();
}

// What the build file sees as a build argument; what it means is the front
// end's to say.
void ReadTime(const Invocation& invocation, frontend::BuildOptions& options) {
  const char* environment = getenv("SOURCE_DATE_EPOCH");
  if (invocation.Has("source-date-epoch")) {
    options.build_args["SOURCE_DATE_EPOCH"] =
        invocation.Get("source-date-epoch");
  } else if (environment != nullptr && *environment != '\0') {
    options.build_args.try_emplace("SOURCE_DATE_EPOCH", environment);
  }
}

absl::Status ReadOutputs(const Invocation& invocation, BuildInput& input) {
  for (const std::string& text : invocation.GetAll("tag")) {
    absl::StatusOr<ir::ImageReference> tag = ir::ImageReference::Parse(text);
    if (!tag.ok()) {
      return UsageError(
          absl::StrCat("-t ", text, ": ", tag.status().message()));
    }
    input.tags.push_back(*std::move(tag));
  }
  if (invocation.Has("compression")) {
    ASSIGN_OR_RETURN(input.layers.compression,
                     ParseCompression(invocation.Get("compression")));
  }
  if (invocation.Has("compression-level")) {
    ASSIGN_OR_RETURN(int64_t level, invocation.GetInt("compression-level"));
    input.layers.compression_level = static_cast<int>(level);
  }
  input.layers.threads = static_cast<int>(sysconf(_SC_NPROCESSORS_ONLN));
  for (const std::string& text : invocation.GetAll("output")) {
    ASSIGN_OR_RETURN(OutputSpec output, ParseOutput(text, input.layers));
    if (output.format != nullptr) {
      // One form of a layer is enough: the one that is asked for.
      input.layers = output.options.layers;
      input.outputs.push_back(std::move(output));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<std::pair<std::string, std::string>>> ParseFields(
    absl::string_view text) {
  std::vector<std::pair<std::string, std::string>> fields;
  std::string field;
  bool quoted = false;
  auto finish = [&] {
    size_t equals = field.find('=');
    fields.emplace_back(
        field.substr(0, equals),
        equals == std::string::npos ? "" : field.substr(equals + 1));
    field.clear();
  };
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '"' && quoted && i + 1 < text.size() && text[i + 1] == '"') {
      field.push_back('"');
      ++i;
    } else if (text[i] == '"') {
      quoted = !quoted;
    } else if (text[i] == ',' && !quoted) {
      finish();
    } else {
      field.push_back(text[i]);
    }
  }
  if (quoted) {
    return UsageError(absl::StrCat("a quote is not closed in `", text, "`"));
  }
  finish();
  return fields;
}

absl::StatusOr<BuildInput> ReadBuildInput(const Invocation& invocation,
                                          RemoteAccess& remote) {
  BuildInput input;
  input.level = invocation.Get("opt");
  ASSIGN_OR_RETURN(input.optimise, ReadOptimiseOptions(invocation));
  RETURN_IF_ERROR(ReadSecrets(invocation, input));
  RETURN_IF_ERROR(ReadAgents(invocation, remote.writes(), input));
  RETURN_IF_ERROR(ReadCaches(invocation, input));
  ASSIGN_OR_RETURN(ContextInput context,
                   OpenContext(invocation.words()[0], invocation,
                               input.resources, remote));
  input.kept_folders.push_back(context.unpacked);
  std::string build_file;
  ASSIGN_OR_RETURN(input.source,
                   ReadBuildFile(invocation.Get("file"), context, &build_file));
  RETURN_IF_ERROR(ReadFrontendOptions(invocation, input.frontend));
  RETURN_IF_ERROR(ReadContext(invocation, context, build_file, input));
  RETURN_IF_ERROR(ReadNamedContexts(invocation, remote, input));
  ReadTime(invocation, input.frontend);
  input.frontend.context_time = context.time;
  RETURN_IF_ERROR(ReadOutputs(invocation, input));
  ASSIGN_OR_RETURN(input.exports, ReadExportSettings(invocation, input.level,
                                                     build_file));
  input.plan.definition = input.source.name();
  input.offline = invocation.GetBool("offline");
  input.plan.no_cache = invocation.GetBool("no-cache");
  ASSIGN_OR_RETURN(input.render, ReadRenderOptions(invocation));
  return input;
}

}  // namespace lamina::cli
