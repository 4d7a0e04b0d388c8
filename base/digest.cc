#include "base/digest.h"

#include <openssl/evp.h>

#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace lamina {
namespace {

EVP_MD_CTX* Context(void* state) { return static_cast<EVP_MD_CTX*>(state); }

// Fetched once: an implicit fetch per digest costs more than a small hash.
const EVP_MD* Algorithm() {
  static const EVP_MD* algorithm = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  return algorithm;
}

}  // namespace

std::string Digest::hex() const {
  return absl::BytesToHexString(absl::string_view(
      reinterpret_cast<const char*>(bytes.data()), bytes.size()));
}

std::string Digest::ToString() const { return absl::StrCat("sha256:", hex()); }

absl::StatusOr<Digest> Digest::Parse(absl::string_view text) {
  constexpr absl::string_view kPrefix = "sha256:";
  if (text.substr(0, kPrefix.size()) != kPrefix) {
    return absl::InvalidArgumentError(
        absl::StrCat("`", text.substr(0, 80), "` is no sha256 digest"));
  }
  return FromHex(text.substr(kPrefix.size()));
}

absl::StatusOr<Digest> Digest::FromHex(absl::string_view hex) {
  Digest digest;
  auto value = [](char c) {
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
  };
  bool valid = hex.size() == 2 * digest.bytes.size();
  for (size_t i = 0; valid && i < digest.bytes.size(); ++i) {
    int high = value(hex[2 * i]);
    int low = value(hex[2 * i + 1]);
    valid = high >= 0 && low >= 0;
    digest.bytes[i] = static_cast<unsigned char>(high * 16 + low);
  }
  if (!valid) {
    return absl::InvalidArgumentError(
        absl::StrCat("`", hex.substr(0, 80), "` is no sha256 digest"));
  }
  return digest;
}

Hasher::Hasher() : state_(EVP_MD_CTX_new()) {
  CHECK(EVP_DigestInit_ex(Context(state_), Algorithm(), nullptr) == 1);
}

Hasher::~Hasher() { EVP_MD_CTX_free(Context(state_)); }

Hasher::Hasher(Hasher&& other) noexcept
    : state_(std::exchange(other.state_, nullptr)) {}

Hasher& Hasher::operator=(Hasher&& other) noexcept {
  std::swap(state_, other.state_);
  return *this;
}

void Hasher::Update(const void* data, size_t size) {
  CHECK(EVP_DigestUpdate(Context(state_), data, size) == 1);
}

void Hasher::UpdateField(absl::string_view field) {
  uint64_t size = field.size();
  std::array<unsigned char, 8> length;
  for (size_t i = 0; i < length.size(); ++i) {
    length[i] = static_cast<unsigned char>(size >> (8 * i));
  }
  Update(length.data(), length.size());
  Update(field);
}

Digest Hasher::Finish() {
  Digest digest;
  unsigned int size = 0;
  CHECK(EVP_DigestFinal_ex(Context(state_), digest.bytes.data(), &size) == 1);
  CHECK(size == digest.bytes.size());
  CHECK(EVP_DigestInit_ex(Context(state_), Algorithm(), nullptr) == 1);
  return digest;
}

Digest Sha256(absl::string_view bytes) {
  Hasher hasher;
  hasher.Update(bytes);
  return hasher.Finish();
}

}  // namespace lamina
