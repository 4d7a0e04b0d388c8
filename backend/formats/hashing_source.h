// A byte source that knows the digest and the number of bytes read through it.
#pragma once

#include "backend/tar/tar_reader.h"
#include "base/digest.h"
#include "base/status.h"

namespace lamina::backend {

class HashingSource : public ByteSource {
 public:
  explicit HashingSource(ByteSource& inner) : inner_(inner) {}

  absl::StatusOr<size_t> Read(void* buffer, size_t size) override {
    ASSIGN_OR_RETURN(size_t count, inner_.Read(buffer, size));
    hasher_.Update(buffer, count);
    count_ += count;
    return count;
  }
  // Reads what is left, so that the digest covers everything.
  absl::Status Drain();
  uint64_t count() const { return count_; }
  Digest Finish() { return hasher_.Finish(); }

 private:
  ByteSource& inner_;
  Hasher hasher_;
  uint64_t count_ = 0;
};

// Passes reads on, for an interface that wants to own its source.
class BorrowedSource : public ByteSource {
 public:
  explicit BorrowedSource(ByteSource& inner) : inner_(inner) {}
  absl::StatusOr<size_t> Read(void* buffer, size_t size) override {
    return inner_.Read(buffer, size);
  }

 private:
  ByteSource& inner_;
};

}  // namespace lamina::backend
