// Answers what the optimiser asks about the user's folders and the bases.
#pragma once

#include "backend/plan.h"
#include "backend/store/store.h"
#include "ir/pass.h"

namespace lamina::backend {

// Looks only when it is asked; what cannot be read is not known. `options` and
// `store`, which may be null, must outlive the result.
ir::Facts MakeFacts(const PlanOptions& options, Store* store);

}  // namespace lamina::backend
