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

bool IsCopy(const ir::Node& node) {
  return std::holds_alternative<ir::Copy>(node.op);
}

}  // namespace

Digest StepKey(const ir::Node& node, const std::vector<NodeResult>& results,
               const std::vector<CopyListing>& listings,
               const PlanOptions& options) {
  Hasher hasher;
  hasher.UpdateField("lamina step 2");
  hasher.UpdateField(ir::PrintOp(KeyedPart(node.op)));
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    const NodeResult& input = Result(results, node.inputs[i]);
    bool listed = i > 0 && IsCopy(node) && !listings.empty() &&
                  input.remote.empty();
    hasher.UpdateField(listed ? "listed" : input.chain.hex());
  }
  for (const CopyListing& listing : listings) {
    bool owners = IsCopy(node) && std::get<ir::Copy>(node.op).preserve_owner;
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
  hasher.UpdateField("lamina prefix 2");
  hasher.UpdateField(ir::PrintOp(KeyedPart(node.op)));
  hasher.UpdateField(Result(results, node.inputs[0]).chain.hex());
  return hasher.Finish();
}

std::string StepInputs(const ir::Node& node,
                       const std::vector<NodeResult>& results,
                       const std::vector<CopyListing>& listings) {
  std::string out = absl::StrCat(
      "op ", Sha256(ir::PrintOp(KeyedPart(node.op))).hex(), "\n");
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    const NodeResult& input = Result(results, node.inputs[i]);
    std::string name =
        input.remote.empty() ? absl::StrCat("input", i) : input.remote;
    absl::StrAppend(&out, name, " ", input.chain.hex(), "\n");
  }
  for (const CopyListing& listing : listings) {
    absl::StrAppend(&out, "files\n", ListingSummary(listing));
  }
  return out;
}

}  // namespace lamina::backend
