// What a step's cache key is made of, and how to name the part that changed.
#include "absl/strings/str_cat.h"
#include "backend/plan.h"
#include "base/status.h"

namespace lamina::backend {
namespace {

// Proxies reach the process but not the key (image-config.md 4).
ir::Op KeyedPart(const ir::Op& op) {
  ir::Op keyed = op;
  if (auto* run = std::get_if<ir::Run>(&keyed)) {
    run->hidden_env.clear();
  }
  return keyed;
}

const NodeResult& Result(const std::vector<NodeResult>& results,
                         ir::NodeId id) {
  CHECK(id.index < results.size());
  return results[id.index];
}

bool HasListing(const ir::Node& node, const CopyListing& listing) {
  return std::holds_alternative<ir::Copy>(node.op) && !listing.items.empty();
}

}  // namespace

Digest StepKey(const ir::Node& node, const std::vector<NodeResult>& results,
               const CopyListing& listing, const PlanOptions& options) {
  Hasher hasher;
  hasher.UpdateField("lamina step 1");
  hasher.UpdateField(ir::PrintOp(KeyedPart(node.op)));
  for (ir::NodeId input : node.inputs) {
    hasher.UpdateField(Result(results, input).chain.hex());
  }
  if (HasListing(node, listing)) {
    bool owners = std::get<ir::Copy>(node.op).preserve_owner;
    hasher.UpdateField(ListingDigest(listing, owners).hex());
  }
  if (std::holds_alternative<ir::MakeDir>(node.op) &&
      options.source_date_epoch.has_value()) {
    hasher.UpdateField(absl::StrCat(*options.source_date_epoch));
  }
  return hasher.Finish();
}

Digest PrefixKey(const ir::Node& node,
                 const std::vector<NodeResult>& results) {
  Hasher hasher;
  hasher.UpdateField("lamina prefix 1");
  hasher.UpdateField(ir::PrintOp(KeyedPart(node.op)));
  for (ir::NodeId input : node.inputs) {
    hasher.UpdateField(Result(results, input).chain.hex());
  }
  return hasher.Finish();
}

std::string StepInputs(const ir::Node& node,
                       const std::vector<NodeResult>& results,
                       const CopyListing& listing) {
  std::string out = absl::StrCat(
      "op ", Sha256(ir::PrintOp(KeyedPart(node.op))).hex(), "\n");
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    absl::StrAppend(&out, "input", i, " ",
                    Result(results, node.inputs[i]).chain.hex(), "\n");
  }
  if (HasListing(node, listing)) {
    absl::StrAppend(&out, "files\n", ListingSummary(listing));
  }
  return out;
}

}  // namespace lamina::backend
