#include "backend/assemble_image.h"

#include <algorithm>
#include <set>
#include <utility>

#include "backend/executor.h"
#include "backend/formats/formats.h"
#include "backend/layout_memo.h"
#include "backend/step_trace.h"
#include "base/status.h"

namespace lamina::backend {
namespace {

// Set on the entries of layers that are made of parts of several steps.
constexpr absl::string_view kLayoutComment = "lamina.layout.v0";

// Times follow image-config.md 3: a layer's entry has the time its step ran,
// entries without layer take the time of the first new layer or of the layer
// before them. Without any new layer the base's time stays.
std::vector<ir::HistoryEntry> MakeHistory(const Plan& plan,
                                          const ir::Target& target,
                                          const std::vector<MadeStep>& made,
                                          const std::set<uint32_t>& with_layer,
                                          int64_t now) {
  std::string time;
  if (plan.options.source_date_epoch.has_value()) {
    time = ir::FormatTime(*plan.options.source_date_epoch);
  }
  for (const ir::HistoryStep& step : target.history) {
    if (time.empty() && step.node.has_value() &&
        made[step.node->index].created != 0) {
      time = ir::FormatTime(made[step.node->index].created);
    }
  }
  if (time.empty()) {
    for (const ir::HistoryStep& step : target.history) {
      time = step.entry.created.empty() ? time : step.entry.created;
    }
  }
  if (time.empty()) {
    time = ir::FormatTime(now);
  }
  std::vector<ir::HistoryEntry> history;
  for (const ir::HistoryStep& step : target.history) {
    ir::HistoryEntry entry = step.entry;
    if (step.node.has_value()) {
      const MadeStep& step_made = made[step.node->index];
      entry.empty_layer = !with_layer.contains(step.node->index);
      if (!plan.options.source_date_epoch.has_value() &&
          step_made.created != 0) {
        time = ir::FormatTime(step_made.created);
      }
    }
    if (entry.created.empty()) {
      entry.created = time;
    }
    history.push_back(std::move(entry));
  }
  return history;
}

// Asks what was answered before. A layer lock goes on from build to build, so
// there is no asking twice.
absl::StatusOr<ExportedLayers> ChooseLayers(const FinishedChain& chain,
                                            const ExecuteOptions& options,
                                            Store& store) {
  const ExportPolicy& policy = options.exports;
  bool remembers = policy.mode == ir::LayoutMode::kChain ||
                   policy.mode == ir::LayoutMode::kOne;
  Digest question;
  if (remembers) {
    ASSIGN_OR_RETURN(question, LayoutQuestion(chain, policy, store));
    ASSIGN_OR_RETURN(std::optional<ExportedLayers> known,
                     FindAnswer(question, store));
    if (known.has_value()) {
      return *std::move(known);
    }
  }
  ASSIGN_OR_RETURN(ExportedLayers exported,
                   ExportLayers(chain, policy, options.layers, store));
  if (remembers && !exported.problem.has_value() && exported.mismatch.empty()) {
    RETURN_IF_ERROR(KeepAnswer(question, exported, store));
  }
  return exported;
}

}  // namespace

absl::StatusOr<AssembledImage> AssembleImage(
    const Plan& plan, const ir::Target& target,
    const std::vector<NodeResult>& results, const std::vector<MadeStep>& made,
    Store& store, const ExecuteOptions& options) {
  TargetChain chain = FindChain(plan.graph, target);
  FinishedChain finished;
  finished.base_layers = results[chain.base.index].layers;
  for (ir::NodeId step : chain.steps) {
    finished.layers.push_back(made[step.index].layer);
    finished.texts.push_back(plan.graph.nodes[step].text);
  }
  AssembledImage assembled;
  ASSIGN_OR_RETURN(assembled.exported,
                   ChooseLayers(finished, options, store));
  assembled.chain = finished;
  if (assembled.exported.problem.has_value()) {
    return assembled;
  }
  std::vector<LayerId> layers = finished.base_layers;
  std::set<uint32_t> with_layer;
  int without_step = 0;
  for (const OwnLayer& own : assembled.exported.own) {
    layers.push_back(own.id);
    if (own.step > 0) {
      with_layer.insert(chain.steps[own.step - 1].index);
    } else {
      ++without_step;
    }
  }
  ir::ImageDocument document;
  document.config = target.config;
  document.history =
      MakeHistory(plan, target, made, with_layer, options.now);
  if (plan.options.source_date_epoch.has_value()) {
    document.created = ir::FormatTime(*plan.options.source_date_epoch);
  } else if (!document.history.empty()) {
    document.created = document.history.back().created;
  } else {
    document.created = ir::FormatTime(options.now);
  }
  for (int i = 0; i < without_step; ++i) {
    document.history.push_back({.created = document.created,
                                .created_by = "lamina layout",
                                .comment = std::string(kLayoutComment)});
  }
  for (LayerId id : layers) {
    ASSIGN_OR_RETURN(Layer layer, store.GetLayer(id));
    if (!layer.diff_id.has_value()) {
      ASSIGN_OR_RETURN(LayerBlob blob, EnsureBlob(id, store, options.layers));
      layer.diff_id = blob.diff_id;
    }
    document.diff_ids.push_back(*layer.diff_id);
  }
  ASSIGN_OR_RETURN(assembled.image,
                   store.AddImage(ir::PrintImageDocument(document), layers,
                                  options.tags));
  return assembled;
}

}  // namespace lamina::backend
