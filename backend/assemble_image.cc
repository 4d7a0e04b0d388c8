#include "backend/assemble_image.h"

#include <algorithm>
#include <utility>

#include "backend/executor.h"
#include "backend/formats/formats.h"
#include "base/status.h"

namespace lamina::backend {
namespace {

// Times follow image-config.md 3: a layer's entry has the time its step ran,
// entries without layer take the time of the first new layer or of the layer
// before them. Without any new layer the base's time stays.
std::vector<ir::HistoryEntry> MakeHistory(const Plan& plan,
                                          const ir::Target& target,
                                          const std::vector<MadeStep>& made,
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
      entry.empty_layer = !step_made.layer.has_value();
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

}  // namespace

absl::StatusOr<Image> AssembleImage(const Plan& plan,
                                    const ir::Target& target,
                                    const std::vector<NodeResult>& results,
                                    const std::vector<MadeStep>& made,
                                    Store& store,
                                    const ExecuteOptions& options) {
  ir::ImageDocument document;
  document.config = target.config;
  document.history = MakeHistory(plan, target, made, options.now);
  if (plan.options.source_date_epoch.has_value()) {
    document.created = ir::FormatTime(*plan.options.source_date_epoch);
  } else if (!document.history.empty()) {
    document.created = document.history.back().created;
  } else {
    document.created = ir::FormatTime(options.now);
  }
  const std::vector<LayerId>& layers = results[target.root.index].layers;
  for (LayerId id : layers) {
    ASSIGN_OR_RETURN(Layer layer, store.GetLayer(id));
    if (!layer.diff_id.has_value()) {
      ASSIGN_OR_RETURN(LayerBlob blob, EnsureBlob(id, store, options.layers));
      layer.diff_id = blob.diff_id;
    }
    document.diff_ids.push_back(*layer.diff_id);
  }
  return store.AddImage(ir::PrintImageDocument(document), layers,
                        options.tags);
}

}  // namespace lamina::backend
