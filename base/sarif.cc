#include "base/sarif.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "base/json.h"

namespace lamina {
namespace {

constexpr absl::string_view kSchema =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/"
    "sarif-schema-2.1.0.json";

absl::string_view Level(Severity severity) {
  return severity == Severity::kInfo ? "note" : SeverityName(severity);
}

// RFC 3986: what is not unreserved is written %XX; `/` parts the path.
std::string FileUri(absl::string_view path) {
  std::string uri = absl::StartsWith(path, "/") ? "file://" : "";
  for (char c : path) {
    if (absl::ascii_isalnum(c) || absl::StrContains("-._~/", {&c, 1})) {
      uri += c;
    } else {
      absl::StrAppendFormat(&uri, "%%%02X", static_cast<unsigned char>(c));
    }
  }
  return uri;
}

Json Text(std::string text) {
  Json json = Json::Object();
  json.Set("text", std::move(text));
  return json;
}

// A range that ends with its line ends there, not on the next one.
Json Region(const SourceFile& source, SourceRange range) {
  absl::string_view text = source.text();
  while (range.end > range.begin &&
         (range.end > text.size() || text[range.end - 1] == '\n')) {
    --range.end;
  }
  SourcePosition begin = source.Position(range.begin);
  SourcePosition end = source.Position(range.end);
  Json region = Json::Object();
  region.Set("startLine", int64_t{begin.line});
  region.Set("startColumn", int64_t{begin.column});
  region.Set("endLine", int64_t{end.line});
  region.Set("endColumn", int64_t{end.column});
  return region;
}

Json Artifact(const SourceFile& source) {
  Json artifact = Json::Object();
  artifact.Set("uri", FileUri(source.name()));
  return artifact;
}

Json Location(const SourceFile& source,
              const std::optional<SourceRange>& range) {
  Json physical = Json::Object();
  physical.Set("artifactLocation", Artifact(source));
  if (range.has_value()) {
    physical.Set("region", Region(source, *range));
  }
  Json location = Json::Object();
  location.Set("physicalLocation", std::move(physical));
  return location;
}

Json Notes(const Diagnostic& diagnostic, const SourceFile& source) {
  Json notes = Json::Array();
  for (const Note& note : diagnostic.notes) {
    Json location = Location(source, note.range);
    location.Set("message", Text(note.message));
    notes.Append(std::move(location));
  }
  return notes;
}

Json Fixes(const Fix& fix, const SourceFile& source) {
  Json replacements = Json::Array();
  for (const Edit& edit : fix.edits) {
    Json replacement = Json::Object();
    replacement.Set("deletedRegion", Region(source, edit.range));
    replacement.Set("insertedContent", Text(edit.text));
    replacements.Append(std::move(replacement));
  }
  Json change = Json::Object();
  change.Set("artifactLocation", Artifact(source));
  change.Set("replacements", std::move(replacements));
  Json changes = Json::Array();
  changes.Append(std::move(change));
  Json one = Json::Object();
  one.Set("description", Text(fix.title));
  one.Set("artifactChanges", std::move(changes));
  Json fixes = Json::Array();
  fixes.Append(std::move(one));
  return fixes;
}

Json Result(const Diagnostic& diagnostic, const SourceFile& source,
            int64_t rule) {
  Json result = Json::Object();
  result.Set("ruleId", diagnostic.code);
  result.Set("ruleIndex", rule);
  result.Set("level", std::string(Level(diagnostic.severity)));
  result.Set("message", Text(diagnostic.message));
  Json locations = Json::Array();
  locations.Append(Location(source, diagnostic.range));
  result.Set("locations", std::move(locations));
  if (!diagnostic.notes.empty()) {
    result.Set("relatedLocations", Notes(diagnostic, source));
  }
  if (diagnostic.fix.has_value()) {
    result.Set("fixes", Fixes(*diagnostic.fix, source));
  }
  return result;
}

// A rule for each code, in the order of the codes.
using Rules = std::map<std::string, Severity>;

Rules FindRules(const std::vector<FileDiagnostics>& files) {
  Rules rules;
  for (const FileDiagnostics& file : files) {
    for (const Diagnostic& diagnostic : file.diagnostics.all()) {
      auto [rule, added] = rules.emplace(diagnostic.code, diagnostic.severity);
      rule->second = std::min(rule->second, diagnostic.severity);
    }
  }
  return rules;
}

Json Tool(const Rules& rules, absl::string_view version) {
  Json list = Json::Array();
  for (const auto& [code, severity] : rules) {
    Json configuration = Json::Object();
    configuration.Set("level", std::string(Level(severity)));
    Json rule = Json::Object();
    rule.Set("id", code);
    rule.Set("shortDescription", Text(absl::StrReplaceAll(code, {{"-", " "}})));
    rule.Set("defaultConfiguration", std::move(configuration));
    list.Append(std::move(rule));
  }
  Json driver = Json::Object();
  driver.Set("name", "lamina");
  if (!version.empty()) {
    driver.Set("version", std::string(version));
  }
  driver.Set("rules", std::move(list));
  Json tool = Json::Object();
  tool.Set("driver", std::move(driver));
  return tool;
}

}  // namespace

std::string RenderSarif(const std::vector<FileDiagnostics>& files,
                        absl::string_view version) {
  Rules rules = FindRules(files);
  Json artifacts = Json::Array();
  Json results = Json::Array();
  for (const FileDiagnostics& file : files) {
    Json artifact = Json::Object();
    artifact.Set("location", Artifact(file.source));
    artifacts.Append(std::move(artifact));
    for (const Diagnostic& diagnostic : file.diagnostics.all()) {
      int64_t rule = std::distance(rules.begin(), rules.find(diagnostic.code));
      results.Append(Result(diagnostic, file.source, rule));
    }
  }
  Json run = Json::Object();
  run.Set("tool", Tool(rules, version));
  run.Set("columnKind", "unicodeCodePoints");
  run.Set("artifacts", std::move(artifacts));
  run.Set("results", std::move(results));
  Json runs = Json::Array();
  runs.Append(std::move(run));
  Json log = Json::Object();
  log.Set("$schema", std::string(kSchema));
  log.Set("version", "2.1.0");
  log.Set("runs", std::move(runs));
  return absl::StrCat(PrintJson(log), "\n");
}

}  // namespace lamina
