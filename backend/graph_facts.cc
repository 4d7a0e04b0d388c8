#include "backend/graph_facts.h"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "backend/copy.h"
#include "backend/layer_stacks.h"
#include "base/status.h"

namespace lamina::backend {
namespace {

class FactFinder {
 public:
  FactFinder(const PlanOptions& options, Store* store)
      : options_(options), store_(store) {
    if (store != nullptr) {
      stacks_.emplace(*store);
    }
  }

  absl::StatusOr<std::vector<ir::Facts::Picked>> List(const ir::Copy& copy,
                                                      const std::string& name) {
    ASSIGN_OR_RETURN(const SourceTree* source, Context(name));
    ASSIGN_OR_RETURN(CopyListing listing, ListSources(copy, {source}));
    std::vector<ir::Facts::Picked> picks;
    for (PickedItem& picked : listing.items) {
      if (picked.archive) {
        return absl::UnimplementedError("what an archive holds is not known");
      }
      picks.push_back({std::move(picked.name), picked.from_folder,
                       std::move(picked.item.entry)});
    }
    return picks;
  }

  absl::StatusOr<const ir::Tree*> BaseTree(const ir::BaseImage& base) {
    if (store_ == nullptr || base.image_id.empty()) {
      return absl::NotFoundError("the base is not in the store");
    }
    ASSIGN_OR_RETURN(NodeResult result, BaseResult(base, options_, store_));
    return stacks_->Fold(base.image_id.hex(), result.layers);
  }

 private:
  absl::StatusOr<const SourceTree*> Context(const std::string& name) {
    auto known = sources_.find(name);
    if (known == sources_.end()) {
      auto context = options_.contexts.find(name);
      if (context == options_.contexts.end()) {
        return absl::NotFoundError("there is no such context");
      }
      ASSIGN_OR_RETURN(
          SourceTree tree,
          OpenContextFolder(context->second.path, context->second.ignore));
      known = sources_.emplace(name, std::move(tree)).first;
    }
    return &known->second;
  }

  const PlanOptions& options_;
  Store* store_;
  std::optional<LayerStacks> stacks_;
  std::map<std::string, SourceTree> sources_;
};

}  // namespace

ir::Facts MakeFacts(const PlanOptions& options, Store* store) {
  auto finder = std::make_shared<FactFinder>(options, store);
  ir::Facts facts;
  facts.no_cache_stages = options.no_cache_stages;
  facts.list_copy = [finder](const ir::Copy& copy, const ir::LocalFiles& from)
      -> std::optional<std::vector<ir::Facts::Picked>> {
    auto picks = finder->List(copy, from.name);
    return picks.ok() ? std::optional(*std::move(picks)) : std::nullopt;
  };
  facts.base_tree = [finder](const ir::BaseImage& base) -> const ir::Tree* {
    return finder->BaseTree(base).value_or(nullptr);
  };
  return facts;
}

}  // namespace lamina::backend
