// Where the store is, and how commands open it.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "backend/store/store.h"
#include "cli/command.h"

namespace lamina::cli {

// The flag every command with a store has.
inline constexpr Flag kRootFlag = {
    .name = "root",
    .value = "DIR",
    .help = "folder of the local store",
};

// `flag` (which includes LAMINA_ROOT when it comes from an Invocation), else
// LAMINA_ROOT, else /var/lib/lamina for root, else $XDG_DATA_HOME/lamina, else
// ~/.local/share/lamina.
std::string StoreRoot(absl::string_view flag);

// Opens or creates the store that `--root` names.
absl::StatusOr<std::unique_ptr<backend::Store>> OpenStore(
    const Invocation& invocation,
    backend::Durability durability = backend::Durability::kImage);

// Null when there is no store: nothing is created then, nor changed otherwise.
absl::StatusOr<std::unique_ptr<backend::Store>> OpenStoreForReading(
    const std::string& root);

// An error that names `image`, when there is no store to look in.
absl::StatusOr<std::unique_ptr<backend::Store>> OpenStoreWith(
    const Invocation& invocation, absl::string_view what,
    absl::string_view name);

// Finds an image by name or id; an unknown one is the user's error (exit 1).
absl::StatusOr<backend::Image> FindImage(backend::Store& store,
                                         absl::string_view name);

}  // namespace lamina::cli
