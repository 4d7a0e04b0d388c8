#include "backend/report_words.h"

#include <algorithm>
#include <map>

#include "absl/strings/str_cat.h"
#include "base/text.h"

namespace lamina::backend {
namespace {

std::string Bytes(int64_t bytes) {
  return BinarySize(static_cast<uint64_t>(std::max<int64_t>(0, bytes)));
}

}  // namespace

std::string FirstLine(const std::string& text) {
  return text.substr(0, text.find('\n'));
}

absl::string_view Kind(const ir::Node& node) {
  if (std::holds_alternative<ir::Run>(node.op)) {
    return "run";
  }
  if (std::holds_alternative<ir::MakeDir>(node.op)) {
    return "workdir";
  }
  return node.text.substr(0, 3) == "ADD" ? "add" : "copy";
}

std::string SourceName(const ir::Op& op) {
  if (const auto* image = std::get_if<ir::BaseImage>(&op)) {
    return image->reference.Familiar();
  }
  if (const auto* local = std::get_if<ir::LocalFiles>(&op)) {
    return local->name.empty() ? "context" : local->name;
  }
  return std::holds_alternative<ir::Scratch>(op) ? "scratch" : "download";
}

// Stable words for programs; the reason itself is for people.
std::string ReasonCode(const std::string& reason) {
  static const std::map<absl::string_view, absl::string_view> kCodes = {
      {"", ""},
      {"the instruction changed", "instruction-changed"},
      {"the step before it changed", "parent-changed"},
      {"a step before it runs", "parent-runs"},
      {"never built here", "never-built"},
      {"there is no store yet", "never-built"},
      {"its result is no longer in the store", "evicted"},
      {"unknown base", "unknown-base"},
      {"--no-cache", "no-cache"},
      {"--no-cache-filter", "no-cache"},
  };
  auto code = kCodes.find(reason);
  return std::string(code == kCodes.end() ? "input-changed" : code->second);
}

std::string CopiedPath(const ir::Node& node) {
  const auto* copy = std::get_if<ir::Copy>(&node.op);
  return copy != nullptr && copy->sources.size() == 1 ? copy->sources[0] : "";
}

void AddDetails(const ir::Run& run, ReportStep& step) {
  for (const ir::Mount& mount : run.mounts) {
    switch (mount.type) {
      case ir::Mount::Type::kCache:
        step.details.push_back(absl::StrCat("cache ", mount.target));
        break;
      case ir::Mount::Type::kSecret:
        step.details.push_back(absl::StrCat("secret ", mount.id));
        break;
      case ir::Mount::Type::kSsh:
        step.details.push_back(absl::StrCat("ssh ", mount.id));
        break;
      case ir::Mount::Type::kBind:
      case ir::Mount::Type::kTmpfs:
        break;
    }
  }
  if (run.network == ir::NetworkMode::kNone) {
    step.details.emplace_back("no network");
  } else {
    step.network.emplace_back("RUN may use the network of the host");
  }
}

std::string MergeText(const ir::LayoutMerge& merge) {
  switch (merge.reason) {
    case ir::MergeReason::kEmpty:
      return "one side changes nothing";
    case ir::MergeReason::kPragma:
      return "a layer comment forbids a cut";
    case ir::MergeReason::kBudget:
      return absl::StrCat("the layer limit; a cut would save ",
                          Bytes(-merge.cost), " of cost");
    case ir::MergeReason::kLock:
      return "the layer lock has no cut here";
    case ir::MergeReason::kMetadata:
      return absl::StrCat("a cut would store ", Bytes(merge.stored),
                          " twice, for metadata only");
    case ir::MergeReason::kDeadBytes:
      return absl::StrCat("a cut would store ", Bytes(merge.stored),
                          " that later steps delete or overwrite");
    case ir::MergeReason::kSameChange:
      return "both sides change together";
    case ir::MergeReason::kTooSmall:
      break;
  }
  return absl::StrCat("a cut costs one more layer and saves less than that",
                      merge.cost > 0
                          ? absl::StrCat(": +", Bytes(merge.cost))
                          : "");
}

std::string CutText(const ir::LayoutCut& cut) {
  std::string text =
      cut.forced.empty()
          ? absl::StrCat("saves ", Bytes(cut.saves),
                         ": the layer below stays when only later steps "
                         "change")
          : absl::StrCat("forced by ", cut.forced);
  if (cut.dead_bytes > 0) {
    absl::StrAppend(&text, ", keeps ",
                    BinarySize(cut.dead_bytes),
                    " that later steps delete or overwrite");
  }
  return text;
}

}  // namespace lamina::backend
