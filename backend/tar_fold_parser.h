// Turns the bytes of a layer tar into members, for TarFold: a parser of its
// own, which shares no code with the reader and the writer in backend/tar
// (layers-and-archives.md 1.2 and 2.1).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "base/digest.h"
#include "ir/layout/trace.h"

namespace lamina::backend {

struct FoldMember {
  std::string path;  // Clean and relative; "" is the root.
  bool hard_link = false;
  std::string target;   // Of a hard link: as written.
  ir::PathState state;  // Of anything else; body and size filled in, no link.
  uint64_t offset = 0;  // Of its first header, bytes.
  // What a layer of ours never has: a name that is not as we write it, bytes
  // behind a link, attributes of this machine. Empty if there is nothing.
  std::string oddity;
};

// Bytes come in pieces of any size, members go to `sink` once their content is
// complete. Limits are those of security.md 1.
class FoldParser {
 public:
  using Sink = std::function<absl::Status(FoldMember)>;
  explicit FoldParser(Sink sink) : sink_(std::move(sink)) {}

  // Errors name the member and its offset; after one nothing is taken any more.
  absl::Status Add(absl::string_view bytes);
  // The end of the tar: an error inside a member. Begins a new tar.
  absl::Status Finish();
  // Whether the tar that was finished last ended in exactly two zero blocks.
  bool ended_properly() const { return ended_properly_; }

 private:
  enum class Part { kHeader, kExtension, kContent, kPadding, kEnd };
  using Records = std::map<std::string, std::string>;

  absl::Status Take(absl::string_view& bytes);
  absl::Status EndBlock();
  absl::Status BeginMember(const char* block);
  absl::Status BeginExtension(char type, uint64_t size);
  absl::Status EndExtension();
  absl::Status ReadNumbers(const char* block);
  absl::Status ApplyRecords();
  absl::Status SetName();
  absl::Status SetLink();
  absl::Status EndContent();
  void NoteOddity(absl::string_view what);
  void Expect(Part part, uint64_t bytes);
  absl::Status Where(const absl::Status& status) const;

  Sink sink_;
  absl::Status failed_;
  Part part_ = Part::kHeader;
  uint64_t wanted_ = 512;  // Bytes of this part that are still to come.
  std::string block_;      // Of a header or an extension, so far.
  uint64_t offset_ = 0;    // Of the next byte.
  int zero_blocks_ = 0;
  uint64_t after_end_ = 0;  // Bytes behind two zero blocks.
  bool ended_properly_ = false;
  uint64_t members_ = 0;

  // The member that is being read.
  bool begun_ = false;  // Some header of it was seen.
  char extension_ = 0;  // The type of the extension in block_.
  uint64_t padding_ = 0;
  Records records_;  // PAX.
  std::string name_, link_;
  bool long_name_ = false, long_link_ = false;  // GNU.
  FoldMember member_;
  Hasher hasher_;
};

}  // namespace lamina::backend
