// Which of the steps that could start is the most urgent.
#pragma once

#include <vector>

#include "backend/plan.h"

namespace lamina::backend {

// By position in Plan::steps: the seconds from its start to the end of the
// build if every step took the time that earlier builds say, and no step had
// to wait for another than its inputs. Cached steps take none; a step that was
// never built is guessed by its kind.
std::vector<double> RemainingSeconds(const Plan& plan);

}  // namespace lamina::backend
