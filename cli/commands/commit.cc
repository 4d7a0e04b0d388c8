// lamina commit: what a container changed becomes a layer of a new image.
#include <memory>

#include "absl/strings/str_cat.h"
#include "backend/container.h"
#include "base/status.h"
#include "cli/command.h"
#include "cli/config_change.h"
#include "cli/container_text.h"
#include "cli/image_text.h"
#include "cli/store_access.h"

namespace lamina::cli {
namespace {

constexpr Flag kFlags[] = {
    {.name = "author",
     .short_name = 'a',
     .value = "NAME",
     .help = "author of the image"},
    kChangeFlag,
    {.name = "message",
     .short_name = 'm',
     .value = "TEXT",
     .help = "comment in the history"},
    kRootFlag,
};

absl::StatusOr<int> Run(const Invocation& invocation) {
  const std::vector<std::string>& words = invocation.words();
  backend::CommitOptions options;
  options.message = invocation.Get("message");
  options.created = Now();
  if (words.size() == 2) {
    ASSIGN_OR_RETURN(ir::ImageReference name, ReadImageName(words[1]));
    options.names.push_back(std::move(name));
  }
  ASSIGN_OR_RETURN(std::unique_ptr<backend::Store> store,
                   OpenStoreWith(invocation, "container", words[0]));
  ASSIGN_OR_RETURN(backend::Container container,
                   FindContainer(*store, words[0]));
  if (IsRunning(container)) {
    // Its files would be read while they change.
    return UserError(absl::StrCat("container `", words[0],
                                  "` is running; commit it when it ended"));
  }
  ASSIGN_OR_RETURN(backend::Image base, store->GetImage(container.image));
  options.config = base.document.config;
  if (invocation.Has("author")) {
    options.config.author = invocation.Get("author");
  }
  RETURN_IF_ERROR(ApplyChanges(invocation.GetAll("change"), options.config));
  ASSIGN_OR_RETURN(backend::Image image,
                   backend::CommitContainer(container, options, *store));
  RETURN_IF_ERROR(PrintResult(absl::StrCat(image.id.ToString(), "\n")));
  return 0;
}

}  // namespace

constinit const Command kCommit = {
    .name = "commit",
    .group = "Containers",
    .summary = "make an image of a container",
    .usage = "[FLAGS] CONTAINER [NAME]",
    .flags = kFlags,
    .min_words = 1,
    .max_words = 2,
    .words = Words::kContainers,
    .examples = "lamina commit -c 'CMD [\"/bin/app\"]' builder app:1.0",
    .run = Run,
};

}  // namespace lamina::cli
