#include "pdl/trainer/step_figures.h"

#include <ATen/ops/stack.h>

namespace pdl {

at::Tensor pack_figures(const DeviceFigures& figures) {
  std::vector<at::Tensor> values;
  for (const at::Tensor& value :
       {figures.weighted_sum, figures.ce_sum, figures.weight_sum, figures.square_sum,
        figures.num_tokens, figures.grad_norm, figures.loss_scale}) {
    values.push_back(value.to(at::kDouble));
  }
  return at::stack(values);
}

std::vector<StepFigures> read_figures(std::span<const PendingFigures> pending) {
  if (pending.empty()) return {};
  std::vector<at::Tensor> values;
  for (const PendingFigures& step : pending) values.push_back(step.values);
  const at::Tensor host = at::stack(values).cpu();
  std::vector<StepFigures> figures;
  for (int64_t step = 0; step < host.size(0); ++step) {
    const double* value = host[step].const_data_ptr<double>();  // in the order of pack_figures()
    StepFigures& read = figures.emplace_back();
    for (double* field : {&read.weighted_sum, &read.ce_sum, &read.weight_sum, &read.square_sum}) {
      *field = *value++;
    }
    read.num_tokens = static_cast<int64_t>(*value++);
    read.grad_norm = *value++;
    read.loss_scale = *value++;
  }
  return figures;
}

}  // namespace pdl
