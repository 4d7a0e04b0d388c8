// The step cache: which step left which layer.
//
// A record has no data of its own. When power loss costs it its layer, the
// next Open drops it, too.
#include "backend/store/store_impl.h"
#include "base/status.h"

namespace lamina::backend {
namespace {

absl::StatusOr<std::optional<StepRecord>> ReadStep(Query& query) {
  ASSIGN_OR_RETURN(bool found, query.Next());
  if (!found) {
    return std::nullopt;
  }
  StepRecord record = {.key = query.GetDigest(0),
                       .seconds = query.Double(2),
                       .created = query.Int(3),
                       .name = query.Text(4),
                       .inputs = query.Text(5)};
  if (!query.IsNull(1)) {
    record.layer = query.Int(1);
  }
  return record;
}

}  // namespace

absl::StatusOr<std::optional<StepRecord>> Store::FindStep(const Digest& key) {
  std::optional<StepRecord> record;
  std::optional<Layer> layer;
  {
    std::lock_guard lock(impl_->mutex);
    ASSIGN_OR_RETURN(
        Query query,
        impl_->database.Ask("SELECT key, layer, seconds, created, name, "
                            "inputs FROM steps WHERE key = ?",
                            key));
    ASSIGN_OR_RETURN(record, ReadStep(query));
    if (!record.has_value() || !record->layer.has_value()) {
      return record;
    }
    ASSIGN_OR_RETURN(layer, impl_->FindLayerRow(*record->layer));
  }
  // A layer that somebody deleted is a miss, not an error.
  if (!layer.has_value()) {
    return std::nullopt;
  }
  ASSIGN_OR_RETURN(bool present, CheckPresent(*layer));
  return present ? record : std::nullopt;
}

absl::StatusOr<std::optional<StepRecord>> Store::LatestStep(
    const std::string& name) {
  std::lock_guard lock(impl_->mutex);
  ASSIGN_OR_RETURN(
      Query query,
      impl_->database.Ask("SELECT key, layer, seconds, created, name, inputs "
                          "FROM steps WHERE name = ? ORDER BY id DESC LIMIT 1",
                          name));
  return ReadStep(query);
}

absl::Status Store::AddStep(const StepRecord& record) {
  std::lock_guard lock(impl_->mutex);
  return impl_->database.Run(
      "INSERT OR REPLACE INTO steps(key, layer, seconds, created, name, "
      "inputs) VALUES(?, ?, ?, ?, ?, ?)",
      record.key, record.layer, record.seconds, record.created, record.name,
      record.inputs);
}

}  // namespace lamina::backend
