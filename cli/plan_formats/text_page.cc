#include "cli/plan_formats/text_page.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "base/text.h"
#include "cli/terminal_text.h"

namespace lamina::cli {
namespace {

absl::string_view ColourOf(Ink ink) {
  switch (ink) {
    case Ink::kPlain:
      return "";
    case Ink::kGood:
      return "\x1b[32m";
    case Ink::kBusy:
      return "\x1b[33m";
    case Ink::kFaint:
      return "\x1b[2m";
    case Ink::kStrong:
      return "\x1b[1m";
    case Ink::kBad:
      return "\x1b[31m";
  }
  return "";
}

// Columns of a page that are left behind a margin; a margin that leaves next to
// nothing is none.
size_t RoomBehind(size_t margin, size_t width) {
  return width > margin + 10 ? width - margin : width;
}

size_t WidthOf(const Line& line) {
  size_t width = 0;
  for (const Span& span : line) {
    width += DisplayWidth(span.text);
  }
  return width;
}

// The longest start of `text` that `room` columns hold; one character at least.
absl::string_view Fitting(absl::string_view text, size_t room) {
  absl::string_view kept = KeepStart(text, room * 4);
  while (DisplayWidth(kept) > room &&
         !KeepStart(kept, kept.size() - 1).empty()) {
    kept = KeepStart(kept, kept.size() - 1);
  }
  return kept.empty() ? text : kept;
}

}  // namespace

// The words of `text`; one that no line holds is broken where the line ends.
void TextPage::AppendWords(absl::string_view text, absl::string_view before,
                           size_t room, std::vector<Atom>& atoms) {
  for (absl::string_view word : absl::StrSplit(text, ' ')) {
    while (DisplayWidth(word) > room) {
      const absl::string_view start = Fitting(word, room);
      atoms.push_back({std::string(before), std::string(start)});
      word.remove_prefix(start.size());
      before = "";
    }
    atoms.push_back({std::string(before), std::string(word)});
    before = " ";
  }
}

std::string TextPage::Safe(absl::string_view text) const {
  std::string safe = VisibleLine(text);
  if (!options_.utf8) {
    safe = absl::StrReplaceAll(
        safe, {{"→", "->"}, {"·", "-"}, {"–", "-"}, {"…", "..."}});
  }
  return safe;
}

void TextPage::Add(const Line& line) {
  size_t room = options_.width;
  Line shown;
  for (const Span& span : line) {
    std::string text = Safe(span.text);
    if (DisplayWidth(text) > room) {
      // The mark of a cut needs room itself.
      text = CutToWidth(text, room, options_.utf8);
      text = DisplayWidth(text) <= room ? text : std::string(room, '.');
    }
    room -= DisplayWidth(text);
    shown.push_back({std::move(text), span.ink});
  }
  while (!shown.empty()) {
    absl::StripTrailingAsciiWhitespace(&shown.back().text);
    if (!shown.back().text.empty()) {
      break;
    }
    shown.pop_back();
  }
  for (const Span& span : shown) {
    const absl::string_view colour = ColourOf(span.ink);
    if (options_.colour && !colour.empty() && !span.text.empty()) {
      absl::StrAppend(&text_, colour, span.text, "\x1b[0m");
    } else {
      absl::StrAppend(&text_, span.text);
    }
  }
  absl::StrAppend(&text_, "\n");
}

void TextPage::AddParts(absl::string_view label,
                        const std::vector<std::string>& parts,
                        absl::string_view between) {
  const std::string front = MarginLabel(label);
  const size_t room = RoomBehind(DisplayWidth(front), options_.width);
  std::vector<Atom> atoms;
  for (const std::string& raw : parts) {
    const std::string part = Safe(raw);
    if (DisplayWidth(part) <= room) {
      atoms.push_back({std::string(between), part});
    } else {
      AppendWords(part, between, room, atoms);
    }
  }
  Flow({{front}}, atoms, Ink::kPlain);
}

void TextPage::AddHanging(const Line& front, absl::string_view text) {
  std::vector<Atom> atoms;
  AppendWords(Safe(text), " ", RoomBehind(WidthOf(front), options_.width),
              atoms);
  Flow(front, atoms, Ink::kPlain);
}

void TextPage::AddParagraph(size_t indent, absl::string_view text, Ink ink) {
  std::vector<Atom> atoms;
  AppendWords(Safe(text), " ", RoomBehind(indent, options_.width), atoms);
  Flow({{std::string(indent, ' ')}}, atoms, ink);
}

void TextPage::Flow(const Line& front, const std::vector<Atom>& atoms,
                    Ink ink) {
  const size_t room = RoomBehind(WidthOf(front), options_.width);
  Line margin = front;
  std::string line;
  auto flush = [&] {
    margin.push_back({line, ink});
    Add(margin);
    margin = {{std::string(options_.width - room, ' ')}};
  };
  for (const Atom& atom : atoms) {
    const std::string longer =
        line.empty() ? atom.text : absl::StrCat(line, atom.before, atom.text);
    if (!line.empty() && DisplayWidth(longer) > room) {
      flush();
      line = atom.text;
    } else {
      line = longer;
    }
  }
  if (!line.empty()) {
    flush();
  }
}

std::string MarginLabel(absl::string_view label) {
  return PadRight(absl::StrCat(" ", label, " "), kMargin);
}

std::string PadRight(std::string text, size_t width) {
  text.append(width - std::min(width, DisplayWidth(text)), ' ');
  return text;
}

std::string PadLeft(const std::string& text, size_t width) {
  return absl::StrCat(
      std::string(width - std::min(width, DisplayWidth(text)), ' '), text);
}

}  // namespace lamina::cli
