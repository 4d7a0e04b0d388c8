#include "frontend/dockerfile/mount_record.h"

#include "absl/strings/str_cat.h"

namespace lamina::frontend {
namespace {

absl::Status Broken(absl::string_view reason) {
  return absl::InvalidArgumentError(
      absl::StrCat("failed to parse csv mounts: ", reason));
}

// One record of RFC 4180.
absl::StatusOr<std::vector<std::string>> SplitTexts(absl::string_view text,
                                                    std::vector<size_t>& ends) {
  std::vector<std::string> fields(1);
  size_t i = 0;
  while (i < text.size()) {
    if (text[i] == ',') {
      ends.push_back(i);
      fields.emplace_back();
      ++i;
    } else if (text[i] != '"') {
      fields.back() += text[i++];
    } else if (!fields.back().empty() || (i > 0 && text[i - 1] != ',')) {
      return Broken("bare \" in a field");
    } else {
      for (++i;; ++i) {
        if (i == text.size()) {
          return Broken("a quote has no end");
        }
        if (text[i] != '"') {
          fields.back() += text[i];
        } else if (i + 1 < text.size() && text[i + 1] == '"') {
          fields.back() += text[++i];
        } else {
          break;
        }
      }
      ++i;
      if (i < text.size() && text[i] != ',') {
        return Broken("text after a quoted field");
      }
    }
  }
  ends.push_back(text.size());
  return fields;
}

}  // namespace

absl::StatusOr<std::vector<MountField>> SplitMountRecord(
    absl::string_view text) {
  std::vector<size_t> ends;
  absl::StatusOr<std::vector<std::string>> texts = SplitTexts(text, ends);
  if (!texts.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat(texts.status().message(),
                     "; quote a field as \"key=a,b\" from end to end"));
  }
  std::vector<MountField> fields;
  uint32_t begin = 0;
  for (size_t i = 0; i < texts->size(); ++i) {
    auto end = static_cast<uint32_t>(ends[i]);
    fields.push_back({(*texts)[i], {begin, end}});
    begin = end + 1;
  }
  return fields;
}

}  // namespace lamina::frontend
