// The 512 bytes in front of every tar member (POSIX pax, "ustar Interchange
// Format"), shared by the writer and the reader.
#pragma once

#include <cstddef>
#include <cstring>

namespace lamina::backend {

inline constexpr size_t kTarBlock = 512;

struct TarHeaderBlock {
  char name[100];
  char mode[8];
  char uid[8];
  char gid[8];
  char size[12];
  char mtime[12];
  char checksum[8];
  char type;
  char link[100];
  char magic[6];
  char version[2];
  char user[32];
  char group[32];
  char major[8];
  char minor[8];
  char prefix[155];
  char unused[12];
};
static_assert(sizeof(TarHeaderBlock) == kTarBlock);

}  // namespace lamina::backend
