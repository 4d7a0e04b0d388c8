// Content digests (OCI image-spec, descriptor.md: digests).
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace lamina {

// A SHA-256 digest. The default value is all zeros and stands for "none".
struct Digest {
  std::array<unsigned char, 32> bytes = {};

  // 64 lower-case hex digits, without "sha256:".
  std::string hex() const;
  // "sha256:" and the hex digits.
  std::string ToString() const;
  // Accepts exactly `sha256:[0-9a-f]{64}`.
  static absl::StatusOr<Digest> Parse(absl::string_view text);
  static absl::StatusOr<Digest> FromHex(absl::string_view hex);
  bool empty() const { return *this == Digest{}; }

  friend auto operator<=>(const Digest&, const Digest&) = default;
};

// SHA-256 over bytes given in any number of pieces.
class Hasher {
 public:
  Hasher();
  ~Hasher();
  Hasher(Hasher&&) noexcept;
  Hasher& operator=(Hasher&&) noexcept;

  void Update(const void* data, size_t size);
  void Update(absl::string_view text) { Update(text.data(), text.size()); }
  // A length-prefixed field, so that ("ab","c") and ("a","bc") differ.
  void UpdateField(absl::string_view field);
  // The digest of everything so far; the hasher starts anew.
  Digest Finish();

 private:
  void* state_ = nullptr;
};

Digest Sha256(absl::string_view bytes);

}  // namespace lamina
