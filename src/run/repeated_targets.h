// What a job's model finds most probable at each target of eval_files.
#pragma once

#include "pdl/quality/repetition.h"
#include "pdl/run/job.h"

namespace pdl {

// Runs the model over the sequences that an evaluation covers. Leaves it in evaluation mode.
RepetitionFigures repetition_of(const Job& job);

}  // namespace pdl
