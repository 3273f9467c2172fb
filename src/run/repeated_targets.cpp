#include "repeated_targets.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/argmax.h>
#include <ATen/ops/cat.h>

#include <algorithm>
#include <numeric>
#include <vector>

namespace pdl {
namespace {

// Returns the most probable token at each position with a target, [N]; of equals the lowest id.
at::Tensor most_probable(LanguageModel& model, const Batch& batch, int64_t chunk_positions) {
  const ModelInput input{batch.input_ids, batch.document_starts};
  if (chunk_positions == 0 && model.info().is_program)
    return at_target_positions(batch, model.forward(input).argmax(-1)).flatten();
  const at::Tensor hidden = at_target_positions(batch, model.hidden(input));
  const int64_t count = hidden.size(1);
  const int64_t most = chunk_positions > 0 ? chunk_positions : std::max<int64_t>(count, 1);
  const auto scope = model.compute_scope();
  std::vector<at::Tensor> parts;
  for (int64_t begin = 0; begin < count; begin += most) {
    const int64_t size = std::min(most, count - begin);
    parts.push_back(model.head(hidden.narrow(1, begin, size)).argmax(-1));
  }
  return at::cat(parts, /*dim=*/1).flatten();
}

std::vector<int32_t> targets_of(std::span<const Token> tokens) {
  std::vector<int32_t> targets;
  for (const Token token : tokens.subspan(1)) {
    if (token.is_trained()) targets.push_back(token.id());
  }
  return targets;
}

}  // namespace

RepetitionFigures repetition_of(const Job& job) {
  const at::NoGradGuard no_grad;
  job.model->set_training(false);
  const Sequences& sequences = *job.data.eval;
  const EvaluatorOptions options = evaluator_options(job);
  RepetitionFigures figures;
  for (int64_t begin = 0; begin < sequences.size(); begin += options.batch_size) {
    if (options.max_batches > 0 && begin / options.batch_size == options.max_batches) break;
    std::vector<int64_t> batch(
        static_cast<size_t>(std::min(options.batch_size, sequences.size() - begin)));
    std::iota(batch.begin(), batch.end(), begin);
    const at::Tensor tokens = most_probable(*job.model, make_batch(sequences, batch, options.batch),
                                            options.chunk_positions);
    const at::Tensor ids = tokens.to(at::kInt).cpu().contiguous();
    std::span<const int32_t> rest(ids.const_data_ptr<int32_t>(), static_cast<size_t>(ids.numel()));
    for (const int64_t row : batch) {
      const std::vector<int32_t> targets = targets_of(sequences.tokens(row));
      figures.add_row(targets, rest.first(targets.size()));
      rest = rest.subspan(targets.size());
    }
  }
  return figures;
}

}  // namespace pdl
