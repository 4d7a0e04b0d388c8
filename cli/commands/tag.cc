// lamina tag
#include <memory>

#include "base/status.h"
#include "cli/command.h"
#include "cli/image_text.h"
#include "cli/store_access.h"

namespace lamina::cli {
namespace {

constexpr Flag kTagFlags[] = {kRootFlag};

absl::StatusOr<int> RunTag(const Invocation& invocation) {
  const std::string& source = invocation.words()[0];
  ASSIGN_OR_RETURN(ir::ImageReference name,
                   ReadImageName(invocation.words()[1]));
  ASSIGN_OR_RETURN(std::unique_ptr<backend::Store> store,
                   OpenStoreWith(invocation, "image", source));
  ASSIGN_OR_RETURN(backend::Image image, FindImage(*store, source));
  RETURN_IF_ERROR(store->Tag(name, image.id));
  return 0;
}

}  // namespace

constinit const Command kTag = {
    .name = "tag",
    .group = "Images",
    .summary = "give an image one more name",
    .usage = "IMAGE NEW_NAME",
    .flags = kTagFlags,
    .min_words = 2,
    .max_words = 2,
    .words = Words::kImages,
    .examples = "lamina tag app:latest registry.example/app:1.0",
    .run = RunTag,
};

}  // namespace lamina::cli
