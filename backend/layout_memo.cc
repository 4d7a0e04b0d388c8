#include "backend/layout_memo.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/status.h"

namespace lamina::backend {

absl::StatusOr<Digest> LayoutQuestion(const FinishedChain& chain,
                                      const ExportPolicy& policy,
                                      Store& store) {
  Hasher hasher;
  hasher.UpdateField("lamina layout question 1");
  hasher.UpdateField(absl::StrCat(static_cast<int>(policy.mode), " ",
                                  policy.max_layers, " ", policy.head_room));
  for (const ir::Epoch& epoch : policy.epochs) {
    hasher.UpdateField(
        absl::StrCat(epoch.weight, ":", absl::StrJoin(epoch.steps, ",")));
  }
  hasher.UpdateField("rules");
  for (const ir::CutRule& rule : policy.cuts) {
    hasher.UpdateField(absl::StrCat(rule.step, rule.forced ? "!" : "-"));
  }
  hasher.UpdateField(absl::StrJoin(policy.published, " "));
  for (LayerId id : chain.base_layers) {
    ASSIGN_OR_RETURN(Layer layer, store.GetLayer(id));
    hasher.UpdateField(layer.chain.hex());
  }
  hasher.UpdateField("steps");
  for (const std::optional<LayerId>& id : chain.layers) {
    if (id.has_value()) {
      ASSIGN_OR_RETURN(Layer layer, store.GetLayer(*id));
      hasher.UpdateField(layer.chain.hex());
    } else {
      hasher.UpdateField("none");
    }
  }
  return hasher.Finish();
}

// The tree's digest, then a line a layer: chain, step, first, last.
absl::StatusOr<std::optional<ExportedLayers>> FindAnswer(const Digest& question,
                                                         Store& store) {
  ASSIGN_OR_RETURN(std::optional<std::string> text,
                   store.FindLayout(question));
  if (!text.has_value()) {
    return std::nullopt;
  }
  std::vector<std::string> lines = absl::StrSplit(*text, '\n');
  ExportedLayers answer;
  answer.tree_digest = lines[0];
  for (size_t i = 1; i < lines.size(); ++i) {
    std::vector<std::string> words = absl::StrSplit(lines[i], ' ');
    OwnLayer own;
    absl::StatusOr<Digest> chain =
        words.size() == 4 ? Digest::Parse(words[0])
                          : absl::StatusOr<Digest>(absl::DataLossError(""));
    if (!chain.ok() || !absl::SimpleAtoi(words[1], &own.step) ||
        !absl::SimpleAtoi(words[2], &own.first) ||
        !absl::SimpleAtoi(words[3], &own.last)) {
      return std::nullopt;
    }
    ASSIGN_OR_RETURN(std::optional<Layer> layer, store.FindLayer(*chain));
    if (!layer.has_value()) {
      return std::nullopt;
    }
    own.id = layer->id;
    answer.own.push_back(own);
  }
  return answer;
}

absl::Status KeepAnswer(const Digest& question, const ExportedLayers& answer,
                        Store& store) {
  std::string text = answer.tree_digest;
  for (const OwnLayer& own : answer.own) {
    ASSIGN_OR_RETURN(Layer layer, store.GetLayer(own.id));
    absl::StrAppend(&text, "\n", layer.chain.ToString(), " ", own.step, " ",
                    own.first, " ", own.last);
  }
  return store.AddLayout(question, text);
}

}  // namespace lamina::backend
