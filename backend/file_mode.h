// Modes and owners as COPY's --chmod and --chown give them.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "ir/op.h"

namespace lamina::backend {

// True for an octal mode: it is also given to the folders COPY makes.
bool IsOctalMode(absl::string_view mode);

// The bits 07777 that `mode`, octal or symbolic in the grammar of BSD chmod,
// makes of `current`. "invalid syntax" for everything else.
absl::StatusOr<uint32_t> ChangeMode(absl::string_view mode, uint32_t current,
                                    bool is_folder);

struct Owner {
  uint32_t uid = 0;
  uint32_t gid = 0;
};

// Reads a text file of the destination tree; an absent one is empty.
using ReadText = std::function<absl::StatusOr<std::string>(
    const std::string& path)>;

// --chown=user[:group]. Names come from /etc/passwd and /etc/group of the
// destination; an unknown one is 0. A name alone takes its entry's group, a
// number alone the same number.
absl::StatusOr<Owner> ResolveOwner(const ir::Ownership& ownership,
                                   const ReadText& read_text);

}  // namespace lamina::backend
