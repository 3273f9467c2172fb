#include "pdl/model/language_model.h"

#include <exception>

#include "pdl/base/error.h"
#include "pdl/model/torch_error.h"

namespace pdl {

void backward_through(const LanguageModel& model, const at::Tensor& tensor,
                      const at::Tensor& gradient) {
  try {
    tensor.backward(gradient);
  } catch (const std::exception& problem) {
    if (is_out_of_memory(problem)) throw;
    throw ModelError("model '" + model.info().path.string() +
                     "' fails in backward: " + torch_message(problem));
  }
}

std::vector<at::Tensor> copy_changing_buffers(const LanguageModel& model) {
  std::vector<at::Tensor> copies;
  for (const NamedTensor& buffer : model.parameters().changing) {
    copies.push_back(buffer.tensor.clone());
  }
  return copies;
}

// Buffers that began to change in the meantime come last, and are not among the copies.
void restore_changing_buffers(LanguageModel& model, const std::vector<at::Tensor>& copies) {
  model.pull_buffers();
  for (size_t i = 0; i < copies.size(); ++i) {
    model.parameters().changing[i].tensor.copy_(copies[i]);
  }
  model.push_buffers();
}

}  // namespace pdl
