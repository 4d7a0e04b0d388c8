#include "backend/predicted_diffs.h"

#include <algorithm>
#include <utility>

#include "backend/copy.h"
#include "base/status.h"

namespace lamina::backend {
namespace {

class Predictor {
 public:
  Predictor(const Plan& plan, const std::vector<int>& steps_of_nodes,
            Store* store)
      : plan_(plan), steps_of_nodes_(steps_of_nodes), store_(store) {}

  absl::StatusOr<PredictedDiffs> Predict(const TargetChain& chain) {
    RETURN_IF_ERROR(ReadBase(chain));
    tree_ = result_.chain.base;
    for (ir::NodeId id : chain.steps) {
      int position = steps_of_nodes_[id.index];
      CHECK(position >= 0);
      const Step& step = plan_.steps[position];
      ir::StepDiff diff;
      Estimate estimate;
      RETURN_IF_ERROR(PredictStep(step, diff, estimate));
      estimate.low = estimate.high = estimate.mean.value_or(0);
      result_.complete = result_.complete && estimate.mean.has_value();
      tree_.Apply(diff);
      result_.chain.layers.push_back(
          step.record.has_value() ? step.record->layer : std::nullopt);
      result_.chain.diffs.push_back(std::move(diff));
      result_.bytes.push_back(std::move(estimate));
    }
    return std::move(result_);
  }

 private:
  absl::Status ReadBase(const TargetChain& chain) {
    const ir::Op& base = plan_.graph.nodes[chain.base].op;
    if (UnknownBase(base).has_value()) {
      result_.complete = false;
      return absl::OkStatus();
    }
    ASSIGN_OR_RETURN(NodeResult below, BaseResult(base, plan_.options, store_));
    result_.chain.base_layers = below.layers;
    result_.base_bytes = 0;
    for (LayerId id : below.layers) {
      ASSIGN_OR_RETURN(ir::StepDiff diff, store_->ReadDiff(id));
      *result_.base_bytes += DiffBytes(diff);
      result_.chain.base.Apply(diff);
    }
    return absl::OkStatus();
  }

  absl::Status PredictStep(const Step& step, ir::StepDiff& diff,
                           Estimate& estimate) {
    if (step.record.has_value()) {
      RETURN_IF_ERROR(Recorded(*step.record, diff));
      Set(diff, "recorded", /*exact=*/true, estimate);
      return absl::OkStatus();
    }
    const ir::Op& op = plan_.graph.nodes[step.node].op;
    const auto* copy = std::get_if<ir::Copy>(&op);
    if (copy != nullptr && Place(step, *copy, diff)) {
      Set(diff, "context", /*exact=*/true, estimate);
      return absl::OkStatus();
    }
    const auto* folder = std::get_if<ir::MakeDir>(&op);
    if (folder != nullptr) {
      absl::StatusOr<ir::StepDiff> made =
          PlaceFolder(*folder, tree_, NoText(), 0);
      diff = made.ok() ? *std::move(made) : ir::StepDiff();
      Set(diff, "computed", made.ok(), estimate);
      return absl::OkStatus();
    }
    // A RUN without a layer may have left its files to the next one of its
    // sandbox: that is not known to be nothing.
    bool told = step.earlier.has_value() &&
                (step.earlier->layer.has_value() ||
                 !std::holds_alternative<ir::Run>(op));
    if (told && Recorded(*step.earlier, diff).ok()) {
      Set(diff, "last build", /*exact=*/false, estimate);
      return absl::OkStatus();
    }
    diff = ir::StepDiff();
    estimate.source = "unknown";
    return absl::OkStatus();
  }

  absl::Status Recorded(const StepRecord& record, ir::StepDiff& diff) {
    if (!record.layer.has_value()) {
      return absl::OkStatus();
    }
    ASSIGN_OR_RETURN(diff, store_->ReadDiff(*record.layer));
    return absl::OkStatus();
  }

  // True when the files were listed and none of them is an archive to unpack.
  bool Place(const Step& step, const ir::Copy& copy, ir::StepDiff& diff) {
    const ir::Node& node = plan_.graph.nodes[step.node];
    bool listed = step.listings.size() == 1 && !step.listings[0].items.empty();
    if (node.inputs.size() > 1 && !listed) {
      return false;
    }
    CopyListing none;
    const CopyListing& listing = listed ? step.listings[0] : none;
    for (const PickedItem& item : listing.items) {
      if (item.archive) {
        return false;
      }
    }
    // No member of an archive is placed, so nothing is opened or written.
    absl::StatusOr<PlacedCopy> placed =
        PlaceCopy(copy, listing, {}, tree_, NoText(), PlaceOptions());
    if (!placed.ok()) {
      return false;
    }
    diff = std::move(placed->diff);
    return true;
  }

  // Names of owners do not change sizes.
  static ReadText NoText() {
    return [](const std::string&) -> absl::StatusOr<std::string> {
      return std::string();
    };
  }

  static void Set(const ir::StepDiff& diff, absl::string_view source,
                  bool exact, Estimate& estimate) {
    estimate.mean = static_cast<double>(DiffBytes(diff));
    estimate.source = std::string(source);
    estimate.exact = exact;
  }

  const Plan& plan_;
  const std::vector<int>& steps_of_nodes_;
  Store* store_;
  ir::Tree tree_;
  PredictedDiffs result_;
};

}  // namespace

absl::StatusOr<std::vector<Estimate>> RecordedSizes(const Plan& plan,
                                                    Store* store) {
  std::vector<ir::NodeId> own =
      FindChain(plan.graph, plan.graph.targets[0]).steps;
  std::vector<Estimate> sizes;
  for (const Step& step : plan.steps) {
    Estimate& size = sizes.emplace_back(Estimate{.source = "unknown"});
    const std::optional<StepRecord>& record =
        step.record.has_value() ? step.record : step.earlier;
    bool is_own = std::find(own.begin(), own.end(), step.node) != own.end();
    if (store == nullptr || !record.has_value() || is_own) {
      continue;
    }
    size.mean = 0;
    size.exact = step.record.has_value();
    size.source = size.exact ? "recorded" : "last build";
    if (record->layer.has_value()) {
      absl::StatusOr<ir::StepDiff> diff = store->ReadDiff(*record->layer);
      if (!diff.ok()) {  // Of a run that the store has forgotten.
        size = Estimate{.source = "unknown"};
        continue;
      }
      size.mean = static_cast<double>(DiffBytes(*diff));
    }
    size.low = size.high = *size.mean;
  }
  return sizes;
}

uint64_t DiffBytes(const ir::StepDiff& diff) {
  uint64_t bytes = 0;
  for (const ir::Entry& entry : diff.entries) {
    bytes += 512 + (entry.type == ir::EntryType::kFile ? entry.size : 0);
  }
  return bytes;
}

std::vector<int> StepsOfNodes(const Plan& plan) {
  std::vector<int> positions(plan.graph.nodes.size(), -1);
  for (size_t i = 0; i < plan.steps.size(); ++i) {
    positions[plan.steps[i].node.index] = static_cast<int>(i);
  }
  return positions;
}

absl::StatusOr<PredictedDiffs> PredictDiffs(
    const Plan& plan, const TargetChain& chain,
    const std::vector<int>& steps_of_nodes, Store* store) {
  return Predictor(plan, steps_of_nodes, store).Predict(chain);
}

}  // namespace lamina::backend
