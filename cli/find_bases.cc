#include "cli/find_bases.h"

#include <set>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "base/text.h"

namespace lamina::cli {
namespace {

// Looks the bases up in the store; an unknown one is the user's to fetch, or
// stays unknown in an offline plan.
class BaseFinder {
 public:
  BaseFinder(const BuildInput& input, const frontend::BuildOptions& options,
             bool may_be_unknown, backend::Store* store)
      : input_(input),
        options_(options),
        may_be_unknown_(may_be_unknown),
        store_(store) {}

  absl::StatusOr<frontend::BaseImages> Find(
      const grammar::DockerfileSyntax& syntax, Diagnostics& diagnostics) {
    // A base may have triggers that name further images.
    size_t seen = 0;
    do {
      seen = seen_.size();
      Diagnostics ignored;  // Lowering reports the same mistakes.
      for (const frontend::BaseUse& use : frontend::FindBases(
               syntax, input_.source, options_, bases_, ignored)) {
        if (seen_.insert(use.reference.Full()).second) {
          RETURN_IF_ERROR(LookUp(use, diagnostics));
        }
      }
    } while (seen_.size() > seen);
    return std::move(bases_);
  }

 private:
  absl::Status LookUp(const frontend::BaseUse& use, Diagnostics& diagnostics) {
    absl::Status missing = absl::NotFoundError("there is no store yet");
    auto layout = input_.layout_images.find(use.reference.Full());
    if (layout != input_.layout_images.end()) {
      return LookUpLayout(layout->first, layout->second);
    }
    if (store_ != nullptr) {
      absl::StatusOr<backend::Image> image =
          store_->FindImage(use.reference.Full());
      if (image.ok()) {
        bases_[use.reference.Full()] = {image->id, image->document};
        return absl::OkStatus();
      }
      missing = image.status();
    }
    if (missing.code() != absl::StatusCode::kNotFound) {
      return missing;
    }
    // Where images may be unknown, a slip of the pen is still likely.
    return may_be_unknown_ && !use.near_stage.has_value()
               ? absl::OkStatus()
               : ReportMissing(use, diagnostics);
  }

  // An image that a build has loaded; a plan may know none of it.
  absl::Status LookUpLayout(const std::string& name, const Digest& id) {
    if (store_ == nullptr) {
      return absl::OkStatus();
    }
    absl::StatusOr<backend::Image> image = store_->GetImage(id);
    if (image.ok()) {
      bases_[name] = {image->id, image->document};
    }
    return absl::IsNotFound(image.status()) ? absl::OkStatus() : image.status();
  }

  absl::Status ReportMissing(const frontend::BaseUse& use,
                             Diagnostics& diagnostics) {
    std::string name = use.reference.Familiar();
    Diagnostic unknown;
    unknown.severity = may_be_unknown_ ? Severity::kWarning : Severity::kError;
    unknown.code = "unknown-image";
    unknown.range = use.range;
    if (use.near_stage.has_value()) {
      unknown.message =
          absl::StrCat("no stage and no local image `", name,
                       "`; did you mean the stage `", *use.near_stage, "`?");
      unknown.fix = {{absl::StrCat("use the stage `", *use.near_stage, "`"),
                      {{use.range, *use.near_stage}}}};
    } else {
      unknown.message = absl::StrCat(
          "no image `", name,
          "` in the local store; `lamina load` or `lamina import` brings one "
          "in");
    }
    std::vector<std::string> names;
    if (store_ != nullptr) {
      ASSIGN_OR_RETURN(auto tags, store_->ListTags());
      for (const auto& [full, id] : tags) {
        absl::StatusOr<ir::ImageReference> tag =
            ir::ImageReference::Parse(full);
        names.push_back(tag.ok() ? tag->Familiar() : full);
      }
    }
    if (std::optional<std::string> near = Closest(name, names)) {
      unknown.notes.push_back(
          {std::nullopt, absl::StrCat("there is `", *near, "`")});
    }
    diagnostics.Add(std::move(unknown));
    return absl::OkStatus();
  }

  const BuildInput& input_;
  const frontend::BuildOptions& options_;
  bool may_be_unknown_;
  backend::Store* store_;
  std::set<std::string> seen_;
  frontend::BaseImages bases_;
};

}  // namespace

absl::StatusOr<frontend::BaseImages> FindBaseImages(
    const grammar::DockerfileSyntax& syntax, const BuildInput& input,
    const frontend::BuildOptions& options, bool may_be_unknown,
    backend::Store* store, Diagnostics& diagnostics) {
  return BaseFinder(input, options, may_be_unknown, store)
      .Find(syntax, diagnostics);
}

}  // namespace lamina::cli
