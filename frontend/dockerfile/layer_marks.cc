#include "frontend/dockerfile/layer_marks.h"

#include <optional>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "frontend/dockerfile/flags.h"

namespace lamina::frontend {
namespace {

using grammar::Statement;
using grammar::Word;

constexpr absl::string_view kPrefix = "lamina ";

class Reader {
 public:
  explicit Reader(Diagnostics& diagnostics) : diagnostics_(diagnostics) {}

  LayerMarks Read(const grammar::DockerfileSyntax& syntax) {
    for (const Statement& statement : syntax.statements) {
      bool is_from = statement.keyword == "FROM";
      for (const Word& comment : statement.comments) {
        Take(comment, is_from);
      }
      if (is_from) {
        EndStage();
        // What stands above a FROM is about its stage, but for an `end`.
        begin_ = std::exchange(next_begin_, std::nullopt);
        group_ = begin_.has_value() ? ++groups_ : 0;
        cut_ = false;
      }
      if (MakesStep(statement) && (cut_ || group_ != 0)) {
        marks_[statement.range.begin] = {cut_, group_};
      }
      cut_ = cut_ && !MakesStep(statement);
    }
    for (const Word& comment : syntax.comments) {
      Take(comment, false);
    }
    EndStage();
    return std::move(marks_);
  }

 private:
  void Take(const Word& comment, bool above_from) {
    absl::string_view text = comment.text;
    if (!absl::ConsumePrefix(&text, kPrefix)) {
      return;
    }
    uint32_t begin = comment.range.begin + kPrefix.size();
    SourceRange range = {begin, comment.range.end};
    if (text == "layer=cut") {
      Cut(range);
    } else if (text == "layer=begin") {
      Begin(range, above_from);
    } else if (text == "layer=end") {
      End(range);
    } else if (absl::StartsWith(text, "lay")) {
      std::string hint =
          DidYouMean(text, {"layer=cut", "layer=begin", "layer=end"});
      diagnostics_.Error(
          "bad-layer-comment", range,
          absl::StrCat("`", text, "` is no layer comment",
                       hint.empty() ? "; write layer=cut, layer=begin or "
                                      "layer=end"
                                    : hint));
    }
  }

  void Cut(SourceRange range) {
    if (group_ != 0) {
      Contradiction(range, "`layer=cut` cuts a layer inside a group that is to "
                           "be one layer; end the group before it, or drop "
                           "one of the two");
      return;
    }
    cut_ = true;
  }

  void Begin(SourceRange range, bool above_from) {
    if (above_from) {
      next_begin_ = range;
    } else if (group_ != 0) {
      Contradiction(range, "`layer=begin` inside a group; write `# lamina "
                           "layer=end` before it");
    } else {
      begin_ = range;
      group_ = ++groups_;
    }
  }

  void End(SourceRange range) {
    if (group_ == 0) {
      diagnostics_.Error("bad-layer-comment", range,
                         "`layer=end` ends no group; write `# lamina "
                         "layer=begin` above the first instruction of the "
                         "layer");
      return;
    }
    group_ = 0;
    begin_.reset();
  }

  void EndStage() {
    if (begin_.has_value()) {
      diagnostics_.Error("bad-layer-comment", *begin_,
                         "this group has no end in its stage; write `# lamina "
                         "layer=end` below its last instruction");
    }
    begin_.reset();
    group_ = 0;
  }

  void Contradiction(SourceRange range, std::string message) {
    Diagnostic wrong = {.code = "bad-layer-comment",
                        .range = range,
                        .message = std::move(message)};
    wrong.notes.push_back({*begin_, "the group begins here"});
    diagnostics_.Add(std::move(wrong));
  }

  Diagnostics& diagnostics_;
  LayerMarks marks_;
  bool cut_ = false;
  uint32_t groups_ = 0;  // Numbers given so far.
  uint32_t group_ = 0;   // The open one.
  std::optional<SourceRange> begin_;       // Of the open group.
  std::optional<SourceRange> next_begin_;  // Above a FROM.
};

}  // namespace

bool MakesStep(const Statement& statement) {
  return statement.keyword == "RUN" || statement.keyword == "COPY" ||
         statement.keyword == "ADD" || statement.keyword == "WORKDIR";
}

LayerMarks ReadLayerMarks(const grammar::DockerfileSyntax& syntax,
                          Diagnostics& diagnostics) {
  return Reader(diagnostics).Read(syntax);
}

}  // namespace lamina::frontend
