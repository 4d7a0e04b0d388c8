#include "backend/export_layers.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "backend/layer_contents.h"
#include "backend/tar_fold.h"
#include "base/status.h"
#include "ir/layout/net_diff.h"

namespace lamina::backend {
namespace {

using ir::Entry;
using ir::EntryType;

constexpr uint64_t kMostText = 64 << 20;  // Bytes of a package data base.

// One layer that is to be: what it says, and what it leaves of the chain.
struct LayerPlan {
  ir::StepDiff diff;
  int first = 0;         // Of a segment: its first and
  int last = 0;          // last step.
  int history_step = 0;  // See OwnLayer::step.
  std::optional<LayerId> made;  // The layer of a step as it is.
};

class Exporter {
 public:
  Exporter(const FinishedChain& chain, const ExportPolicy& policy,
           const LayerWriterOptions& options, Store& store)
      : finished_(chain), policy_(policy), options_(options), store_(store),
        contents_(Stack(chain), store) {}

  absl::StatusOr<ExportedLayers> Run() {
    int limit = OwnLimit(policy_, finished_.base_layers.size());
    if (policy_.mode == ir::LayoutMode::kVerbatim || StepLayers() < 2) {
      RETURN_IF_ERROR(Verbatim());
      if (policy_.max_layers > 0 && !result_.own.empty() &&
          static_cast<int>(result_.own.size()) > limit) {
        RETURN_IF_ERROR(PlanWithin());
        CHECK(result_.problem.has_value());
        result_.layout.reset();
        result_.own.clear();
      }
      return std::move(result_);
    }
    RETURN_IF_ERROR(PlanWithin());
    if (result_.problem.has_value()) {
      return std::move(result_);
    }
    RETURN_IF_ERROR(result_.layout->mode == ir::LayoutMode::kPartition
                        ? PlanParts()
                        : PlanSegments());
    RETURN_IF_ERROR(Emit());
    if (!result_.mismatch.empty()) {
      result_.layout.reset();
      result_.own.clear();
      RETURN_IF_ERROR(Verbatim());
    }
    return std::move(result_);
  }

 private:
  // Layers of base and steps, bottom to top; a tree that is folded from them
  // numbers them like this.
  static std::vector<LayerId> Stack(const FinishedChain& chain) {
    std::vector<LayerId> stack = chain.base_layers;
    for (const std::optional<LayerId>& layer : chain.layers) {
      if (layer.has_value()) {
        stack.push_back(*layer);
      }
    }
    return stack;
  }

  size_t StepLayers() const {
    return std::count_if(finished_.layers.begin(), finished_.layers.end(),
                         [](const auto& layer) { return layer.has_value(); });
  }

  // --- one layer a step ----------------------------------------------------

  absl::Status Verbatim() {
    for (size_t i = 0; i < finished_.layers.size(); ++i) {
      int step = static_cast<int>(i) + 1;
      if (finished_.layers[i].has_value()) {
        result_.own.push_back({*finished_.layers[i], step, step, step});
      } else if (policy_.keep_empty) {
        ASSIGN_OR_RETURN(LayerId empty, AddLayer(ir::StepDiff()));
        result_.own.push_back({empty, step, step, step});
      }
    }
    return absl::OkStatus();
  }

  // --- layout --------------------------------------------------------------

  absl::Status PlanWithin() {
    bool partition = policy_.mode == ir::LayoutMode::kPartition;
    ASSIGN_OR_RETURN(chain_, ReadChainDiffs(finished_.base_layers,
                                            finished_.layers, partition,
                                            store_));
    ir::Trace trace = MakeTrace(chain_);
    for (size_t i = 0; i < trace.steps.size(); ++i) {
      trace.steps[i].text = finished_.texts[i];
    }
    trace.epochs = policy_.epochs;
    trace.cuts = policy_.cuts;
    ir::LayoutOptions options =
        MakeLayoutOptions(policy_, finished_.base_layers.size());
    ir::Tree final_tree;
    if (partition) {
      final_tree = chain_.base;
      ApplySteps(final_tree, 0, static_cast<int>(chain_.diffs.size()));
      options.read_text = [&](const std::string& path) {
        return ReadFinal(final_tree, path);
      };
    }
    ASSIGN_OR_RETURN(
        ir::LayoutResult planned,
        ir::PlanLayout(trace, options,
                       policy_.lock.has_value() ? &*policy_.lock : nullptr));
    result_.layout = std::move(planned.layout);
    result_.problem = std::move(planned.problem);
    return absl::OkStatus();
  }

  // A small text of the final tree: a package data base.
  std::optional<std::string> ReadFinal(const ir::Tree& tree,
                                       const std::string& path) {
    absl::StatusOr<std::string> real = tree.Resolve(path, true);
    const ir::Tree::Item* item = real.ok() ? tree.Find(*real) : nullptr;
    if (item == nullptr || item->entry.type != EntryType::kFile) {
      return std::nullopt;
    }
    absl::StatusOr<ContentPart> part = Open(tree, item->entry);
    if (!part.ok()) {
      return std::nullopt;
    }
    std::string text(std::min<uint64_t>(item->entry.size, kMostText), '\0');
    absl::StatusOr<size_t> size =
        ReadFull(part->fd.get(), text.data(), text.size());
    if (!size.ok()) {
      return std::nullopt;
    }
    text.resize(*size);
    return text;
  }

  // Neighbouring steps: a segment with one layer in it is that layer.
  absl::Status PlanSegments() {
    ir::Tree tree = chain_.base;
    int done = 0;
    for (const ir::LayoutLayer& layer : result_.layout->layers) {
      LayerPlan plan;
      ApplySteps(tree, done, layer.first - 1);
      std::vector<size_t> with_layer;
      for (int step = layer.first; step <= layer.last; ++step) {
        if (finished_.layers[step - 1].has_value()) {
          with_layer.push_back(step - 1);
        }
      }
      CHECK(!with_layer.empty());
      plan.first = layer.first;
      plan.last = layer.last;
      plan.history_step = static_cast<int>(with_layer.back()) + 1;
      if (with_layer.size() == 1) {
        plan.made = finished_.layers[with_layer[0]];
        plan.diff = chain_.diffs[with_layer[0]];
        ApplySteps(tree, layer.first - 1, layer.last);
      } else {
        ir::Tree before = tree;
        ApplySteps(tree, layer.first - 1, layer.last);
        plan.diff = ir::NetDiff(before, tree);
        RETURN_IF_ERROR(FillDigests(plan.diff, tree));
      }
      done = layer.last;
      plans_.push_back(std::move(plan));
    }
    return absl::OkStatus();
  }

  // Steps from + 1 .. to.
  void ApplySteps(ir::Tree& tree, int from, int to) {
    for (int step = from + 1; step <= to; ++step) {
      if (finished_.layers[step - 1].has_value()) {
        tree.Apply(chain_.diffs[step - 1]);
      }
    }
  }

  // Parts of the final tree.
  absl::Status PlanParts() {
    final_tree_ = chain_.base;
    ApplySteps(final_tree_, 0, static_cast<int>(chain_.diffs.size()));
    ir::StepDiff net = ir::NetDiff(chain_.base, final_tree_);
    RETURN_IF_ERROR(FillDigests(net, final_tree_));
    std::map<std::string, size_t> part_of;
    const std::vector<ir::LayoutLayer>& layers = result_.layout->layers;
    for (size_t i = 0; i < layers.size(); ++i) {
      for (const std::string& path : layers[i].paths) {
        part_of[path] = i;
      }
    }
    std::vector<ir::StepDiff> parts = ir::SplitDiff(
        net, layers.size(),
        [&](const std::string& path) {
          auto part = part_of.find(path);
          return part == part_of.end() ? 0 : part->second;
        },
        ir::TypeChanges(chain_.base, net));
    for (ir::StepDiff& part : parts) {
      if (!part.entries.empty()) {
        plans_.push_back({.diff = std::move(part)});
      }
    }
    return absl::OkStatus();
  }

  // The steps' own bytes, read and hashed here and not by the writer: what the
  // written tar is compared with.
  absl::Status FillDigests(ir::StepDiff& diff, const ir::Tree& tree) {
    std::string buffer(1 << 20, '\0');
    for (Entry& entry : diff.entries) {
      if (entry.type != EntryType::kFile || !entry.digest.empty()) {
        continue;
      }
      ASSIGN_OR_RETURN(ContentPart part, Open(tree, entry));
      Hasher hasher;
      uint64_t left = part.size.value_or(UINT64_MAX);
      while (left > 0) {
        size_t want = std::min<uint64_t>(buffer.size(), left);
        ASSIGN_OR_RETURN(size_t got,
                         ReadFull(part.fd.get(), buffer.data(), want));
        hasher.Update(buffer.data(), got);
        left -= got;
        if (got < want) {
          break;
        }
      }
      entry.digest = hasher.Finish();
      known_[Inode(*tree.Find(entry.path))] = entry.digest;
    }
    return absl::OkStatus();
  }

  absl::StatusOr<ContentPart> Open(const ir::Tree& tree, const Entry& entry) {
    const ir::Tree::Item* item = tree.Find(entry.path);
    CHECK(item != nullptr);
    auto [layer, path] = Inode(*item);
    return contents_.Open(layer, path);
  }

  // The layer of the stack and the path in it that have the bytes.
  static std::pair<uint32_t, std::string> Inode(const ir::Tree::Item& item) {
    return {item.layer,
            item.entry.link.empty() ? item.entry.path : item.entry.link};
  }

  // --- emission and proof --------------------------------------------------

  absl::Status Emit() {
    bool parts = result_.layout->mode == ir::LayoutMode::kPartition;
    int steps = static_cast<int>(chain_.diffs.size());
    ir::Tree tree = parts ? std::move(final_tree_) : chain_.base;
    fold_.StartFrom(ir::StatesOf(chain_.base));
    int done = parts ? steps : 0;
    for (size_t i = 0; i < plans_.size() && result_.mismatch.empty(); ++i) {
      LayerPlan& plan = plans_[i];
      bool last = i + 1 == plans_.size();
      if (!parts) {
        int until = last ? steps : plan.last;
        ApplySteps(tree, done, until);
        done = until;
      }
      if (plan.made.has_value()) {
        FoldRecorded(plan.diff);
      } else {
        ASSIGN_OR_RETURN(plan.made, WriteMerged(plan, tree));
      }
      result_.own.push_back(
          {*plan.made, plan.history_step, plan.first, plan.last});
      // Every prefix of a chain is a real state, parts are only one together.
      if (!parts || last) {
        Compare(tree, last);
      }
    }
    return absl::OkStatus();
  }

  // The layer of a step as it is: nothing was rewritten that could be wrong.
  void FoldRecorded(const ir::StepDiff& diff) {
    ir::PathStates states = fold_.states();
    ir::ApplyEvents(EventsOfStep(diff), states);
    fold_.StartFrom(std::move(states));
  }

  static std::vector<ir::PathEvent> EventsOfStep(const ir::StepDiff& diff) {
    ChainDiffs one;
    one.diffs.push_back(diff);
    one.layers.emplace_back();
    return MakeTrace(one).steps[0].events;
  }

  absl::StatusOr<LayerId> WriteMerged(LayerPlan& plan, const ir::Tree& tree) {
    Digest chain = LayoutChain(plan.diff);
    ASSIGN_OR_RETURN(std::optional<Layer> known, store_.FindLayer(chain));
    if (known.has_value() && known->diff_id.has_value()) {
      FoldRecorded(plan.diff);  // Proved when it was written.
      return known->id;
    }
    LayerWriterOptions options = options_;
    options.tee = [this](absl::string_view bytes) { return fold_.Add(bytes); };
    OpenContentPart open = [&](const Entry& entry) {
      return Open(tree, entry);
    };
    ir::StepDiff written = plan.diff;
    std::string file = JoinPath(store_.scratch(),
                                absl::StrCat("layout-", chain.hex()));
    ASSIGN_OR_RETURN(LayerBlob blob, WriteLayer(written, open, options, file));
    RETURN_IF_ERROR(fold_.EndLayer());
    return Publish(plan.diff, chain, blob, file);
  }

  absl::StatusOr<LayerId> AddLayer(ir::StepDiff diff) {
    Digest chain = LayoutChain(diff);
    ASSIGN_OR_RETURN(std::optional<Layer> known, store_.FindLayer(chain));
    if (known.has_value()) {
      return known->id;
    }
    std::string file = JoinPath(store_.scratch(),
                                absl::StrCat("layout-", chain.hex()));
    OpenContent none = [](const Entry& entry) -> absl::StatusOr<UniqueFd> {
      return absl::InternalError(absl::StrCat("no bytes for ", entry.path));
    };
    ASSIGN_OR_RETURN(LayerBlob blob, WriteLayer(diff, none, options_, file));
    return Publish(diff, chain, blob, file);
  }

  absl::StatusOr<LayerId> Publish(const ir::StepDiff& diff,
                                  const Digest& chain, const LayerBlob& blob,
                                  const std::string& file) {
    ASSIGN_OR_RETURN(LayerId reserved, store_.ReserveLayer());
    RETURN_IF_ERROR(store_.PublishBlob(file, blob.digest));
    ASSIGN_OR_RETURN(Layer layer, store_.AddLayer(reserved, chain, diff,
                                                  /*unpacked=*/false));
    RETURN_IF_ERROR(store_.SetBlob(layer.id, blob, nullptr));
    return layer.id;
  }

  // A layer of a layout is what it says, whatever lies below it: no entry of
  // ours refers to lower layers.
  static Digest LayoutChain(const ir::StepDiff& diff) {
    return Sha256(absl::StrCat("lamina layout layer 1\n",
                               ir::PrintStepDiff(diff)));
  }

  void Compare(const ir::Tree& tree, bool last) {
    ir::PathStates reference = ir::StatesOf(tree);
    for (auto& [path, state] : reference) {
      const ir::Tree::Item* item = tree.Find(path);
      if (state.type != EntryType::kFile || item == nullptr ||
          !item->entry.digest.empty()) {
        continue;
      }
      // Read and hashed above; or part of a step's layer that is exported as
      // it is, which nobody hashed yet: both sides know it by its record.
      auto known = known_.find(Inode(*item));
      auto folded = fold_.states().find(path);
      if (known != known_.end()) {
        state.body = known->second.ToString();
      } else if (folded != fold_.states().end()) {
        state.body = folded->second.body;
      }
    }
    result_.mismatch = ir::CompareTrees(reference, fold_.states(), 20);
    if (last && result_.mismatch.empty()) {
      result_.tree_digest = ir::TreeDigest(fold_.states());
    }
  }

  const FinishedChain& finished_;
  const ExportPolicy& policy_;
  const LayerWriterOptions& options_;
  Store& store_;
  LayerContents contents_;
  ChainDiffs chain_;
  std::vector<LayerPlan> plans_;
  ir::Tree final_tree_;  // Partition only.
  // Digests of files that their step did not record, by Inode().
  std::map<std::pair<uint32_t, std::string>, Digest> known_;
  TarFold fold_;
  ExportedLayers result_;
};

}  // namespace

int OwnLimit(const ExportPolicy& policy, size_t base_layers) {
  return policy.max_layers - policy.head_room - static_cast<int>(base_layers);
}

ir::LayoutOptions MakeLayoutOptions(const ExportPolicy& policy,
                                    size_t base_layers) {
  ir::LayoutOptions options;
  options.mode = policy.mode;
  if (policy.max_layers > 0) {
    options.own_limit = OwnLimit(policy, base_layers);
  }
  options.leaf = policy.head_room == 0;
  options.keep_empty = policy.keep_empty;
  if (policy.mode == ir::LayoutMode::kChain) {
    options.published = policy.published;
  }
  options.weights.rho = policy.published.empty() ? 0 : 100;
  options.relayout = policy.relayout;
  options.target = policy.target;
  options.base = policy.base;
  options.writer = policy.writer;
  options.epochs_source = policy.epochs_source;
  return options;
}

absl::StatusOr<ExportedLayers> ExportLayers(const FinishedChain& chain,
                                            const ExportPolicy& policy,
                                            const LayerWriterOptions& options,
                                            Store& store) {
  return Exporter(chain, policy, options, store).Run();
}

}  // namespace lamina::backend
