#include "pdl/metrics/metrics.h"

namespace pdl {

std::string_view name_of(RunStatus status) {
  switch (status) {
    case RunStatus::kFinished:
      return "finished";
    case RunStatus::kEarlyStopped:
      return "early_stopped";
    case RunStatus::kInterrupted:
      return "interrupted";
    case RunStatus::kTimeLimit:
      return "time_limit";
    case RunStatus::kDiverged:
      return "diverged";
  }
  return "";
}

}  // namespace pdl
