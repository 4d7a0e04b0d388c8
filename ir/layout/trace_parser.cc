// Reads traces written as JSON Lines (optimiser.md 9.4).
#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/json.h"
#include "base/status.h"
#include "ir/layout/trace.h"

namespace lamina::ir {
namespace {

constexpr int64_t kMaxSteps = 1'000'000;

absl::Status Wrong(absl::string_view what) {
  return absl::InvalidArgumentError(what);
}

bool IsCleanPath(absl::string_view path) {
  for (absl::string_view part : absl::StrSplit(path, '/')) {
    if (part.empty() || part == "." || part == "..") {
      return false;
    }
  }
  return path.find('\0') == absl::string_view::npos;
}

absl::StatusOr<std::string> ReadHex(const Json& value, absl::string_view key) {
  const std::string& text = value.string();
  bool digits = std::all_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_isxdigit(static_cast<unsigned char>(c));
  });
  if (!value.is_string() || text.size() % 2 != 0 || !digits) {
    return Wrong(absl::StrCat("`", key, "` is no text of hex digits"));
  }
  return absl::HexStringToBytes(text);
}

absl::StatusOr<std::string> ReadText(const Json& record,
                                     absl::string_view key) {
  std::string hex_key = absl::StrCat(key, "_hex");
  if (!record[hex_key].is_null()) {
    return ReadHex(record[hex_key], hex_key);
  }
  if (!record[key].is_string()) {
    return Wrong(absl::StrCat("`", key, "` is missing or no text"));
  }
  return record[key].string();
}

absl::StatusOr<int64_t> ReadInteger(const Json& record, absl::string_view key,
                                    int64_t low, int64_t high) {
  const Json& value = record[key];
  if (!value.is_integer()) {
    return Wrong(absl::StrCat("`", key, "` is missing or no integer"));
  }
  if (value.integer() < low || value.integer() > high) {
    return Wrong(absl::StrCat("`", key, "` is ", value.integer(), ", not ", low,
                              " to ", high));
  }
  return value.integer();
}

absl::Status ReadBody(const Json& record, PathState& state) {
  switch (state.type) {
    case EntryType::kFile: {
      ASSIGN_OR_RETURN(state.body, ReadText(record, "digest"));
      const char* key = record["csize"].is_null() ? "size" : "csize";
      ASSIGN_OR_RETURN(state.size, ReadInteger(record, key, 0, INT64_MAX));
      return absl::OkStatus();
    }
    case EntryType::kSymlink: {
      ASSIGN_OR_RETURN(state.body, ReadText(record, "target"));
      return absl::OkStatus();
    }
    case EntryType::kCharDevice:
    case EntryType::kBlockDevice: {
      ASSIGN_OR_RETURN(state.body, ReadText(record, "rdev"));
      return absl::OkStatus();
    }
    default:
      return absl::OkStatus();
  }
}

absl::StatusOr<PathState> ReadState(const Json& record) {
  PathState state;
  const std::string& type = record["type"].string();
  if (type.size() != 1 ||
      absl::string_view("fdlcbp").find(type[0]) == absl::string_view::npos) {
    return Wrong(
        absl::StrCat("`type` is `", type, "`, not one of f d l c b p"));
  }
  state.type = static_cast<EntryType>(type[0]);
  const std::string& mode = record["mode"].string();
  for (char c : mode) {
    state.mode = state.mode * 8 + static_cast<uint32_t>(c - '0');
    if (c < '0' || c > '7' || state.mode > 07777) {
      return Wrong(
          absl::StrCat("`mode` is `", mode, "`, not octal up to 7777"));
    }
  }
  if (mode.empty()) {
    return Wrong("`mode` is missing or no text");
  }
  ASSIGN_OR_RETURN(state.uid, ReadInteger(record, "uid", 0, UINT32_MAX));
  ASSIGN_OR_RETURN(state.gid, ReadInteger(record, "gid", 0, UINT32_MAX));
  if (!record["mtime"].is_null()) {
    ASSIGN_OR_RETURN(state.mtime,
                     ReadInteger(record, "mtime", INT64_MIN, INT64_MAX));
  }
  RETURN_IF_ERROR(ReadBody(record, state));
  if (!record["link"].is_null() || !record["link_hex"].is_null()) {
    ASSIGN_OR_RETURN(state.link, ReadText(record, "link"));
  }
  for (const auto& [name, value] : record["xattrs"].object()) {
    ASSIGN_OR_RETURN(state.xattrs[name], ReadHex(value, "xattrs"));
  }
  return state;
}

// Deletions first, then the puts in entry order; a path is put once.
absl::Status SortEvents(std::vector<PathEvent>& events, int step) {
  auto before = [](const PathEvent& a, const PathEvent& b) {
    if (a.state.has_value() != b.state.has_value()) {
      return b.state.has_value();
    }
    return PathLess()(a.path, b.path);
  };
  if (!std::is_sorted(events.begin(), events.end(), before)) {
    std::stable_sort(events.begin(), events.end(), before);
  }
  for (size_t at = 1; at < events.size(); ++at) {
    if (events[at].state && events[at - 1].state &&
        events[at].path == events[at - 1].path) {
      return Wrong(
          absl::StrCat("step ", step, " puts `", events[at].path, "` twice"));
    }
  }
  return absl::OkStatus();
}

// Takes records one after the other and makes traces of them.
class Reader {
 public:
  absl::Status Take(const Json& record) {
    const std::string& type = record["t"].string();
    if (type == "trace") {
      RETURN_IF_ERROR(Finish());
      return Open(record);
    }
    if (!open_) {
      return Wrong("a trace begins with a `trace` record, not with this one");
    }
    Trace& trace = traces_.back();
    if (type == "step") {
      return Step(record, trace);
    }
    if (type == "put" || type == "del") {
      return Event(record, type == "put", trace);
    }
    if (type == "epoch") {
      return TakeEpoch(record, trace);
    }
    if (type == "cut") {
      return Cut(record, trace);
    }
    return Wrong(
        absl::StrCat("unknown record `", type,
                     "`; known are trace, step, put, del, epoch and cut"));
  }

  // Ends the trace that is open, if any.
  absl::Status Finish() {
    if (!open_) {
      return absl::OkStatus();
    }
    open_ = false;
    Trace& trace = traces_.back();
    if (seen_ != expected_) {
      return Wrong(absl::StrCat("the trace `", trace.name, "` has ", seen_,
                                " put and del records, ", "its head says ",
                                expected_, "; the file may be cut off"));
    }
    RETURN_IF_ERROR(SortEvents(trace.base, 0));
    for (size_t step = 0; step < trace.steps.size(); ++step) {
      RETURN_IF_ERROR(
          SortEvents(trace.steps[step].events, static_cast<int>(step) + 1));
    }
    return absl::OkStatus();
  }

  std::vector<Trace> TakeTraces() { return std::move(traces_); }

 private:
  absl::Status Open(const Json& record) {
    ASSIGN_OR_RETURN(int64_t version,
                     ReadInteger(record, "version", 0, 1 << 20));
    if (version != kTraceVersion) {
      return Wrong(absl::StrCat("traces of version ", version,
                                " are unknown; this program reads ",
                                kTraceVersion));
    }
    Trace trace;
    ASSIGN_OR_RETURN(trace.name, ReadText(record, "name"));
    ASSIGN_OR_RETURN(int64_t steps, ReadInteger(record, "steps", 0, kMaxSteps));
    trace.steps.resize(steps);
    ASSIGN_OR_RETURN(expected_, ReadInteger(record, "events", 0, INT64_MAX));
    ASSIGN_OR_RETURN(trace.base_layers,
                     ReadInteger(record, "base_layers", 0, INT32_MAX));
    if (!record["budget"].is_null()) {
      ASSIGN_OR_RETURN(trace.budget,
                       ReadInteger(record, "budget", INT32_MIN, INT32_MAX));
    }
    traces_.push_back(std::move(trace));
    seen_ = 0;
    known_steps_.clear();
    open_ = true;
    return absl::OkStatus();
  }

  absl::StatusOr<int> StepNumber(const Json& record, const Trace& trace,
                                 int low) {
    return ReadInteger(record, "i", low,
                       static_cast<int64_t>(trace.steps.size()));
  }

  absl::Status Step(const Json& record, Trace& trace) {
    ASSIGN_OR_RETURN(int number, StepNumber(record, trace, 1));
    if (!known_steps_.insert(number).second) {
      return Wrong(absl::StrCat("step ", number, " is described twice"));
    }
    TraceStep& step = trace.steps[number - 1];
    ASSIGN_OR_RETURN(step.kind, ReadText(record, "kind"));
    ASSIGN_OR_RETURN(step.line, ReadInteger(record, "line", 0, INT32_MAX));
    ASSIGN_OR_RETURN(step.text, ReadText(record, "text"));
    step.ms = record["ms"].number();
    return absl::OkStatus();
  }

  absl::Status Event(const Json& record, bool put, Trace& trace) {
    ++seen_;
    ASSIGN_OR_RETURN(int number, StepNumber(record, trace, 0));
    PathEvent event;
    ASSIGN_OR_RETURN(event.path, ReadText(record, "path"));
    if (!IsCleanPath(event.path)) {
      return Wrong(absl::StrCat(
          "`", absl::CHexEscape(event.path),
          "` is no clean relative path (no leading or final `/`, no `.`, `..` "
          "or empty part)"));
    }
    if (put) {
      ASSIGN_OR_RETURN(event.state, ReadState(record));
    }
    std::vector<PathEvent>& events =
        number == 0 ? trace.base : trace.steps[number - 1].events;
    events.push_back(std::move(event));
    return absl::OkStatus();
  }

  absl::Status TakeEpoch(const Json& record, Trace& trace) {
    Epoch epoch;
    ASSIGN_OR_RETURN(epoch.weight, ReadInteger(record, "weight", 1, INT32_MAX));
    if (!record["steps"].is_array()) {
      return Wrong("`steps` is missing or no list");
    }
    std::set<int> steps;
    for (const Json& step : record["steps"].array()) {
      auto count = static_cast<int64_t>(trace.steps.size());
      if (!step.is_integer() || step.integer() < 1 || step.integer() > count) {
        return Wrong(absl::StrCat("`steps` has ", PrintJson(step),
                                  ", not a number from 1 to ", count));
      }
      steps.insert(static_cast<int>(step.integer()));
    }
    epoch.steps.assign(steps.begin(), steps.end());
    trace.epochs.push_back(std::move(epoch));
    return absl::OkStatus();
  }

  absl::Status Cut(const Json& record, Trace& trace) {
    CutRule cut;
    ASSIGN_OR_RETURN(cut.step,
                     ReadInteger(record, "i", 1,
                                 static_cast<int64_t>(trace.steps.size()) - 1));
    const std::string& rule = record["rule"].string();
    if (rule != "forced" && rule != "forbidden") {
      return Wrong(
          absl::StrCat("`rule` is `", rule, "`, not forced or forbidden"));
    }
    cut.forced = rule == "forced";
    ASSIGN_OR_RETURN(cut.why, ReadText(record, "why"));
    for (const CutRule& other : trace.cuts) {
      if (other.step == cut.step && other.forced != cut.forced) {
        return Wrong(
            absl::StrCat("the cut after step ", cut.step, " is both forced (",
                         cut.forced ? cut.why : other.why, ") and forbidden (",
                         cut.forced ? other.why : cut.why, ")"));
      }
    }
    trace.cuts.push_back(std::move(cut));
    return absl::OkStatus();
  }

  std::vector<Trace> traces_;
  std::set<int> known_steps_;  // Of the open trace.
  int64_t expected_ = 0;
  int64_t seen_ = 0;
  bool open_ = false;
};

}  // namespace

absl::StatusOr<std::vector<Trace>> ParseTraces(absl::string_view text) {
  Reader reader;
  size_t number = 0;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    ++number;
    if (line.empty()) {
      continue;
    }
    absl::StatusOr<Json> record = ParseJson(line);
    absl::Status taken = record.ok() && !record->is_object()
                             ? Wrong("a record is a JSON object")
                         : record.ok() ? reader.Take(*record)
                                       : record.status();
    RETURN_IF_ERROR(Annotate(taken, absl::StrCat("line ", number)));
  }
  RETURN_IF_ERROR(Annotate(reader.Finish(), absl::StrCat("line ", number)));
  return reader.TakeTraces();
}

}  // namespace lamina::ir
