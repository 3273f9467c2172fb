#include "pdl/metrics/run_files.h"

#include "pdl/metrics/metrics.h"

namespace pdl {

bool is_finished(std::string_view status) {
  return status == name_of(RunStatus::kFinished) || status == name_of(RunStatus::kEarlyStopped);
}

}  // namespace pdl
