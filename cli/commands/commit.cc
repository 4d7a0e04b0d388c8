// lamina commit: a container's writable layer becomes an image.
#include <ctime>
#include <utility>

#include "absl/strings/str_cat.h"
#include "backend/container.h"
#include "base/status.h"
#include "cli/command.h"
#include "cli/config_change.h"
#include "cli/container_text.h"
#include "cli/store_access.h"

namespace lamina::cli {
namespace {

constexpr Flag kCommitFlags[] = {
    {.name = "message", .short_name = 'm', .value = "TEXT",
     .help = "comment of the history entry"},
    {.name = "author", .short_name = 'a', .value = "TEXT",
     .help = "who made it"},
    kRootFlag,
    kChangeFlag,
};

absl::StatusOr<int> RunCommit(const Invocation& invocation) {
  const std::string& name = invocation.words()[0];
  ASSIGN_OR_RETURN(std::unique_ptr<backend::Store> store,
                   OpenStoreWith(invocation, "container", name));
  absl::StatusOr<backend::Container> container = store->FindContainer(name);
  if (!container.ok()) {
    return UserError(container.status().message());
  }
  if (IsRunning(*container)) {
    // Its files would be read while they change.
    return UserError(absl::StrCat("container `", name,
                                  "` is running; commit it when it ended"));
  }
  ASSIGN_OR_RETURN(backend::Image image, store->GetImage(container->image));
  backend::CommitOptions options;
  options.author = invocation.Get("author");
  options.message = invocation.Get("message");
  options.config = image.document.config;
  options.now = time(nullptr);
  if (!options.author.empty()) {
    options.config.author = options.author;
  }
  RETURN_IF_ERROR(ApplyChanges(invocation.GetAll("change"), options.config));
  if (invocation.words().size() > 1) {
    absl::StatusOr<ir::ImageReference> reference =
        ir::ImageReference::Parse(invocation.words()[1]);
    if (!reference.ok()) {
      return UsageError(reference.status().message());
    }
    options.names.push_back(*std::move(reference));
  }
  ASSIGN_OR_RETURN(
      backend::Image made,
      backend::CommitContainer(*container, image, options, *store));
  RETURN_IF_ERROR(PrintResult(absl::StrCat(made.id.ToString(), "\n")));
  return 0;
}

}  // namespace

extern const Command kCommit = {
    .name = "commit",
    .group = "Containers",
    .summary = "make an image of a container's changes",
    .usage = "[FLAGS] CONTAINER [NAME]",
    .flags = kCommitFlags,
    .min_words = 1,
    .max_words = 2,
    .words = Words::kContainers,
    .examples = "lamina commit -m \"with curl\" 3f2a debian:curl",
    .run = RunCommit,
};

}  // namespace lamina::cli
