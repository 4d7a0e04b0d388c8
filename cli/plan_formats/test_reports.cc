#include "cli/plan_formats/test_reports.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace lamina::cli {
namespace {

using backend::Estimate;
using backend::PlanReport;
using backend::ReportDecision;
using backend::ReportLayer;
using backend::ReportState;
using backend::ReportStep;

constexpr double kMiB = 1 << 20;

Estimate Guess(double mean, std::string source) {
  return {.mean = mean,
          .low = mean * 0.875,
          .high = mean * 1.25,
          .source = std::move(source)};
}
Estimate Exact(double value, std::string source) {
  return {.mean = value,
          .low = value,
          .high = value,
          .exact = true,
          .source = std::move(source)};
}

// A step on the step before it, of the one stage.
ReportStep Step(int number, std::string kind, std::string text, int layer) {
  ReportStep step = {.number = number,
                     .kind = std::move(kind),
                     .text = std::move(text),
                     .file = "Dockerfile",
                     .line = number + 1,
                     .column = 1,
                     .end_line = number + 1,
                     .end_column = 20,
                     .layer = layer};
  if (number > 1) {
    step.inputs = {number - 1};
  }
  return step;
}

void AddFits(PlanReport& report) {
  report.fits = {{"docker", 125, true, ""},
                 {"podman", 480, true, ""},
                 {"containerd", 400, true, "EROFS about 100 ok"},
                 {"Sysbox", 64, report.chosen_layers < 64, ""}};
}

ReportStep Run(ReportStep step, std::string code, std::string reason,
               double bytes, double seconds) {
  step.state = ReportState::kRun;
  step.reason_code = std::move(code);
  step.reason = std::move(reason);
  step.bytes = Guess(bytes, "last 3 builds");
  step.seconds = Guess(seconds, "last 3 builds");
  return step;
}

ReportStep Cached(ReportStep step, double bytes) {
  step.state = ReportState::kCached;
  step.bytes = Exact(bytes, "recorded");
  step.key = absl::StrCat("sha256:", std::string(60, 'a'), 1000 + step.number);
  return step;
}

ReportStep In(ReportStep step, std::string stage, int line,
              std::vector<int> inputs) {
  step.stage = std::move(stage);
  step.line = step.end_line = line;
  step.inputs = std::move(inputs);
  return step;
}

}  // namespace

PlanReport SimpleReport() {
  PlanReport report = {.file = "Dockerfile",
                       .digest = "sha256:" + std::string(64, 'd'),
                       .platform = "linux/amd64",
                       .level = "O1",
                       .lock = "none"};
  report.stages = {{"", "debian:12", "cached"}};
  const std::string parent = "parent changed";
  report.steps = {
      Cached(
          Step(1, "run", "RUN apt-get update && apt-get install -y python3", 0),
          130 * kMiB),
      Run(Step(2, "copy", "COPY requirements.txt /R", 1), "input-changed",
          "input changed: requirements.txt", 1024, 0.01),
      Run(Step(3, "run", "RUN pip install -r /R", 1), "parent-changed", parent,
          199 * kMiB, 41),
      Run(Step(4, "run", "RUN rm -rf /L /C", 1), "parent-changed", parent, 512,
          0.1),
      Run(Step(5, "copy", "COPY src /S", 2), "parent-changed", parent, 5 * kMiB,
          0.2),
      Run(Step(6, "run", "RUN chmod -R 755 /S", 2), "parent-changed", parent,
          5 * kMiB, 0.1)};
  report.steps[0].base_inputs = {"debian:12"};
  report.steps[0].network = {"RUN may reach the network"};
  report.steps[1].bytes = Exact(1024, "context");
  report.steps[1].base_inputs = {"context"};
  for (int i = 2; i < 6; ++i) {
    report.steps[i].reason_step = i;
  }
  report.before = report.steps;
  for (ReportStep& step : report.before) {
    step.became = step.number;
    step.layer = step.number - 1;
  }
  report.layers = {{{1},
                    "1 RUN apt-get update && apt-get install -y python3",
                    Exact(130 * kMiB, "recorded"),
                    31457280,
                    0.1,
                    "changes with apt only"},
                   {{2, 3, 4},
                    "2 COPY requirements.txt /R … 4 RUN rm -rf /L /C",
                    Guess(200 * kMiB, "last 3 builds"),
                    0,
                    0.2,
                    "same change rate"},
                   {{5, 6},
                    "5 COPY src /S, 6 RUN chmod -R 755 /S",
                    Guess(5 * kMiB, "context"),
                    0,
                    0.8,
                    "source"}};
  report.decisions = {
      {1, 2, true, "saves",
       "keeps 30.0 MiB that step 4 deletes (Dockerfile:5), still saves "
       "27.9 MiB: pip changes without apt",
       29255270},
      {2, 3, false, "too-small",
       "a cut costs one layer (64 KiB) and saves 1 KiB per update", 64512},
      {3, 4, false, "dead-bytes",
       "a cut would store 50.0 MiB that step 4 deletes: +25.1 MiB", 26319257},
      {4, 5, true, "saves",
       "saves 140.4 MiB: 80 % of updates touch only the last layer", 147220070},
      {5, 6, false, "metadata", "a cut would store 5.0 MiB twice: +5.6 MiB",
       5872025}};
  report.rewrites = {
      {"merge-layers", {2, 3, 4}, "", "adjacent-diffs", 57671680},
      {"merge-layers", {5, 6}, "", "adjacent-diffs", 5242880}};
  const double costs[] = {396.6, 185.6, 157.7, 157.8, 163.3, 188.4};
  for (int i = 0; i < 6; ++i) {
    report.curve.push_back(
        {i + 1, static_cast<int64_t>(costs[i] * kMiB), 0, 0});
  }
  report.knee = 2;
  report.chosen_layers = 3;
  report.epochs_source = "file ages in git";
  report.verbatim_layers = 6;
  report.base_bytes = 120 << 20;
  report.limit = 120;
  report.limit_name = "portable";
  report.base_layers = 1;
  AddFits(report);
  report.stored = 335 << 20;
  report.verbatim_stored = 390 << 20;
  report.update = 57 << 20;
  report.verbatim_update = 71 << 20;
  report.waste = {{1, 4, "deleted", 31457280,
                   "apt lists: delete in the same RUN, use a cache mount, or "
                   "-O2 (305.0 stored, 54.0 per update)"}};
  report.run = 5;
  report.cached = 1;
  report.seconds = Guess(44, "last 3 builds");
  report.critical_path = {2, 3, 4, 5, 6};
  report.network = true;
  report.jobs = 2;
  return report;
}

namespace {

// The steps of StagesReport as they were written.
std::vector<ReportStep> WrittenStages() {
  std::vector<ReportStep> steps = {
      In(Step(1, "workdir", "WORKDIR /src", -1), "build", 2, {}),
      In(Step(2, "copy", "COPY go.mod go.sum ./", -1), "build", 3, {1}),
      In(Step(3, "run", "RUN go mod download", -1), "build", 4, {2}),
      In(Step(4, "copy", "COPY . .", -1), "build", 5, {3}),
      In(Step(5, "run", "RUN go build -o /out/app ./cmd/app", -1), "build", 6,
         {4}),
      In(Step(6, "run", "RUN go test ./...", -1), "test", 9, {5}),
      In(Step(7, "copy", "COPY web/package.json /web/", -1), "assets", 12, {}),
      In(Step(8, "run", "RUN npm ci", -1), "assets", 13, {7}),
      In(Step(9, "run", "RUN npm run bundle", -1), "assets", 14, {8}),
      In(Step(10, "run", "RUN mkdir -p /etc/app", 0), "release", 17, {}),
      In(Step(11, "run", "RUN chmod 750 /etc/app", 1), "release", 18, {10}),
      In(Step(12, "copy", "COPY debug.json /etc/app/", -1), "release", 19,
         {11}),
      In(Step(13, "copy", "COPY --from=build /out/app /app", 2), "release", 20,
         {12, 5}),
      In(Step(14, "copy", "COPY --from=assets /web/dist /srv", 3), "release",
         21, {13, 9})};
  const int became[] = {1, 2, 3, 7, 8, 0, 4, 5, 6, 9, 10, 0, 11, 12};
  for (size_t i = 0; i < steps.size(); ++i) {
    steps[i].became = became[i];
  }
  steps[0].base_inputs = {"golang:1.22-bookworm"};
  steps[6].base_inputs = {"node:22", "context"};
  steps[9].base_inputs = {"gcr.io/distroless/static-debian12"};
  return steps;
}

void DecideStages(PlanReport& report) {
  report.layers = {{{9, 10, 11},
                    "9 RUN mkdir -p /etc/app … 11 COPY --from=build /out/app",
                    Guess(9 * kMiB, "last 3 builds"),
                    0,
                    0.6,
                    "same change rate"},
                   {{12},
                    "12 COPY --from=assets /web/dist /srv",
                    Guess(3.5 * kMiB, "last 3 builds"),
                    0,
                    0.2,
                    "changes alone"}};
  report.decisions = {
      {9, 10, false, "metadata", "both steps touch /etc/app only", 65536},
      {10, 11, false, "too-small",
       "a cut costs one layer (64 KiB) and saves 2 KiB per update", 63488},
      {11, 12, true, "saves",
       "saves 1.9 MiB: 60 % of updates leave the assets alone", 1992294}};
  report.rewrites = {
      {"drop-unreachable", {}, "stage test: release does not read it", "", 0},
      {"hoist-fetches",
       {4, 5, 6},
       "assets start before the build is done",
       "data-edges-only",
       0},
      {"fuse-runs", {9, 10}, "", "same-sandbox", 0},
      {"merge-layers", {9, 10, 11}, "", "adjacent-diffs", 66560}};
  report.curve = {{1, 15204352, 0, 0},
                  {2, 13212057, 0, 0},
                  {3, 13278617, 0, 0},
                  {4, 13343129, 0, 0}};
  report.knee = 2;
  report.chosen_layers = 2;
  report.epochs_source = "the lock of the last release";
  report.verbatim_layers = 4;
  report.base_layers = 12;
  report.base_bytes = 2097152;
  report.limit = 120;
  report.limit_name = "portable";
  AddFits(report);
  report.stored = 13107200;
  report.verbatim_stored = 13172736;
  report.update = 6500000;
  report.verbatim_update = 7400000;
}

}  // namespace

PlanReport StagesReport() {
  PlanReport report = {.file = "Dockerfile",
                       .digest = "sha256:" + std::string(64, '5'),
                       .platform = "linux/amd64",
                       .level = "O1",
                       .target = "release",
                       .lock = "ok"};
  report.stages = {
      {"build", "golang:1.22-bookworm@sha256:9c1e5d77a2b0", "cached"},
      {"test", "build", ""},
      {"assets", "node:22@sha256:0f3adb1c", "pull"},
      {"release", "gcr.io/distroless/static-debian12@sha256:41be8871",
       "cached"}};
  report.before = WrittenStages();
  const std::vector<ReportStep>& written = report.before;
  auto take = [&written](int from, int number, std::vector<int> inputs,
                         int layer) {
    ReportStep step = written[from - 1];
    step.number = number;
    step.inputs = std::move(inputs);
    step.layer = layer;
    step.became = 0;
    return step;
  };
  const std::string parent = "parent changed";
  report.steps = {
      Cached(take(1, 1, {}, -1), 0),
      Cached(take(2, 2, {1}, -1), 4096),
      Cached(take(3, 3, {2}, -1), 88 * kMiB),
      Run(take(7, 4, {}, -1), "input-changed",
          "input changed: web/package.json", 700, 0.1),
      Run(take(8, 5, {4}, -1), "parent-changed", parent, 160 * kMiB, 22),
      Run(take(9, 6, {5}, -1), "parent-changed", parent, 3.5 * kMiB, 9),
      Run(take(4, 7, {3}, -1), "input-changed",
          "input changed: cmd/app/main.go", 1258291, 0.2),
      Run(take(5, 8, {7}, -1), "parent-changed", parent, 9 * kMiB, 41),
      Cached(take(10, 9, {}, 0), 0),
      Cached(take(11, 10, {9}, 0), 0),
      Run(take(13, 11, {10, 8}, 0), "input-changed",
          "input changed: stage build", 9 * kMiB, 0.1),
      Run(take(14, 12, {11, 6}, 1), "parent-changed", parent, 3.5 * kMiB, 0.1),
      take(6, 0, {8}, -1),
      take(12, 0, {}, -1)};
  report.steps[2].details = {"cache /go/pkg/mod"};
  report.steps[2].network = {"RUN may reach the network"};
  report.steps[7].details = {"2 caches", "secret netrc", "no network"};
  report.steps[9].fused = true;
  report.steps[10].input_labels = {"", "/out/app"};
  report.steps[11].input_labels = {"", "/web/dist"};
  report.steps[11].op_key = "sha256:" + std::string(64, '7');
  report.steps[11].input_keys = {"sha256:" + std::string(64, '8')};
  report.steps[12].state = ReportState::kSkipped;
  report.steps[12].reason_code = "unreachable";
  report.steps[12].reason = "release does not need stage test";
  report.steps[13].state = ReportState::kSkipped;
  report.steps[13].reason_code = "condition";
  report.steps[13].reason = "if args.DEBUG";
  DecideStages(report);
  report.run = 6;
  report.cached = 6;
  report.skipped = 2;
  report.seconds = Guess(42, "last 3 builds");
  report.critical_path = {7, 8, 11, 12};
  report.pulls = true;
  report.network = true;
  report.jobs = 2;
  report.timeline = {
      {3, "build", "RUN go mod download", "cached", 0, 0},
      {5, "assets", "RUN npm ci", "run", 0.2, 21.5},
      {7, "build", "COPY . .", "run", 0.3, 0.2},
      {8, "build", "RUN go build -o /out/app ./cmd/app", "run", 0.5, 39.7},
      {6, "assets", "RUN npm run bundle", "run", 21.7, 8.8},
      {0, "test", "RUN go vet ./...", "failed", 40.3, 2.5},
      {11, "release", "COPY --from=build /out/app /app", "run", 40.2, 0.2},
      {12, "release", "COPY --from=assets /web/dist /srv", "not reached", 0,
       0}};
  report.timeline_build = "2024-03-01T12:00:00Z";
  return report;
}

PlanReport LongReport(int count) {
  PlanReport report = {.file = "Dockerfile",
                       .platform = "linux/arm64",
                       .level = "O0",
                       .target = "all",
                       .lock = "new"};
  report.stages = {{"all", "alpine:3.20", "cached"}};
  for (int i = 1; i <= count; ++i) {
    const int layer = (i - 1) * 4 / count;
    ReportStep step = Step(
        i, i % 7 == 0 ? "copy" : "run",
        i % 7 == 0 ? absl::StrCat("COPY part", i, " /opt/part", i)
                   : absl::StrCat("RUN make -C /opt/module", i, " install"),
        layer);
    step.stage = "all";
    step = i <= count / 3 ? Cached(std::move(step), i * 10240)
                          : Run(std::move(step), "parent-changed",
                                "parent changed", i * 10240, 0.5);
    report.steps.push_back(std::move(step));
  }
  report.steps[0].base_inputs = {"alpine:3.20"};
  report.before = report.steps;
  for (ReportStep& step : report.before) {
    step.became = step.number;
    step.layer = step.number - 1;
  }
  for (int layer = 0; layer < 4; ++layer) {
    ReportLayer made = {.instruction = absl::StrCat("part ", layer + 1),
                        .bytes = Guess((layer + 1) * 25 * kMiB, "recorded"),
                        .changed = 0.25 * layer};
    for (const ReportStep& step : report.steps) {
      if (step.layer == layer) {
        made.steps.push_back(step.number);
      }
    }
    report.layers.push_back(std::move(made));
  }
  for (int i = 1; i < count; ++i) {
    const bool cut = i * 4 % count == 0;
    report.decisions.push_back(
        {i, i + 1, cut, cut ? "saves" : "same-change",
         cut ? "saves 9.0 MiB" : "both sides change in the same updates",
         cut ? 9437184 : 65536});
  }
  for (int k = 1; k <= 60; ++k) {
    report.curve.push_back(
        {k, int64_t{1048576} * (40 + (k - 4) * (k - 4) / 8), 0, 0});
  }
  report.knee = 3;
  report.chosen_layers = 4;
  report.verbatim_layers = count;
  report.base_layers = 1;
  report.limit = 120;
  report.limit_name = "portable";
  AddFits(report);
  report.stored = 250 << 20;
  report.verbatim_stored = 280 << 20;
  report.update = 30 << 20;
  report.verbatim_update = 31 << 20;
  report.cached = count / 3;
  report.run = count - count / 3;
  report.seconds = Guess(report.run * 0.5, "last build");
  return report;
}

PlanReport HostileReport() {
  PlanReport report = {.file = "Docker\"file<b>",
                       .digest = "",
                       .platform = "linux/amd64",
                       .level = "O1",
                       .target = "x\" onload=\"alert(1)",
                       .lock = "`lock`: <i>bad</i>"};
  const std::string stage = "x\" onload=\"alert(1)";
  report.stages = {{stage, "base:1]]><script>alert(2)</script>", "cached"}};
  ReportStep first = Step(
      1, "run",
      "RUN echo '<script>alert(\"x\")</script>' ]]> --> </style></title></svg> "
      "&amp; \\\" \\n %%{init: {}}%% `code` #quot; {a} [b] | c; end",
      0);
  first.base_inputs = {"base:1]]><script>alert(2)</script>"};
  ReportStep second = Step(2, "copy",
                           "COPY \x1b[2Jclear \x1b]0;title\a \xff\xfe \xed\xa0"
                           "\x80 \xef\xbf\xbf tab\there /\xe2\x80\xae/x",
                           0);
  second.input_labels = {"\"]; evil [label=\"<img src=x onerror=alert(3)>"};
  second.base_inputs = {"con\"text"};
  ReportStep third =
      Step(3, "run",
           absl::StrCat("RUN ", std::string(3000, 'x'), "日本語テキスト"), 0);
  first.stage = second.stage = third.stage = stage;
  first = Run(first, "no-cache", "<b onmouseover=alert(4)>reason</b>", 10, 1);
  second = Run(second, "input-changed",
               "input changed: a/\x1b[31m<script>/very/long/path/"
               "that/goes/on/and/on/and/on/until/it/no/longer/fits/in/any/"
               "column/of/the/terminal/main.go",
               10, 1);
  third = Run(third, "parent-changed", "parent changed", 10, 100);
  report.steps = {first, second, third};
  report.before = report.steps;
  for (ReportStep& step : report.before) {
    step.became = step.number == 2 ? 0 : step.number;
  }
  report.layers = {{{1, 2, 3},
                    first.text,
                    Guess(30, "<source>"),
                    10,
                    1,
                    "<script>alert(5)</script>"}};
  report.decisions = {{1, 2, false, "<reason>", "]]><script>alert(6)", 1},
                      {2, 3, false, "same-change", "\x1b[0m\x07", -1}};
  report.rewrites = {{"<pass>", {1}, "<script>alert(7)</script>", "", 0}};
  report.waste = {{1, 3, "deleted", 10, "</table><script>alert(8)</script>"}};
  report.fits = {{"<runtime>", 1, false, "<note>"}};
  report.unknown = {"<script>alert(9)</script>"};
  report.timeline = {{1, "</div><script>", first.text, "ru\"n", 0, 1}};
  report.timeline_build = "<time>";
  report.limit_name = "<limit>";
  report.epochs_source = "<epochs>";
  report.run = 3;
  report.chosen_layers = report.verbatim_layers = 1;
  return report;
}

PlanReport UnknownReport() {
  PlanReport report = {.file = "Dockerfile",
                       .platform = "linux/amd64",
                       .level = "O1",
                       .lock = "none"};
  report.unknown = {"registry.example/base:1"};
  ReportStep copy = Step(1, "copy", "COPY . /src", -1);
  copy.base_inputs = {"registry.example/base:1", "context"};
  copy.reason_code = "base-unknown";
  copy.reason = "base registry.example/base:1 is not here";
  ReportStep run = Step(2, "run", "RUN make -C /src install", -1);
  run.reason = "never built here";
  report.steps = {copy, run};
  report.run = 2;
  report.pulls = true;
  return report;
}

std::vector<NamedReport> AllTestReports() {
  return {{"simple", SimpleReport()},
          {"stages", StagesReport()},
          {"long", LongReport(200)},
          {"hostile", HostileReport()},
          {"unknown", UnknownReport()}};
}

}  // namespace lamina::cli
