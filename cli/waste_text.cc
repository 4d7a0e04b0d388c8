#include "cli/waste_text.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "base/text.h"
#include "cli/image_text.h"

namespace lamina::cli {
namespace {

constexpr size_t kInstructionWidth = 70;

struct Totals {
  uint64_t stored = 0;
  uint64_t dead = 0;
};

Totals Sum(const backend::ImageWaste& waste) {
  Totals totals;
  for (const backend::WasteReport::LayerBytes& layer : waste.report.layers) {
    totals.stored += layer.stored;
    totals.dead += layer.dead;
  }
  return totals;
}

double AllShare(const backend::ImageWaste& waste) {
  return LiveShare(waste.report, std::vector<bool>(waste.own.size(), true));
}

bool HasBoth(const backend::ImageWaste& waste) {
  return std::count(waste.own.begin(), waste.own.end(), true) > 0 &&
         std::count(waste.own.begin(), waste.own.end(), false) > 0;
}

// "layer 2  RUN make", one line.
std::string LayerName(const backend::ImageWaste& waste, size_t layer) {
  const std::string& by = waste.instructions[layer];
  return absl::StrCat("layer ", layer + 1, by.empty() ? "" : "  ",
                      Ellipsis(EscapeControls(absl::StrReplaceAll(
                                   by, {{"\t", " "}, {"\n", " "}})),
                               kInstructionWidth));
}

absl::string_view Happened(backend::WasteCause cause) {
  return cause == backend::WasteCause::kMetadata
             ? "written again, only metadata changed"
             : WasteCauseName(cause);
}

}  // namespace

std::string WasteText(absl::string_view name,
                      const backend::ImageWaste& waste) {
  const Totals totals = Sum(waste);
  std::string text = absl::StrFormat(
      "%s: %s of files in %s, %s of them dead: %.1f %% live", name,
      HumanSize(totals.stored), Counted(waste.own.size(), "layer"),
      HumanSize(totals.dead), 100 * AllShare(waste));
  if (HasBoth(waste)) {
    absl::StrAppendFormat(&text, " (built here: %.1f %%)",
                          100 * LiveShare(waste.report, waste.own));
  }
  absl::StrAppend(&text, "\n");
  for (const backend::Waste& row : waste.report.rows) {
    absl::StrAppend(&text, "\n", HumanSize(row.bytes), " ", Happened(row.cause),
                    ", ", Counted(row.count, "file"), "\n");
    absl::StrAppend(&text, "  written by  ", LayerName(waste, row.layer), "\n");
    absl::StrAppend(&text, "  dead since  ", LayerName(waste, row.guilty),
                    "\n");
    for (const backend::Waste::Path& path : row.largest) {
      absl::StrAppend(&text, "  ", HumanSize(path.bytes), "  /",
                      EscapeControls(path.path), "\n");
    }
    absl::StrAppend(&text, "  instead: ", row.advice, "\n");
  }
  return text;
}

List WasteList(const backend::ImageWaste& waste) {
  List list = {.name = "waste",
               .columns = {{"Layer", "LAYER"},
                           {"Guilty", "DEAD SINCE"},
                           {"Cause", "CAUSE"},
                           {"Size", "SIZE"},
                           {"Bytes", ""},
                           {"Files", "FILES"},
                           {"WrittenBy", ""},
                           {"DeadBy", ""},
                           {"Largest", "LARGEST"},
                           {"Advice", "INSTEAD"}}};
  for (const backend::Waste& row : waste.report.rows) {
    list.rows.push_back({
        absl::StrCat(row.layer + 1),
        absl::StrCat(row.guilty + 1),
        std::string(WasteCauseName(row.cause)),
        HumanSize(row.bytes),
        absl::StrCat(row.bytes),
        absl::StrCat(row.count),
        waste.instructions[row.layer],
        waste.instructions[row.guilty],
        absl::StrCat("/", row.largest[0].path),
        row.advice,
    });
  }
  return list;
}

Json WasteJson(const backend::ImageWaste& waste) {
  const Totals totals = Sum(waste);
  Json rows = Json::Array();
  for (const backend::Waste& row : waste.report.rows) {
    Json largest = Json::Array();
    for (const backend::Waste::Path& path : row.largest) {
      Json file = Json::Object();
      file.Set("Path", absl::StrCat("/", path.path));
      file.Set("Bytes", static_cast<int64_t>(path.bytes));
      largest.Append(std::move(file));
    }
    Json object = Json::Object();
    object.Set("Layer", static_cast<int64_t>(row.layer + 1));
    object.Set("WrittenBy", waste.instructions[row.layer]);
    object.Set("Guilty", static_cast<int64_t>(row.guilty + 1));
    object.Set("DeadBy", waste.instructions[row.guilty]);
    object.Set("Cause", std::string(WasteCauseName(row.cause)));
    object.Set("Bytes", static_cast<int64_t>(row.bytes));
    object.Set("Files", static_cast<int64_t>(row.count));
    object.Set("Largest", std::move(largest));
    object.Set("Advice", row.advice);
    rows.Append(std::move(object));
  }
  Json layers = Json::Array();
  for (size_t i = 0; i < waste.own.size(); ++i) {
    const backend::WasteReport::LayerBytes& bytes = waste.report.layers[i];
    Json object = Json::Object();
    object.Set("Bytes", static_cast<int64_t>(bytes.stored));
    object.Set("DeadBytes", static_cast<int64_t>(bytes.dead));
    object.Set("CreatedBy", waste.instructions[i]);
    object.Set("BuiltHere", static_cast<bool>(waste.own[i]));
    layers.Append(std::move(object));
  }
  Json json = Json::Object();
  json.Set("Bytes", static_cast<int64_t>(totals.stored));
  json.Set("DeadBytes", static_cast<int64_t>(totals.dead));
  json.Set("LiveShare", AllShare(waste));
  json.Set("LiveShareBuiltHere", LiveShare(waste.report, waste.own));
  json.Set("Layers", std::move(layers));
  json.Set("Rows", std::move(rows));
  return json;
}

}  // namespace lamina::cli
