// Traces for tests: the shared fixtures, and small ones written by hand.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/files.h"
#include "base/json.h"
#include "gtest/gtest.h"
#include "ir/layout/trace.h"

namespace lamina::ir {

inline std::string FixturePath(const std::string& name) {
  return absl::StrCat("../shared/data/optimiser/", name);
}

// Skips the test, saying so, on a machine without the fixtures.
#define SKIP_WITHOUT_FIXTURES()                           \
  if (!FileExists(FixturePath("README.md"))) {            \
    GTEST_SKIP() << "no fixtures in " << FixturePath(""); \
  }

inline std::string ReadFixture(const std::string& name) {
  absl::StatusOr<std::string> text = ReadFile(FixturePath(name));
  EXPECT_TRUE(text.ok()) << text.status();
  return text.value_or("");
}

inline std::vector<Json> ReadJsonLines(const std::string& name) {
  std::vector<Json> records;
  for (absl::string_view line :
       absl::StrSplit(ReadFixture(name), '\n', absl::SkipEmpty())) {
    absl::StatusOr<Json> record = ParseJson(line);
    EXPECT_TRUE(record.ok()) << name << ": " << record.status();
    records.push_back(record.value_or(Json()));
  }
  return records;
}

// A trace and what is expected of it.
struct TraceCase {
  Trace trace;
  Json expected;
};

inline std::vector<Trace> ReadTraces(const std::string& name) {
  absl::StatusOr<std::vector<Trace>> traces = ParseTraces(ReadFixture(name));
  EXPECT_TRUE(traces.ok()) << name << ": " << traces.status();
  return traces.value_or(std::vector<Trace>());
}

// All traces that have expectations: histories, cases, the worked example.
inline std::vector<TraceCase> ReadTraceCases() {
  std::vector<TraceCase> cases;
  for (const char* name : {"histories", "cases"}) {
    std::vector<Trace> traces = ReadTraces(absl::StrCat(name, ".trace.jsonl"));
    std::vector<Json> expected =
        ReadJsonLines(absl::StrCat(name, ".expected.jsonl"));
    EXPECT_EQ(traces.size(), expected.size());
    for (size_t at = 0; at < traces.size() && at < expected.size(); ++at) {
      EXPECT_EQ(traces[at].name, expected[at]["name"].string());
      cases.push_back({traces[at], expected[at]});
    }
  }
  std::vector<Trace> example = ReadTraces("worked_example.trace.jsonl");
  absl::StatusOr<Json> expected =
      ParseJson(ReadFixture("worked_example.expected.json"));
  EXPECT_TRUE(expected.ok() && example.size() == 1);
  cases.push_back({example.at(0), expected.value_or(Json())});
  return cases;
}

inline PathState FileState(const std::string& digest, uint64_t size,
                           uint32_t mode = 0644) {
  return {.mode = mode, .body = digest, .size = size};
}

inline PathState FolderState() {
  return {.type = EntryType::kDirectory, .mode = 0755};
}

inline PathState LinkedState(const std::string& inode, uint64_t size) {
  return {.mode = 0644, .body = inode, .link = inode, .size = size};
}

// A trace from the events of its steps, without a base.
inline Trace MakeTrace(const std::vector<std::vector<PathEvent>>& steps) {
  Trace trace;
  trace.name = "test";
  for (const std::vector<PathEvent>& events : steps) {
    int number = static_cast<int>(trace.steps.size()) + 1;
    trace.steps.push_back({.kind = "RUN",
                           .line = number,
                           .text = absl::StrCat("RUN step ", number),
                           .events = events});
  }
  return trace;
}

}  // namespace lamina::ir
