// lamina inspect: images and containers as docker inspect shows them.
#include <memory>
#include <optional>

#include "absl/strings/str_cat.h"
#include "base/json.h"
#include "base/status.h"
#include "cli/command.h"
#include "cli/container_text.h"
#include "cli/image_text.h"
#include "cli/store_access.h"
#include "cli/template.h"
#include "cli/waste_text.h"

namespace lamina::cli {
namespace {

constexpr Flag kInspectFlags[] = {
    {.name = "format",
     .short_name = 'f',
     .value = "FORMAT",
     .help = "json, or a template such as '{{.Id}}' or '{{json .Config}}'"},
    kRootFlag,
    {.name = "type",
     .value = "TYPE",
     .help = "look for an image or a container only"},
    {.name = "waste",
     .help = "add `Waste`: bytes that later layers overwrite, delete or only "
             "re-mode, by layer"},
};

// Docker lists every member, empty ones too, and scripts rely on it.
Json ConfigJson(const ir::ImageConfig& config) {
  Json json = Json::Object();
  json.Set("User", config.user);
  json.Set("Env", Json::Strings(config.env));
  json.Set("Cmd", config.cmd.empty() ? Json() : Json::Strings(config.cmd));
  json.Set("Entrypoint", config.entrypoint.empty()
                             ? Json()
                             : Json::Strings(config.entrypoint));
  json.Set("WorkingDir", config.working_dir);
  json.Set("Labels", Json::Object());
  json.Set("Volumes", Json());
  json.Set("OnBuild", Json());
  const Json stored = ir::ImageConfigJson(config);
  for (const auto& [key, value] : stored.object()) {
    json.Set(key, value);
  }
  return json;
}

Json Names(const std::vector<ir::ImageReference>& names, bool digests) {
  Json list = Json::Array();
  for (const ir::ImageReference& name : names) {
    if (digests && !name.digest.empty()) {
      list.Append(absl::StrCat(name.FamiliarRepository(), "@", name.digest));
    }
    if (!digests && !name.tag.empty()) {
      list.Append(absl::StrCat(name.FamiliarRepository(), ":", name.tag));
    }
  }
  return list;
}

absl::StatusOr<Json> ImageJson(const backend::Image& image,
                               backend::Store& store) {
  ASSIGN_OR_RETURN(NamesOfImages names, CollectNames(store));
  ASSIGN_OR_RETURN(const uint64_t size, ImageSize(image, store));
  const ir::ImageDocument& document = image.document;
  Json layers = Json::Array();
  for (const Digest& diff_id : document.diff_ids) {
    layers.Append(diff_id.ToString());
  }
  Json root = Json::Object();
  root.Set("Type", "layers");
  root.Set("Layers", std::move(layers));
  Json json = Json::Object();
  json.Set("Id", image.id.ToString());
  json.Set("RepoTags", Names(names[image.id], false));
  json.Set("RepoDigests", Names(names[image.id], true));
  json.Set("Parent", "");
  json.Set("Comment",
           document.history.empty() ? "" : document.history.back().comment);
  json.Set("Created", document.created);
  json.Set("Author", document.config.author);
  json.Set("Architecture", document.config.architecture);
  if (!document.config.variant.empty()) {
    json.Set("Variant", document.config.variant);
  }
  json.Set("Os", document.config.os);
  json.Set("Size", static_cast<int64_t>(size));
  json.Set("Config", ConfigJson(document.config));
  json.Set("RootFS", std::move(root));
  return json;
}

Json ContainerJson(const backend::Container& container) {
  std::vector<std::string> command;
  if (absl::StatusOr<Json> parsed = ParseJson(container.command); parsed.ok()) {
    command = parsed->strings();
  }
  const std::string path = command.empty() ? "" : command[0];
  if (!command.empty()) {
    command.erase(command.begin());
  }
  const bool running = IsRunning(container);
  Json state = Json::Object();
  state.Set("Status", !running && container.state == "running"
                          ? std::string("dead")
                          : container.state);
  state.Set("Running", running);
  state.Set("Pid", int64_t{running ? container.pid : 0});
  state.Set("ExitCode", int64_t{container.exit_code});
  Json config = Json::Object();
  config.Set("Image", container.image_name);
  Json json = Json::Object();
  json.Set("Id", container.id);
  json.Set("Created", ir::FormatTime(container.created));
  json.Set("Path", path);
  json.Set("Args", Json::Strings(command));
  json.Set("State", std::move(state));
  json.Set("Image", container.image.ToString());
  json.Set("Name", absl::StrCat("/", container.name));
  json.Set("Config", std::move(config));
  return json;
}

// Containers first, as docker looks for them.
absl::StatusOr<Json> Describe(const std::string& name, const std::string& type,
                              bool waste, backend::Store& store) {
  if (type != "image") {
    absl::StatusOr<backend::Container> container = FindContainer(store, name);
    if (container.ok()) {
      return ContainerJson(*container);
    }
    if (type == "container") {
      return container.status();
    }
  }
  ASSIGN_OR_RETURN(backend::Image image, FindImage(store, name));
  ASSIGN_OR_RETURN(Json json, ImageJson(image, store));
  if (waste) {
    ASSIGN_OR_RETURN(const backend::ImageWaste found,
                     FindImageWaste(image, store));
    json.Set("Waste", WasteJson(found));
  }
  return json;
}

absl::StatusOr<std::string> Format(const Json& objects,
                                   const std::string& format) {
  if (format.empty()) {
    return PrettyJson(objects);
  }
  if (format == "json") {
    return PrintJson(objects) + "\n";
  }
  std::string text;
  for (const Json& object : objects.array()) {
    ASSIGN_OR_RETURN(std::string line, ExpandTemplate(format, object));
    absl::StrAppend(&text, line, "\n");
  }
  return text;
}

absl::StatusOr<int> RunInspect(const Invocation& invocation) {
  const bool waste = invocation.GetBool("waste");
  // Containers have no layers of instructions.
  const std::string type =
      waste && !invocation.Has("type") ? "image" : invocation.Get("type");
  if (waste && type == "container") {
    return UsageError("--waste is about images, not containers");
  }
  if (!type.empty() && type != "image" && type != "container") {
    return UsageError(
        absl::StrCat("`--type` takes image or container, not `", type, "`"));
  }
  ASSIGN_OR_RETURN(
      std::unique_ptr<backend::Store> store,
      OpenStoreWith(invocation, "image or container", invocation.words()[0]));
  // What is found is printed even if something else is missing.
  Json objects = Json::Array();
  int code = 0;
  for (const std::string& name : invocation.words()) {
    absl::StatusOr<Json> object = Describe(name, type, waste, *store);
    if (object.ok()) {
      objects.Append(std::move(*object));
    } else {
      PrintError(object.status().message());
      code = ExitCodeOf(object.status());
    }
  }
  ASSIGN_OR_RETURN(std::string text, Format(objects, invocation.Get("format")));
  RETURN_IF_ERROR(PrintResult(text));
  return code;
}

}  // namespace

constinit const Command kInspect = {
    .name = "inspect",
    .group = "Images",
    .summary = "show images and containers as JSON",
    .usage = "[FLAGS] NAME...",
    .flags = kInspectFlags,
    .min_words = 1,
    .max_words = -1,
    .words = Words::kImages,
    .examples =
        "lamina inspect --format '{{json .Config.Env}}' app\n"
        "lamina inspect --format '{{index .RepoTags 0}}' 3f2a\n"
        "lamina inspect --waste --format '{{json .Waste}}' app",
    .run = RunInspect,
};

}  // namespace lamina::cli
