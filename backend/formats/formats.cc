#include "backend/formats/formats.h"

namespace lamina::backend {

#define FORMAT(name) extern const Format name;
#include "backend/formats/formats.def"
#undef FORMAT

std::vector<const Format*> AllFormats() {
  return {
#define FORMAT(name) &name,
#include "backend/formats/formats.def"
#undef FORMAT
  };
}

const Format* FindFormat(absl::string_view name) {
  for (const Format* format : AllFormats()) {
    if (format->name == name) {
      return format;
    }
  }
  return nullptr;
}

}  // namespace lamina::backend
