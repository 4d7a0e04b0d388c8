// Error channels for the world's failures and for our own bugs.
//
// absl::Status travels up unchanged; context is added once, by the caller who
// knows why something was done. CHECK is for what can only be our own bug.
#pragma once

#include <cerrno>
#include <cstdlib>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace lamina {

// The failure of a system call, with the system's own text:
// `cannot open /x: Permission denied`. ENOENT, EEXIST, EACCES, EPERM and ENOSPC
// map to their own status codes, everything else to kUnavailable.
absl::Status ErrnoError(int error, absl::string_view doing);
inline absl::Status ErrnoError(absl::string_view doing) {
  return ErrnoError(errno, doing);
}

// `status` with "context: " in front of its message; OK stays OK.
absl::Status Annotate(const absl::Status& status, absl::string_view context);

// Prints file, line and `condition`, and ends the process with code 70.
[[noreturn]] void CheckFailed(const char* file, int line,
                              const char* condition);

}  // namespace lamina

#define LAMINA_CONCAT_INNER(a, b) a##b
#define LAMINA_CONCAT(a, b) LAMINA_CONCAT_INNER(a, b)

#define RETURN_IF_ERROR(expression)             \
  do {                                          \
    if (absl::Status status_ = (expression);    \
        !status_.ok()) {                        \
      return status_;                           \
    }                                           \
  } while (false)

#define ASSIGN_OR_RETURN(declaration, expression) \
  ASSIGN_OR_RETURN_INNER(LAMINA_CONCAT(statusor_, __LINE__), declaration, \
                         expression)
#define ASSIGN_OR_RETURN_INNER(statusor, declaration, expression) \
  auto statusor = (expression);                                   \
  if (!statusor.ok()) {                                           \
    return std::move(statusor).status();                          \
  }                                                               \
  declaration = std::move(statusor).value()

#define CHECK(condition)                                       \
  do {                                                         \
    if (!(condition)) {                                        \
      ::lamina::CheckFailed(__FILE__, __LINE__, #condition);   \
    }                                                          \
  } while (false)
