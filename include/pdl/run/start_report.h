// The report before the first step, and the check that may prevent the start.
#pragma once

#include "pdl/metrics/metrics.h"
#include "pdl/run/job.h"

namespace pdl {

// Returns the figures of the start report. Throws DataError if tokens of count 0 hold more than
// pdl_max_unseen_share of the loss weight of the training targets.
StartMetrics start_metrics(const Job& job);

}  // namespace pdl
