#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "backend/tar/tar_reader.h"
#include "base/status.h"

namespace lamina::backend {
namespace {

class FdSource : public ByteSource {
 public:
  explicit FdSource(int fd) : fd_(fd) {}

  absl::StatusOr<size_t> Read(void* buffer, size_t size) override {
    while (true) {
      ssize_t got = read(fd_, buffer, size);
      if (got >= 0) {
        return static_cast<size_t>(got);
      }
      if (errno != EINTR) {
        return ErrnoError("read");
      }
    }
  }

 private:
  int fd_;
};

class MemorySource : public ByteSource {
 public:
  explicit MemorySource(std::string bytes) : bytes_(std::move(bytes)) {}

  absl::StatusOr<size_t> Read(void* buffer, size_t size) override {
    size_t take = std::min(size, bytes_.size() - position_);
    memcpy(buffer, bytes_.data() + position_, take);
    position_ += take;
    return take;
  }

 private:
  std::string bytes_;
  size_t position_ = 0;
};

}  // namespace

std::unique_ptr<ByteSource> MakeFdSource(int fd) {
  return std::make_unique<FdSource>(fd);
}

std::unique_ptr<ByteSource> MakeMemorySource(std::string bytes) {
  return std::make_unique<MemorySource>(std::move(bytes));
}

}  // namespace lamina::backend
