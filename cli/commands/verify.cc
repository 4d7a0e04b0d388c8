// lamina verify: the proof that an image is what the store promises.
#include <sys/stat.h>

#include <algorithm>
#include <memory>

#include "absl/strings/str_cat.h"
#include "backend/formats/formats.h"
#include "backend/verify_image.h"
#include "base/files.h"
#include "base/json.h"
#include "base/status.h"
#include "base/text.h"
#include "cli/archive_input.h"
#include "cli/command.h"
#include "cli/image_text.h"
#include "cli/store_access.h"

namespace lamina::cli {
namespace {

constexpr size_t kMostLines = 50;  // Of one image, as text.

constexpr Flag kVerifyFlags[] = {
    {.name = "format",
     .value = "FORMAT",
     .help = "text or json",
     .default_value = "text"},
    kRootFlag,
    {.name = "strict",
     .help = "layers from elsewhere must have the form of our own too"},
};

// One image and the word it was found under.
struct Verdict {
  std::string name;
  backend::ImageVerdict verdict;
};

bool IsFile(const std::string& path) {
  struct stat info;
  return stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode);
}

// What is wrong with an archive itself, as a verdict; the world's failures
// stay errors.
absl::StatusOr<Verdict> Refuse(const std::string& name,
                               const absl::Status& status) {
  if (absl::IsDataLoss(status) || absl::IsInvalidArgument(status) ||
      absl::IsFailedPrecondition(status) || absl::IsUnimplemented(status) ||
      absl::IsNotFound(status)) {
    Verdict verdict = {.name = name};
    verdict.verdict.problems.push_back(std::string(status.message()));
    return verdict;
  }
  return status;
}

// Through a store of its own, which is gone afterwards.
absl::StatusOr<std::vector<Verdict>> VerifyArchive(
    const std::string& path, const backend::VerifyOptions& options) {
  ASSIGN_OR_RETURN(ArchiveInput input, OpenArchive(path));
  ASSIGN_OR_RETURN(TempDir folder, TempDir::Create());
  ASSIGN_OR_RETURN(std::unique_ptr<backend::Store> store,
                   backend::Store::Open(JoinPath(folder.path(), "store"),
                                        backend::Durability::kNone));
  absl::StatusOr<std::vector<backend::LoadedImage>> images =
      backend::LoadArchive(*input.source, *store);
  if (!images.ok()) {
    ASSIGN_OR_RETURN(Verdict refused, Refuse(path, images.status()));
    return std::vector<Verdict>{std::move(refused)};
  }
  std::vector<Verdict> verdicts;
  for (const backend::LoadedImage& loaded : *images) {
    ASSIGN_OR_RETURN(backend::Image image, store->GetImage(loaded.id));
    Verdict verdict = {.name = path};
    if (images->size() > 1) {
      absl::StrAppend(&verdict.name, " ",
                      loaded.names.empty() ? loaded.id.ToString()
                                           : loaded.names[0].Familiar());
    }
    ASSIGN_OR_RETURN(verdict.verdict, VerifyImage(image, *store, options));
    verdicts.push_back(std::move(verdict));
  }
  return verdicts;
}

// An image of the store, or else an archive.
absl::StatusOr<std::vector<Verdict>> VerifyWord(
    const std::string& word, backend::Store* store,
    const backend::VerifyOptions& options) {
  absl::Status missing;
  if (store != nullptr) {
    absl::StatusOr<backend::Image> image = FindImage(*store, word);
    if (image.ok()) {
      Verdict verdict = {.name = word};
      ASSIGN_OR_RETURN(verdict.verdict, VerifyImage(*image, *store, options));
      return std::vector<Verdict>{std::move(verdict)};
    }
    if (ExitCodeOf(image.status()) != 1) {
      ASSIGN_OR_RETURN(Verdict refused, Refuse(word, image.status()));
      return std::vector<Verdict>{std::move(refused)};
    }
    missing = image.status();
  }
  if (IsFile(word)) {
    return VerifyArchive(word, options);
  }
  return store != nullptr
             ? missing
             : UserError(absl::StrCat("no image and no archive named `",
                                      EscapeControls(word),
                                      "`; there is no store yet"));
}

std::string Text(const Verdict& one) {
  const backend::ImageVerdict& verdict = one.verdict;
  if (verdict.ok()) {
    return absl::StrCat(one.name, ": OK, ", Counted(verdict.layers, "layer"),
                        ", ", Counted(verdict.paths, "path"),
                        ", tree sha256:", verdict.tree, "\n");
  }
  std::vector<std::string> lines = verdict.problems;
  for (const ir::TreeDifference& difference : verdict.differences) {
    lines.push_back(absl::StrCat(difference.path, ": ", difference.field, " ",
                                 difference.first, " in the records, ",
                                 difference.second, " in the layers"));
  }
  const size_t shown = std::min(lines.size(), kMostLines);
  std::string text = absl::StrCat(one.name, ": not OK\n");
  for (size_t i = 0; i < shown; ++i) {
    absl::StrAppend(&text, "  ", EscapeControls(lines[i]), "\n");
  }
  if (lines.size() > shown || verdict.more_differences) {
    absl::StrAppend(&text, "  ... and more; --format=json lists them\n");
  }
  return text;
}

Json Document(const Verdict& one) {
  const backend::ImageVerdict& verdict = one.verdict;
  Json differences = Json::Array();
  for (const ir::TreeDifference& difference : verdict.differences) {
    Json object = Json::Object();
    object.Set("path", difference.path);
    object.Set("field", difference.field);
    object.Set("records", difference.first);
    object.Set("layers", difference.second);
    differences.Append(std::move(object));
  }
  Json json = Json::Object();
  json.Set("image", one.name);
  json.Set("ok", verdict.ok());
  json.Set("layers", static_cast<int64_t>(verdict.layers));
  json.Set("paths", static_cast<int64_t>(verdict.paths));
  json.Set("tree", verdict.tree.empty()
                       ? Json()
                       : Json(absl::StrCat("sha256:", verdict.tree)));
  json.Set("problems", Json::Strings(verdict.problems));
  json.Set("differences", std::move(differences));
  json.Set("more_differences", verdict.more_differences);
  json.Set("notes", Json::Strings(verdict.notes));
  return json;
}

absl::StatusOr<int> RunVerify(const Invocation& invocation) {
  const std::string format = invocation.Get("format");
  if (format != "text" && format != "json") {
    return UsageError(
        absl::StrCat("`--format` takes text or json, not `", format, "`"));
  }
  const std::string root = StoreRoot(invocation.Get("root"));
  std::unique_ptr<backend::Store> store;
  if (backend::Store::Exists(root)) {
    ASSIGN_OR_RETURN(store, OpenStore(invocation));
  }
  const backend::VerifyOptions options = {
      .strict = invocation.GetBool("strict"),
      .most_differences = format == "json" ? 10'000 : kMostLines};
  int code = 0;
  Json images = Json::Array();
  for (const std::string& word : invocation.words()) {
    absl::StatusOr<std::vector<Verdict>> verdicts =
        VerifyWord(word, store.get(), options);
    if (!verdicts.ok()) {
      PrintError(verdicts.status().message());
      code = std::max(code, ExitCodeOf(verdicts.status()));
      continue;
    }
    for (const Verdict& verdict : *verdicts) {
      code = verdict.verdict.ok() ? code : std::max(code, 1);
      if (format == "json") {
        images.Append(Document(verdict));
      } else {
        RETURN_IF_ERROR(PrintResult(Text(verdict)));
      }
    }
  }
  if (format == "json") {
    Json document = Json::Object();
    document.Set("version", int64_t{1});
    document.Set("images", std::move(images));
    RETURN_IF_ERROR(PrintResult(PrintJson(document) + "\n"));
  }
  return code;
}

}  // namespace

constinit const Command kVerify = {
    .name = "verify",
    .group = "Images",
    .summary = "prove that images are what they promise",
    .usage = "[FLAGS] IMAGE|FILE...",
    .flags = kVerifyFlags,
    .min_words = 1,
    .max_words = -1,
    .words = Words::kImages,
    .description =
        "Reads every byte of every layer with a reader of its own, checks all "
        "digests and sizes, and compares the tree that the layers give with "
        "the one that the store has recorded. FILE is an archive of docker, "
        "podman, skopeo or lamina. Exit code 1: something is wrong.",
    .examples =
        "lamina verify app\n"
        "lamina verify --format=json app.tar",
    .run = RunVerify,
};

}  // namespace lamina::cli
