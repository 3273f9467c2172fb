#include "pdl/ops/evaluate_positions.h"

#include "biased_cross_entropy.h"
#include "cpu_targets.h"
#include "logits_view.h"
#include "pdl/base/error.h"

namespace pdl {

PositionEvaluations evaluate_positions(const at::Tensor& logits, const at::Tensor& targets,
                                       const CountedVocabulary& vocabulary) {
  const at::Tensor& bands = vocabulary.bands;
  const bool fits = logits.dim() == 3 && targets.dim() == 2 && logits.size(0) == targets.size(0) &&
                    logits.size(1) == targets.size(1) && logits.size(2) == bands.size(0) &&
                    targets.scalar_type() == at::kLong && logits.device() == targets.device() &&
                    logits.device() == bands.device();
  if (!fits) {
    throw Error(ExitCode::kInternal,
                "evaluate_positions: logits, targets and vocabulary disagree in shape, dtype or "
                "device");
  }
  at::Tensor rows = view_as_rows(logits);
  if (!rows.defined()) rows = view_as_rows(logits.contiguous());
  const at::Tensor flat_targets = targets.reshape(-1);
  if (rows.is_cpu()) checked_targets(flat_targets, rows.size(1));
  if (has_cpu_kernels(rows)) return cpu_evaluate_positions(rows, flat_targets, vocabulary);
  PositionEvaluations result = has_cuda_kernels(rows)
                                   ? cuda_evaluate_positions(rows, flat_targets, bands)
                                   : reference_evaluate_positions(rows, flat_targets, bands);
  if (vocabulary.has_biases())
    result.biased_ce = reference_biased_cross_entropy(rows, flat_targets, vocabulary);
  return result;
}

}  // namespace pdl
