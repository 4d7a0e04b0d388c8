// lamina rmi
#include <algorithm>
#include <memory>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status.h"
#include "cli/command.h"
#include "cli/container_text.h"
#include "cli/image_text.h"
#include "cli/store_access.h"

namespace lamina::cli {
namespace {

using Names = std::vector<ir::ImageReference>;

constexpr Flag kRmiFlags[] = {
    {.name = "force",
     .short_name = 'f',
     .help = "remove images that stopped containers use, and all their names"},
    {.name = "no-prune",
     .help = "keep untagged parents",
     .status = FlagStatus::kAcceptedWithWarning,
     .reason = "images have no parents here"},
    kRootFlag,
};

// The name by which `word` means the image, or nothing when it is an id.
std::optional<ir::ImageReference> NameMeant(const std::string& word,
                                            const Names& names) {
  const absl::StatusOr<ir::ImageReference> meant =
      ir::ImageReference::Parse(word);
  if (meant.ok()) {
    for (const ir::ImageReference& name : names) {
      if (name == *meant) {
        return name;
      }
    }
  }
  return std::nullopt;
}

absl::Status CheckUnused(const backend::Image& image, const std::string& word,
                         bool force, backend::Store& store) {
  ASSIGN_OR_RETURN(std::vector<backend::Container> containers,
                   store.ListContainers());
  for (const backend::Container& container : containers) {
    if (container.image != image.id) {
      continue;
    }
    if (IsRunning(container)) {
      return UserError(absl::StrCat("`", word, "` is used by the running ",
                                    "container `", container.name,
                                    "`; stop it first"));
    }
    if (!force) {
      return UserError(absl::StrCat("`", word, "` is used by the container `",
                                    container.name,
                                    "`; remove it, or force with -f"));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> RemoveWhole(const backend::Image& image,
                                        const Names& names,
                                        backend::Store& store) {
  RETURN_IF_ERROR(store.RemoveImage(image.id));
  std::string text;
  for (const ir::ImageReference& name : names) {
    absl::StrAppend(&text, "Untagged: ", name.Familiar(), "\n");
  }
  return absl::StrCat(text, "Deleted: ", image.id.ToString(), "\n");
}

absl::StatusOr<std::string> Remove(const std::string& word, bool force,
                                   backend::Store& store) {
  ASSIGN_OR_RETURN(backend::Image image, FindImage(store, word));
  ASSIGN_OR_RETURN(NamesOfImages all, CollectNames(store));
  const Names& names = all[image.id];
  const std::optional<ir::ImageReference> name = NameMeant(word, names);
  if (name.has_value() && names.size() > 1) {
    RETURN_IF_ERROR(store.Untag(*name).status());
    return absl::StrCat("Untagged: ", name->Familiar(), "\n");
  }
  if (!name.has_value() && names.size() > 1 && !force) {
    std::vector<std::string> texts;
    for (const ir::ImageReference& other : names) {
      texts.push_back(other.Familiar());
    }
    return UserError(absl::StrCat("`", word, "` has several names (",
                                  absl::StrJoin(texts, ", "),
                                  "); name one, or force with -f"));
  }
  RETURN_IF_ERROR(CheckUnused(image, word, force, store));
  return RemoveWhole(image, names, store);
}

absl::StatusOr<int> RunRmi(const Invocation& invocation) {
  ASSIGN_OR_RETURN(std::unique_ptr<backend::Store> store,
                   OpenStoreWith(invocation, "image", invocation.words()[0]));
  int code = 0;
  for (const std::string& word : invocation.words()) {
    absl::StatusOr<std::string> text =
        Remove(word, invocation.GetBool("force"), *store);
    if (text.ok()) {
      RETURN_IF_ERROR(PrintResult(*text));
    } else {
      PrintError(text.status().message());
      code = std::max(code, ExitCodeOf(text.status()));
    }
  }
  return code;
}

}  // namespace

constinit const Command kRmi = {
    .name = "rmi",
    .group = "Images",
    .summary = "remove images or their names",
    .usage = "[FLAGS] IMAGE...",
    .flags = kRmiFlags,
    .min_words = 1,
    .max_words = -1,
    .words = Words::kImages,
    .description =
        "A name that is not the image's last one is only taken "
        "away.",
    .run = RunRmi,
};

}  // namespace lamina::cli
