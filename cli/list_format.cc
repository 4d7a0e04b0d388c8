#include "cli/list_format.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/json.h"
#include "base/status.h"
#include "base/text.h"
#include "cli/template.h"

namespace lamina::cli {
namespace {

using Cells = std::vector<std::vector<std::string>>;

// Columns as wide as their widest cell and three blanks, as docker's.
std::string Align(const Cells& rows) {
  std::vector<size_t> widths;
  for (const std::vector<std::string>& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t i = 0; i < row.size(); ++i) {
      widths[i] = std::max(widths[i], DisplayWidth(row[i]));
    }
  }
  std::string text;
  for (const std::vector<std::string>& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) {
      text += row[i];
      if (i + 1 < row.size()) {
        text.append(widths[i] + 3 - DisplayWidth(row[i]), ' ');
      }
    }
    text += '\n';
  }
  return text;
}

std::string Table(const List& list) {
  Cells rows(1);
  for (const Column& column : list.columns) {
    if (!column.header.empty()) {
      rows[0].emplace_back(column.header);
    }
  }
  for (const std::vector<std::string>& row : list.rows) {
    std::vector<std::string> cells;
    for (size_t i = 0; i < row.size(); ++i) {
      if (!list.columns[i].header.empty()) {
        cells.push_back(EscapeControls(row[i]));
      }
    }
    rows.push_back(std::move(cells));
  }
  return Align(rows);
}

Json RowObject(const List& list, const std::vector<std::string>& row) {
  Json object = Json::Object();
  for (size_t i = 0; i < row.size(); ++i) {
    object.Set(list.columns[i].field, row[i]);
  }
  return object;
}

// The headers of a "table TEMPLATE", and then its rows.
absl::StatusOr<std::string> TemplateTable(const List& list,
                                          absl::string_view format) {
  Json headers = Json::Object();
  for (const Column& column : list.columns) {
    headers.Set(
        column.field,
        std::string(column.header.empty() ? column.field : column.header));
  }
  std::vector<Json> objects = {headers};
  for (const std::vector<std::string>& row : list.rows) {
    objects.push_back(RowObject(list, row));
  }
  Cells rows;
  for (const Json& object : objects) {
    ASSIGN_OR_RETURN(std::string line, ExpandTemplate(format, object));
    std::vector<std::string> cells;
    for (absl::string_view cell : absl::StrSplit(line, '\t')) {
      cells.push_back(EscapeControls(cell));
    }
    rows.push_back(std::move(cells));
  }
  return Align(rows);
}

std::string Document(const List& list) {
  Json rows = Json::Array();
  for (const std::vector<std::string>& row : list.rows) {
    rows.Append(RowObject(list, row));
  }
  Json document = Json::Object();
  document.Set("version", int64_t{1});
  document.Set(list.name, std::move(rows));
  return PrintJson(document) + "\n";
}

}  // namespace

absl::StatusOr<std::string> FormatList(const List& list,
                                       absl::string_view format) {
  if (format.empty() || format == "table") {
    return Table(list);
  }
  if (absl::StartsWith(format, "table ")) {
    return TemplateTable(list, format.substr(6));
  }
  if (format == "json") {
    return Document(list);
  }
  if (format != "jsonl" && !absl::StrContains(format, "{{")) {
    return UsageError(absl::StrCat("`", format, "` is no format; there are ",
                                   "table, json, jsonl and templates"));
  }
  std::string text;
  for (const std::vector<std::string>& row : list.rows) {
    const Json object = RowObject(list, row);
    if (format == "jsonl") {
      absl::StrAppend(&text, PrintJson(object), "\n");
      continue;
    }
    ASSIGN_OR_RETURN(std::string line, ExpandTemplate(format, object));
    absl::StrAppend(&text, line, "\n");
  }
  return text;
}

// go-units, HumanDuration: the words docker uses.
std::string HumanDuration(int64_t seconds) {
  const int64_t minutes = seconds / 60;
  const int64_t hours = (minutes + 30) / 60;
  if (seconds < 1) {
    return "Less than a second";
  }
  if (seconds == 1) {
    return "1 second";
  }
  if (seconds < 60) {
    return absl::StrCat(seconds, " seconds");
  }
  if (minutes == 1) {
    return "About a minute";
  }
  if (minutes < 60) {
    return absl::StrCat(minutes, " minutes");
  }
  if (hours == 1) {
    return "About an hour";
  }
  if (hours < 48) {
    return absl::StrCat(hours, " hours");
  }
  if (hours < 24 * 7 * 2) {
    return absl::StrCat(hours / 24, " days");
  }
  if (hours < 24 * 30 * 2) {
    return absl::StrCat(hours / 24 / 7, " weeks");
  }
  if (hours < 24 * 365 * 2) {
    return absl::StrCat(hours / 24 / 30, " months");
  }
  return absl::StrCat(hours / 24 / 365, " years");
}

std::string HumanAge(int64_t seconds) {
  return absl::StrCat(HumanDuration(seconds), " ago");
}

}  // namespace lamina::cli
