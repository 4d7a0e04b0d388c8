#include "backend/test_raw_tar.h"

#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace lamina::backend::raw {

Raw Folder(const std::string& name) {
  return {.name = name + "/", .type = '5', .mode = 0755};
}
Raw Symlink(const std::string& name, const std::string& target) {
  return {.name = name, .type = '2', .link = target, .mode = 0777};
}
Raw HardLink(const std::string& name, const std::string& target) {
  return {.name = name, .type = '1', .link = target};
}
Raw Whiteout(const std::string& name) { return {.name = name}; }

void Put(std::string& block, size_t offset, absl::string_view text) {
  std::memcpy(block.data() + offset, text.data(), text.size());
}

void Sum(std::string& block) {
  Put(block, 148, "        ");
  unsigned sum = 0;
  for (unsigned char c : block.substr(0, 512)) {
    sum += c;
  }
  Put(block, 148, absl::StrFormat("%06o", sum));
  block[154] = '\0';
}

std::string Header(const std::string& name, char type, size_t size) {
  std::string block(512, '\0');
  Put(block, 0, name);
  Put(block, 100, "0000644");
  Put(block, 108, "0000000");
  Put(block, 116, "0000000");
  Put(block, 124, absl::StrFormat("%011o", size));
  Put(block, 136, "00000000007");
  block[156] = type;
  Put(block, 257, absl::string_view("ustar\00000", 8));
  Sum(block);
  return block;
}

std::string Padded(std::string text) {
  text.resize((text.size() + 511) / 512 * 512);
  return text;
}

namespace {

std::string Record(const std::string& key, const std::string& value) {
  const size_t bare = key.size() + value.size() + 3;
  size_t size = bare + 1;
  while (absl::StrCat(size).size() + bare != size) {
    ++size;
  }
  return absl::StrCat(size, " ", key, "=", value, "\n");
}

}  // namespace

std::string Bytes(const Raw& raw) {
  std::string out;
  std::string records;
  for (const auto& [key, value] : raw.pax) {
    records += Record(key, value);
  }
  if (!records.empty()) {
    out += Header("PaxHeaders.0/x", 'x', records.size()) + Padded(records);
  }
  std::string block = Header(raw.name, raw.type, raw.content.size());
  Put(block, 100, absl::StrFormat("%07o", raw.mode));
  Put(block, 157, raw.link);
  Sum(block);
  return out + block + Padded(raw.content);
}

std::string End() { return std::string(1024, '\0'); }

std::string Tar(const std::vector<Raw>& members) {
  std::string out;
  for (const Raw& raw : members) {
    out += Bytes(raw);
  }
  return out + End();
}

}  // namespace lamina::backend::raw
