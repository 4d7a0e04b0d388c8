#include "base/diagnostic.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/json.h"
#include "base/sarif.h"
#include "base/text.h"

namespace lamina {
namespace {

constexpr size_t kMaxExcerptColumns = 100;

absl::string_view SeverityColour(Severity severity) {
  return severity == Severity::kError ? "\033[1;31m" : "\033[1;33m";
}

std::string Repeat(absl::string_view text, size_t count) {
  std::string out;
  for (size_t i = 0; i < count; ++i) {
    absl::StrAppend(&out, text);
  }
  return out;
}

// The excerpt of one line, cut around the range when the line is long, and the
// marker below it. Tabs become blanks up to the next multiple of 8.
std::string Excerpt(const SourceFile& source, SourceRange range,
                    const RenderOptions& options, Severity severity) {
  SourcePosition begin = source.Position(range.begin);
  absl::string_view line = source.Line(begin.line);
  size_t first = range.begin - source.LineStart(begin.line);
  first = std::min(first, line.size());
  size_t length = std::min<size_t>(
      range.end > range.begin ? range.end - range.begin : 1,
      line.size() - first);
  absl::string_view before = line.substr(0, first);
  absl::string_view marked = line.substr(first, length);
  absl::string_view after = line.substr(first + length);
  absl::string_view left_cut, right_cut;
  if (line.size() > kMaxExcerptColumns) {
    if (before.size() > kMaxExcerptColumns / 2) {
      before = KeepEnd(before, kMaxExcerptColumns / 2);
      left_cut = "…";
    }
    size_t room = kMaxExcerptColumns > before.size() + marked.size()
                      ? kMaxExcerptColumns - before.size() - marked.size()
                      : 0;
    if (after.size() > room) {
      after = KeepStart(after, room);
      right_cut = "…";
    }
  }
  std::string shown_before = ExpandTabs(EscapeControls(before), 0);
  std::string shown_marked =
      ExpandTabs(EscapeControls(marked), DisplayWidth(shown_before));
  std::string shown_after = ExpandTabs(
      EscapeControls(after),
      DisplayWidth(shown_before) + DisplayWidth(shown_marked));
  size_t indent = DisplayWidth(left_cut) + DisplayWidth(shown_before);
  size_t width = std::max<size_t>(1, DisplayWidth(shown_marked));
  std::string marker = absl::StrCat("^", Repeat("~", width - 1));
  if (options.colour) {
    marker = absl::StrCat(SeverityColour(severity), marker, "\033[0m");
  }
  return absl::StrCat("  ", left_cut, shown_before, shown_marked, shown_after,
                      right_cut, "\n  ", std::string(indent, ' '), marker,
                      "\n");
}

std::string Place(const SourceFile& source,
                  const std::optional<SourceRange>& range) {
  if (!range.has_value()) {
    return "";
  }
  SourcePosition position = source.Position(range->begin);
  return absl::StrCat(source.name(), ":", position.line, ":", position.column,
                      ": ");
}

std::string RenderOne(const Diagnostic& diagnostic, const SourceFile& source,
                      const RenderOptions& options) {
  std::string severity(SeverityName(diagnostic.severity));
  if (options.colour) {
    severity = absl::StrCat(SeverityColour(diagnostic.severity), severity,
                            "\033[0m");
  }
  std::string out = absl::StrCat(Place(source, diagnostic.range), severity,
                                 ": ", EscapeControls(diagnostic.message));
  if (!diagnostic.code.empty()) {
    absl::StrAppend(&out, " [", diagnostic.code, "]");
  }
  out += "\n";
  if (options.format == ErrorFormat::kShort) {
    return out;
  }
  if (diagnostic.range.has_value()) {
    out += Excerpt(source, *diagnostic.range, options, diagnostic.severity);
  }
  for (const Note& note : diagnostic.notes) {
    absl::StrAppend(&out, Place(source, note.range), "note: ",
                    EscapeControls(note.message),
                    "\n");
    if (note.range.has_value()) {
      out += Excerpt(source, *note.range, options, diagnostic.severity);
    }
  }
  return out;
}

Json PositionJson(const SourceFile& source, uint32_t offset) {
  SourcePosition position = source.Position(offset);
  Json json = Json::Object();
  json.Set("line", int64_t{position.line});
  json.Set("column", int64_t{position.column});
  json.Set("offset", int64_t{offset});
  return json;
}

void SetRange(const std::optional<SourceRange>& range,
              const SourceFile& source, Json& json) {
  if (!range.has_value()) {
    return;
  }
  Json ends = Json::Object();
  ends.Set("start", PositionJson(source, range->begin));
  ends.Set("end", PositionJson(source, range->end));
  json.Set("range", std::move(ends));
}

std::string RenderJson(const Diagnostic& diagnostic,
                       const SourceFile& source) {
  Json json = Json::Object();
  json.Set("severity", std::string(SeverityName(diagnostic.severity)));
  json.Set("code", diagnostic.code);
  json.Set("message", diagnostic.message);
  json.Set("file", source.name());
  SetRange(diagnostic.range, source, json);
  Json notes = Json::Array();
  for (const Note& note : diagnostic.notes) {
    Json entry = Json::Object();
    entry.Set("message", note.message);
    SetRange(note.range, source, entry);
    notes.Append(std::move(entry));
  }
  json.Set("notes", std::move(notes));
  if (diagnostic.fix.has_value()) {
    Json edits = Json::Array();
    for (const Edit& edit : diagnostic.fix->edits) {
      Json entry = Json::Object();
      entry.Set("text", edit.text);
      SetRange(edit.range, source, entry);
      edits.Append(std::move(entry));
    }
    Json fix = Json::Object();
    fix.Set("title", diagnostic.fix->title);
    fix.Set("edits", std::move(edits));
    json.Set("fix", std::move(fix));
  }
  return absl::StrCat(PrintJson(json), "\n");
}

}  // namespace

absl::string_view SeverityName(Severity severity) {
  switch (severity) {
    case Severity::kError:
      return "error";
    case Severity::kWarning:
      return "warning";
    case Severity::kInfo:
      return "info";
  }
  return "error";
}

void Diagnostics::Add(Diagnostic diagnostic) {
  has_errors_ = has_errors_ || diagnostic.severity == Severity::kError;
  all_.push_back(std::move(diagnostic));
}

void Diagnostics::Error(absl::string_view code, SourceRange range,
                        std::string message) {
  Diagnostic diagnostic;
  diagnostic.code = std::string(code);
  diagnostic.range = range;
  diagnostic.message = std::move(message);
  Add(std::move(diagnostic));
}

void Diagnostics::Warning(absl::string_view code, SourceRange range,
                          std::string message) {
  Diagnostic diagnostic;
  diagnostic.severity = Severity::kWarning;
  diagnostic.code = std::string(code);
  diagnostic.range = range;
  diagnostic.message = std::move(message);
  Add(std::move(diagnostic));
}

void Diagnostics::Sort() {
  std::stable_sort(all_.begin(), all_.end(),
                   [](const Diagnostic& a, const Diagnostic& b) {
                     uint32_t left = a.range ? a.range->begin : 0;
                     uint32_t right = b.range ? b.range->begin : 0;
                     return left < right;
                   });
  // Two stages of the program may find the same mistake.
  auto same = [](const Diagnostic& a, const Diagnostic& b) {
    return a.code == b.code && a.range == b.range && a.message == b.message;
  };
  all_.erase(std::unique(all_.begin(), all_.end(), same), all_.end());
}

std::string Render(const Diagnostics& diagnostics, const SourceFile& source,
                   const RenderOptions& options) {
  if (options.format == ErrorFormat::kSarif) {
    return RenderSarif({{diagnostics, source}}, options.version);
  }
  std::string out;
  size_t shown = 0;
  for (const Diagnostic& diagnostic : diagnostics.all()) {
    if (options.format == ErrorFormat::kJson) {
      out += RenderJson(diagnostic, source);
      continue;
    }
    if (shown == options.max_errors) {
      absl::StrAppend(&out, "… and ", diagnostics.all().size() - shown,
                      " more\n");
      break;
    }
    out += RenderOne(diagnostic, source, options);
    ++shown;
  }
  return out;
}

}  // namespace lamina
