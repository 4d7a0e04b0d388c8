#include "backend/waste.h"

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace lamina::backend {
namespace {

using ir::Entry;
using ir::EntryType;

Entry File(const std::string& path, uint64_t size, const std::string& content,
           uint32_t mode = 0644) {
  Entry entry = {.path = path, .mode = mode, .size = size};
  entry.digest = content.empty() ? Digest() : Sha256(content);
  return entry;
}
Entry Of(EntryType type, const std::string& path,
         const std::string& link = "") {
  return {.path = path, .type = type, .mode = 0755, .link = link};
}
Entry Folder(const std::string& path) {
  return Of(EntryType::kDirectory, path);
}
Entry Gone(const std::string& path) { return Of(EntryType::kWhiteout, path); }

struct Step {
  std::string instruction;
  std::vector<Entry> entries;
  bool own = true;
};

WasteReport Find(const std::vector<Step>& steps) {
  std::vector<ir::StepDiff> diffs;
  for (const Step& step : steps) {
    diffs.push_back({step.entries});
    ir::SortEntries(diffs.back());
  }
  std::vector<WasteLayer> layers;
  for (size_t i = 0; i < steps.size(); ++i) {
    layers.push_back({&diffs[i], steps[i].instruction, steps[i].own});
  }
  return FindWaste(layers);
}

// "1>2 deleted 30 in 2 files"
std::string Rows(const WasteReport& report) {
  std::vector<std::string> lines;
  for (const Waste& row : report.rows) {
    lines.push_back(absl::StrCat(row.layer, ">", row.guilty, " ",
                                 WasteCauseName(row.cause), " ", row.bytes,
                                 " in ", row.count));
  }
  return absl::StrJoin(lines, "|");
}

TEST(Waste, FindsWhatNobodySees) {
  const struct {
    const char* title;
    std::vector<Step> steps;
    const char* rows;
  } kCases[] = {
      {"nothing", {{"a", {File("f", 5, "x")}}}, ""},
      {"deleted, with all below it",
       {{"a", {Folder("d"), File("d/f", 5, "x"), File("d/g", 7, "y")}},
        {"b", {Gone("d")}}},
       "0>1 deleted 12 in 2"},
      {"deleted by an opaque marker",
       {{"a", {Folder("d"), File("d/f", 5, "x")}},
        {"b", {Of(EntryType::kOpaque, "d"), Folder("d")}}},
       "0>1 deleted 5 in 1"},
      {"an opaque marker and the same file again is no deletion",
       {{"a", {Folder("d"), File("d/f", 5, "x")}},
        {"b", {Of(EntryType::kOpaque, "d"), Folder("d"), File("d/f", 6, "y")}}},
       "0>1 overwritten 5 in 1"},
      {"overwritten",
       {{"a", {File("f", 5, "x")}}, {"b", {File("f", 9, "y")}}},
       "0>1 overwritten 5 in 1"},
      {"another mode only",
       {{"a", {File("f", 5, "x")}}, {"b", {File("f", 5, "x", 0755)}}},
       "0>1 metadata 5 in 1"},
      {"exactly the same again is written twice",
       {{"a", {File("f", 5, "x")}}, {"b", {File("f", 5, "x")}}},
       "0>1 overwritten 5 in 1"},
      {"unknown contents are different ones",
       {{"a", {File("f", 5, "")}}, {"b", {File("f", 5, "", 0755)}}},
       "0>1 overwritten 5 in 1"},
      {"a folder becomes a file",
       {{"a", {Folder("d"), File("d/f", 5, "x")}}, {"b", {File("d", 1, "y")}}},
       "0>1 deleted 5 in 1"},
      {"a file becomes a symlink",
       {{"a", {File("f", 5, "x")}}, {"b", {Of(EntryType::kSymlink, "f", "g")}}},
       "0>1 overwritten 5 in 1"},
      {"a file becomes a folder",
       {{"a", {File("f", 5, "x")}}, {"b", {Folder("f"), File("f/g", 3, "y")}}},
       "0>1 overwritten 5 in 1"},
      {"a folder over a folder kills nothing",
       {{"a", {Folder("d"), File("d/f", 5, "x")}}, {"b", {Folder("d")}}},
       ""},
      {"bytes live as long as one name",
       {{"a", {File("f", 5, "x"), Of(EntryType::kHardLink, "g", "f")}},
        {"b", {Gone("f")}}},
       ""},
      {"and die with the last",
       {{"a", {File("f", 5, "x"), Of(EntryType::kHardLink, "g", "f")}},
        {"b", {Gone("f")}},
        {"c", {Gone("g")}}},
       "0>2 deleted 5 in 1"},
      {"a group that is only re-moded",
       {{"a", {File("f", 5, "x"), Of(EntryType::kHardLink, "g", "f")}},
        {"b", {File("f", 5, "x", 0755), Of(EntryType::kHardLink, "g", "f")}}},
       "0>1 metadata 5 in 1"},
      {"each layer for itself, the most bytes first",
       {{"a", {File("f", 5, "x")}},
        {"b", {File("f", 50, "y")}},
        {"c", {Gone("f")}}},
       "1>2 deleted 50 in 1|0>1 overwritten 5 in 1"},
      {"through symlinks of lower layers",
       {{"a",
         {Folder("d"), File("d/f", 5, "x"), File("d/g", 7, "y"),
          Of(EntryType::kSymlink, "l", "d")}},
        {"b", {Gone("l/f"), File("l/g", 8, "z")}}},
       "0>1 overwritten 7 in 1|0>1 deleted 5 in 1"},
      {"empty files are no waste",
       {{"a", {File("f", 0, "x")}}, {"b", {Gone("f")}}},
       ""},
  };
  for (const auto& test : kCases) {
    EXPECT_EQ(Rows(Find(test.steps)), test.rows) << test.title;
  }
}

TEST(Waste, SaysWhatToWriteInstead) {
  const std::string apt = "RUN /bin/sh -c apt-get update && apt-get install x";
  const struct {
    std::string writer, guilty;
    std::vector<Entry> written, after;
    const char* advice;
  } kCases[] = {
      {apt,
       "RUN rm -rf /var/lib/apt/lists/*",
       {File("var/lib/apt/lists/x", 9, "l")},
       {Gone("var/lib/apt/lists/x")},
       "delete it in the RUN that writes it, or use RUN "
       "--mount=type=cache,target=/var/lib/apt/lists"},
      {"RUN pip install x",
       "RUN rm -rf /root/.cache",
       {File("root/.cache/pip/http/a", 9, "l")},
       {Gone("root/.cache")},
       "delete it in the RUN that writes it, or use RUN "
       "--mount=type=cache,target=/root/.cache/pip"},
      {"RUN go build",
       "RUN rm -rf /root/.cache",
       {File("root/.cache/go-build/00/a", 9, "l")},
       {Gone("root")},
       "delete it in the RUN that writes it, or use RUN "
       "--mount=type=cache,target=/root/.cache/go-build"},
      {"COPY app.tgz / # buildkit",
       "RUN tar xf app.tgz && rm app.tgz",
       {File("app.tgz", 9, "l")},
       {Gone("app.tgz")},
       "let ADD unpack the archive, or show it to the RUN that unpacks it with "
       "--mount=type=bind"},
      {"RUN curl -O https://x/app.zip",
       "RUN rm app.zip",
       {File("app.zip", 9, "l")},
       {Gone("app.zip")},
       "download, unpack and delete the archive in one RUN, or let ADD fetch "
       "it in another stage"},
      {apt,
       "RUN apt-get purge -y gcc",
       {File("usr/bin/gcc", 9, "l")},
       {Gone("usr/bin/gcc")},
       "build in a stage of its own and COPY --from=STAGE the result, or "
       "install and remove the build tools in one RUN"},
      {"RUN make",
       "RUN mv /a /b",
       {File("a", 9, "l")},
       {Gone("a"), File("b", 9, "l")},
       "write the files where they belong: moving them in a later instruction "
       "stores them twice"},
      {"COPY a / # buildkit",
       "RUN rm /a",
       {File("a", 9, "l")},
       {Gone("a")},
       "leave the files out of the COPY, or show them to the RUN that needs "
       "them with --mount=type=bind"},
      {"RUN make",
       "RUN rm /a",
       {File("a", 9, "l")},
       {Gone("a")},
       "delete the files in the RUN that writes them, or write them in another "
       "stage"},
      {"COPY a / # buildkit",
       "RUN chmod +x /a",
       {File("a", 9, "l")},
       {File("a", 9, "l", 0755)},
       "use COPY --chmod instead of changing the files afterwards"},
      {"/bin/sh -c #(nop) COPY file:1 in /a",
       "RUN chown -R app /a",
       {File("a", 9, "l")},
       {File("a", 9, "l", 0755)},
       "use COPY --chown instead of changing the files afterwards"},
      {"RUN make",
       "RUN chmod +x /a",
       {File("a", 9, "l")},
       {File("a", 9, "l", 0755)},
       "run chmod in the RUN that writes the files"},
      {"COPY a /",
       "COPY --chmod=0755 a /",
       {File("a", 9, "l")},
       {File("a", 9, "l", 0755)},
       "copy the files once, with their final owner and mode"},
      {"COPY a /",
       "COPY b /",
       {File("a", 9, "l")},
       {File("a", 9, "m")},
       "copy the files once: leave them out of the first COPY"},
      {"RUN make",
       "RUN make again",
       {File("a", 9, "l")},
       {File("a", 9, "m")},
       "write the files once: join the two instructions, or leave out the "
       "first version"},
  };
  for (const auto& test : kCases) {
    const WasteReport report =
        Find({{test.writer, test.written}, {test.guilty, test.after}});
    ASSERT_EQ(report.rows.size(), 1u) << test.guilty;
    EXPECT_EQ(report.rows[0].advice, test.advice) << test.guilty;
  }
  const WasteReport base = Find(
      {{"FROM", {File("a", 9, "l")}, false}, {"RUN rm /a", {Gone("a")}, true}});
  EXPECT_EQ(base.rows[0].advice,
            "the base has these files, and deleting does not make it smaller: "
            "choose a smaller base, or delete them where it is built");
}

TEST(Waste, CountsBytesByLayer) {
  const WasteReport report =
      Find({{"a", {File("f", 60, "x"), File("g", 40, "y")}, false},
            {"b", {File("f", 50, "z"), File("h", 50, "w")}, true},
            {"c", {Gone("h")}, true}});
  EXPECT_DOUBLE_EQ(LiveShare(report, {true, true, true}), 0.45);
  EXPECT_DOUBLE_EQ(LiveShare(report, {false, true, true}), 0.5);
  EXPECT_DOUBLE_EQ(LiveShare(report, {false, false, true}), 1);
  const std::vector<WasteRow> rows = WasteRows(report, {0, 3, 4});
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0].step, 0);
  EXPECT_EQ(rows[0].guilty, 3);
  EXPECT_EQ(rows[0].cause, "overwritten");
  EXPECT_EQ(rows[0].bytes, 60u);
  EXPECT_EQ(rows[1].step, 3);
  EXPECT_EQ(rows[1].guilty, 4);
}

TEST(Waste, ListsTheLargestPaths) {
  std::vector<Entry> files;
  for (int i = 1; i <= 8; ++i) {
    files.push_back(File(absl::StrCat("f", i), 10 * (i % 5), absl::StrCat(i)));
  }
  std::vector<Entry> gone;
  for (int i = 1; i <= 8; ++i) {
    gone.push_back(Gone(absl::StrCat("f", i)));
  }
  const WasteReport report = Find({{"a", files}, {"b", gone}});
  std::vector<std::string> lines;
  for (const Waste::Path& path : report.rows[0].largest) {
    lines.push_back(absl::StrCat(path.path, " ", path.bytes));
  }
  EXPECT_EQ(absl::StrJoin(lines, "|"), "f4 40|f3 30|f8 30|f2 20|f7 20");
  EXPECT_EQ(report.rows[0].count, 7u);
}

}  // namespace
}  // namespace lamina::backend
