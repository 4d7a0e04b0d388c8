#include "backend/formats/hashing_source.h"

#include <string>

namespace lamina::backend {

absl::Status HashingSource::Drain() {
  std::string buffer(1 << 16, '\0');
  for (size_t count = 1; count > 0;) {
    ASSIGN_OR_RETURN(count, Read(buffer.data(), buffer.size()));
  }
  return absl::OkStatus();
}

}  // namespace lamina::backend
