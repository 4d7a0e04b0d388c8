// Tars byte by byte, made without any code that reads or writes tars.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace lamina::backend::raw {

// A member as its header has it.
struct Raw {
  std::string name;
  char type = '0';
  std::string content = {};
  std::string link = {};
  int mode = 0644;
  std::map<std::string, std::string> pax = {};
};

Raw Folder(const std::string& name);
Raw Symlink(const std::string& name, const std::string& target);
Raw HardLink(const std::string& name, const std::string& target);
Raw Whiteout(const std::string& name);  // With the `.wh.`.

std::string Tar(const std::vector<Raw>& members);

// The parts of a tar, for headers that are special.
std::string Bytes(const Raw& member);
std::string Header(const std::string& name, char type, size_t size);
void Put(std::string& block, size_t offset, absl::string_view text);
void Sum(std::string& block);  // Sets the checksum of the first 512 bytes.
std::string Padded(std::string text);
std::string End();

}  // namespace lamina::backend::raw
