// lamina run: a command in a new container.
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <memory>

#include "absl/strings/str_cat.h"
#include "backend/container.h"
#include "base/json.h"
#include "base/status.h"
#include "cli/command.h"
#include "cli/image_text.h"
#include "cli/run_flags.h"
#include "cli/store_access.h"
#include "runtime/sandbox.h"

namespace lamina::cli {
namespace {

constexpr int kOwnFailure = 125;  // As docker tells it from the command's.

// The signal to pass on; a handler has no other place to leave it.
std::atomic<int> stop_signal{0};
static_assert(std::atomic<int>::is_always_lock_free);

void PassOn(int number) { stop_signal = number; }

void PassSignalsOn() {
  for (int number : {SIGINT, SIGTERM, SIGHUP, SIGQUIT}) {
    std::signal(number, PassOn);
  }
}

absl::StatusOr<backend::Container> AddRecord(const Invocation& invocation,
                                             const backend::Image& image,
                                             const runtime::SandboxSpec& spec,
                                             backend::Store& store) {
  backend::Container container;
  container.name = invocation.Get("name");
  container.image = image.id;
  container.image_name = invocation.words()[0];
  container.command = PrintJson(Json::Strings(spec.args));
  return store.AddContainer(std::move(container));
}

// Runs the command and keeps the record up to date, whatever happens.
absl::StatusOr<int> RunContainer(backend::Container& container,
                                 const backend::Image& image,
                                 runtime::SandboxSpec spec,
                                 backend::Store& store) {
  RETURN_IF_ERROR(backend::SetContainerRoot(image, container, store, spec));
  if (spec.hostname.empty()) {
    spec.hostname = container.id.substr(0, 12);
  }
  spec.cancel = &stop_signal;
  container.state = "running";
  container.pid = getpid();
  RETURN_IF_ERROR(store.UpdateContainer(container));
  PassSignalsOn();
  absl::StatusOr<runtime::SandboxResult> result =
      runtime::MakeKernelSandbox()->Run(spec, [](int, absl::string_view) {});
  container.state = "exited";
  container.pid = 0;
  container.exit_code = result.ok() ? result->exit_code : kOwnFailure;
  RETURN_IF_ERROR(store.UpdateContainer(container));
  RETURN_IF_ERROR(result.status());
  return result->exit_code;
}

absl::StatusOr<int> RunImage(const Invocation& invocation) {
  const std::vector<std::string>& words = invocation.words();
  ASSIGN_OR_RETURN(std::unique_ptr<backend::Store> store,
                   OpenStoreWith(invocation, "image", words[0]));
  ASSIGN_OR_RETURN(backend::Image image, FindImage(*store, words[0]));
  ASSIGN_OR_RETURN(
      runtime::SandboxSpec spec,
      MakeRunSpec(invocation, image.document.config,
                  std::vector<std::string>(words.begin() + 1, words.end())));
  ASSIGN_OR_RETURN(backend::Container container,
                   AddRecord(invocation, image, spec, *store));
  absl::StatusOr<int> code =
      RunContainer(container, image, std::move(spec), *store);
  if (invocation.GetBool("rm")) {
    RETURN_IF_ERROR(store->RemoveContainer(container.id));
  }
  return code;
}

absl::StatusOr<int> Run(const Invocation& invocation) {
  absl::StatusOr<int> code = RunImage(invocation);
  return code.ok()
             ? code
             : absl::StatusOr<int>(WithExitCode(code.status(), kOwnFailure));
}

}  // namespace

const Command kRun = {
    .name = "run",
    .group = "Containers",
    .summary = "run a command in a new container",
    .usage = "[FLAGS] IMAGE [COMMAND [ARGUMENT...]]",
    .flags = kRunFlags,
    .min_words = 1,
    .max_words = -1,
    .flags_end_at_first_word = true,
    .words = Words::kImages,
    .description =
        "Ends with the status of the command; 125 if lamina failed, "
        "126 if the\ncommand cannot be executed, 127 if it was not "
        "found.",
    .examples =
        "lamina run --rm -it app:1.0 sh\n"
        "lamina run --rm -v \"$PWD:/src\" -w /src app:1.0 make",
    .run = Run,
};

}  // namespace lamina::cli
