// Lines of text within a width: columns, hanging indents, colours.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "cli/plan_formats/plan_format.h"

namespace lamina::cli {

enum class Ink { kPlain, kGood, kBusy, kFaint, kStrong, kBad };

struct Span {
  std::string text;
  Ink ink = Ink::kPlain;
};
using Line = std::vector<Span>;

// Collects lines. Whatever is put in, no line is wider than the page, and no
// control character of the build file reaches the terminal.
class TextPage {
 public:
  explicit TextPage(const PlanPrintOptions& options) : options_(options) {}

  // Cut at the right edge.
  void Add(const Line& line);
  // `label` in the margin, then `parts` with `between` in between, broken
  // between parts where the line is full, else between words. Nothing at all
  // when there are no parts.
  void AddParts(absl::string_view label, const std::vector<std::string>& parts,
                absl::string_view between);
  // `front`, then a text broken between words that goes on below its start.
  void AddHanging(const Line& front, absl::string_view text);
  // One text broken between words; `indent` columns before every line.
  void AddParagraph(size_t indent, absl::string_view text, Ink ink);

  size_t width() const { return options_.width; }
  std::string Take() { return std::move(text_); }

 private:
  struct Atom {          // What is not broken.
    std::string before;  // Blanks and marks, left out at the start of a line.
    std::string text;
  };
  static void AppendWords(absl::string_view text, absl::string_view before,
                          size_t room, std::vector<Atom>& atoms);
  // Fills lines with `atoms`; `front` is the margin of the first one.
  void Flow(const Line& front, const std::vector<Atom>& atoms, Ink ink);
  std::string Safe(absl::string_view text) const;
  const PlanPrintOptions& options_;
  std::string text_;
};

// " layers    ": the margin where a part of the page begins.
inline constexpr size_t kMargin = 11;
std::string MarginLabel(absl::string_view label);

// `text` with blanks up to `width` columns, at its right or left.
std::string PadRight(std::string text, size_t width);
std::string PadLeft(const std::string& text, size_t width);

}  // namespace lamina::cli
