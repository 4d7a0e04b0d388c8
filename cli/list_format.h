// Lists as docker prints them: a table, JSON, or a template a row.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "cli/command.h"

namespace lamina::cli {

inline constexpr Flag kListFormatFlag = {
    .name = "format",
    .value = "FORMAT",
    .help = "table, json, jsonl, or a template such as '{{.ID}}'",
};

struct Column {
  absl::string_view field;   // "Repository": for templates and JSON.
  absl::string_view header;  // "REPOSITORY"; empty: not in the table.
};

// Every row has one text a column, shown as it is: shortening is the caller's.
struct List {
  std::string name;  // Of the list in JSON: "images".
  std::vector<Column> columns;
  std::vector<std::vector<std::string>> rows;
};

// `format` is "" or "table", "table TEMPLATE", "json" (one document), "jsonl"
// (an object a line) or a template for each row. Control characters in a table
// are escaped.
absl::StatusOr<std::string> FormatList(const List& list,
                                       absl::string_view format);

// "5 minutes ago": docker's words for a time that lies `seconds` back.
std::string HumanAge(int64_t seconds);
// "5 minutes", "About an hour".
std::string HumanDuration(int64_t seconds);

}  // namespace lamina::cli
