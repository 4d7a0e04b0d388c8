#include "base/status.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace lamina {

absl::Status ErrnoError(int error, absl::string_view doing) {
  std::string message = absl::StrCat("cannot ", doing, ": ", strerror(error));
  switch (error) {
    case ENOENT:
      return absl::NotFoundError(message);
    case EEXIST:
      return absl::AlreadyExistsError(message);
    case EACCES:
    case EPERM:
      return absl::PermissionDeniedError(message);
    case ENOSPC:
    case EDQUOT:
      return absl::ResourceExhaustedError(message);
    default:
      return absl::UnavailableError(message);
  }
}

absl::Status Annotate(const absl::Status& status, absl::string_view context) {
  if (status.ok()) {
    return status;
  }
  return absl::Status(status.code(),
                      absl::StrCat(context, ": ", status.message()));
}

void CheckFailed(const char* file, int line, const char* condition) {
  fprintf(stderr,
          "lamina: internal error at %s:%d: %s does not hold\n"
          "This is a bug in lamina; please report it with the command line "
          "and `lamina --version`.\n",
          file, line, condition);
  fflush(stderr);
#ifdef LAMINA_ABORT
  abort();  // A fuzzer keeps the input only of what it sees fail.
#endif
  _Exit(70);
}

}  // namespace lamina
