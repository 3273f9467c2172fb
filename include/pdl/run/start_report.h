// What a run says before its first step, and what it refuses to start with.
#pragma once

#include "pdl/metrics/metrics.h"
#include "pdl/run/job.h"

namespace pdl {

// The figures of the start report. Throws DataError if the tokens of count 0 hold more of the loss
// weight of the training targets than pdl_max_unseen_share.
StartMetrics start_metrics(const Job& job);

}  // namespace pdl
