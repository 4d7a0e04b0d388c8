// Writes traces as JSON Lines (optimiser.md 9.4).
#include <algorithm>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/json.h"
#include "ir/layout/trace.h"

namespace lamina::ir {
namespace {

bool IsUtf8(absl::string_view text) {
  bool ascii = std::all_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x80;
  });
  if (ascii) {
    return true;
  }
  // What JSON cannot hold is replaced on printing.
  absl::StatusOr<Json> back = ParseJson(PrintJson(Json(std::string(text))));
  return back.ok() && back->string() == text;
}

void SetText(Json& record, absl::string_view key, const std::string& text) {
  if (IsUtf8(text)) {
    record.Set(key, text);
  } else {
    record.Set(absl::StrCat(key, "_hex"), absl::BytesToHexString(text));
  }
}

void AppendRecord(std::string& out, const Json& record) {
  absl::StrAppend(&out, PrintJson(record), "\n");
}

Json Record(const char* type) {
  Json record = Json::Object();
  record.Set("t", type);
  return record;
}

void SetState(Json& record, const PathState& state) {
  record.Set("type", std::string(1, static_cast<char>(state.type)));
  record.Set("mode", absl::StrFormat("%04o", state.mode));
  record.Set("uid", int64_t{state.uid});
  record.Set("gid", int64_t{state.gid});
  if (state.mtime != 0) {
    record.Set("mtime", state.mtime);
  }
  switch (state.type) {
    case EntryType::kFile:
      record.Set("size", static_cast<int64_t>(state.size));
      SetText(record, "digest", state.body);
      break;
    case EntryType::kSymlink:
      SetText(record, "target", state.body);
      break;
    case EntryType::kCharDevice:
    case EntryType::kBlockDevice:
      SetText(record, "rdev", state.body);
      break;
    default:
      break;
  }
  if (!state.link.empty()) {
    SetText(record, "link", state.link);
  }
  if (!state.xattrs.empty()) {
    Json xattrs = Json::Object();
    for (const auto& [name, value] : state.xattrs) {
      xattrs.Set(name, absl::BytesToHexString(value));
    }
    record.Set("xattrs", std::move(xattrs));
  }
}

void AppendEvents(std::string& out, const std::vector<PathEvent>& events,
                  int step) {
  for (const PathEvent& event : events) {
    Json record = Record(event.state ? "put" : "del");
    record.Set("i", int64_t{step});
    SetText(record, "path", event.path);
    if (event.state) {
      SetState(record, *event.state);
    }
    AppendRecord(out, record);
  }
}

Json Head(const Trace& trace) {
  Json head = Record("trace");
  size_t events = trace.base.size();
  for (const TraceStep& step : trace.steps) {
    events += step.events.size();
  }
  head.Set("version", int64_t{kTraceVersion});
  SetText(head, "name", trace.name);
  head.Set("steps", static_cast<int64_t>(trace.steps.size()));
  head.Set("events", static_cast<int64_t>(events));
  head.Set("base_layers", int64_t{trace.base_layers});
  if (trace.budget) {
    head.Set("budget", int64_t{*trace.budget});
  }
  return head;
}

}  // namespace

std::string PrintTrace(const Trace& trace) {
  std::string out;
  AppendRecord(out, Head(trace));
  int number = 0;
  for (const TraceStep& step : trace.steps) {
    Json record = Record("step");
    record.Set("i", int64_t{++number});
    SetText(record, "kind", step.kind);
    record.Set("line", int64_t{step.line});
    SetText(record, "text", step.text);
    if (step.ms != 0) {
      record.Set("ms", step.ms);
    }
    AppendRecord(out, record);
  }
  AppendEvents(out, trace.base, 0);
  for (size_t step = 0; step < trace.steps.size(); ++step) {
    AppendEvents(out, trace.steps[step].events, static_cast<int>(step) + 1);
  }
  for (const Epoch& epoch : trace.epochs) {
    Json record = Record("epoch");
    record.Set("weight", epoch.weight);
    Json steps = Json::Array();
    for (int step : epoch.steps) {
      steps.Append(int64_t{step});
    }
    record.Set("steps", std::move(steps));
    AppendRecord(out, record);
  }
  for (const CutRule& cut : trace.cuts) {
    Json record = Record("cut");
    record.Set("i", int64_t{cut.step});
    record.Set("rule", cut.forced ? "forced" : "forbidden");
    SetText(record, "why", cut.why);
    AppendRecord(out, record);
  }
  return out;
}

}  // namespace lamina::ir
