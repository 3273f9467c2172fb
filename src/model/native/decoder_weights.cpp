#include "decoder_weights.h"

#include <ATen/ops/aminmax.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/stack.h>

#include <algorithm>

#include "pdl/base/error.h"

namespace pdl {
namespace {

std::vector<TensorSpec> specs_of(const std::vector<StoredTensor>& stored) {
  std::vector<TensorSpec> specs;
  for (const StoredTensor& tensor : stored) specs.push_back(tensor.spec);
  return specs;
}

// What nothing changes needs no more digits than the files or the products have.
at::ScalarType dtype_of(const StoredWeights& stored, const LoadOptions& options) {
  if (!options.lora.is_on()) return at::kFloat;
  const bool is_bfloat16 = std::ranges::all_of(
      stored.tensors, [](const StoredTensor& tensor) { return tensor.dtype == at::kBFloat16; });
  return is_bfloat16 || options.autocast == at::kBFloat16 ? at::kBFloat16 : at::kFloat;
}

void require_finite(const at::Tensor& value, const std::string& name) {
  const auto [least, largest] = at::aminmax(value);  // NaN if there is one
  if (!at::isfinite(at::stack({least, largest})).all().item<bool>())
    throw ModelError("tensor '" + name + "' of the model has NaN or infinite values");
}

}  // namespace

DecoderWeights::DecoderWeights(const DecoderSpec& spec, const StoredWeights& stored,
                               const LoadOptions& options)
    : stored_(stored),
      transposed_(spec.transposed),
      tensors_(specs_of(stored.tensors),
               at::TensorOptions().dtype(dtype_of(stored, options)).device(options.device)) {
  const bool is_adapted = options.lora.is_on();
  std::vector<NamedTensor> parameters;
  for (size_t i = 0; i < stored.tensors.size(); ++i) {
    const StoredTensor& tensor = stored.tensors[i];
    const at::Tensor& value = tensors_.values()[i];
    stored.store.read({tensor.file_name, tensor.spec.shape, 0, value});
    require_finite(value, tensor.file_name);
    value.set_requires_grad(!is_adapted);
    parameters.push_back({tensor.file_name, value, tensor.file_aliases});
  }
  if (is_adapted) {
    adapters_ = LoraAdapters(spec, stored, options.lora, options.device, options.freeze);
    parameters_ = adapters_.parameters();
    parameters_.fixed = parameters;
  } else {
    parameters_ = part_parameters(parameters, options.freeze);
    tensors_.train();
  }
}

void DecoderWeights::begin_gradients() {
  tensors_.begin_gradients();
  adapters_.begin_gradients();
}

void DecoderWeights::end_gradients() {
  tensors_.end_gradients();
  adapters_.end_gradients();
}

at::Tensor DecoderWeights::merged(const StoredTensor& tensor) const {
  const std::string name = tensor.spec.name.substr(0, tensor.spec.name.rfind('.'));
  const bool is_adapted = tensor.spec.shape.size() == 2 && adapters_.find(name).a.value.defined();
  const at::Tensor value =
      at::empty(tensor.spec.shape, at::dtype(is_adapted ? at::kFloat : tensor.dtype));
  stored_.store.read({tensor.file_name, tensor.spec.shape, 0, value});
  if (is_adapted) adapters_.merge_into(value, name, transposed_);
  return value.to(tensor.dtype);
}

std::vector<TensorSource> DecoderWeights::as_stored() const {
  std::vector<TensorSource> tensors;
  for (size_t i = 0; i < stored_.tensors.size(); ++i) {
    const StoredTensor& tensor = stored_.tensors[i];
    std::vector<std::string> names = tensor.file_aliases;
    names.push_back(tensor.file_name);
    for (const std::string& name : names) {
      tensors.push_back({name, tensor.spec.shape, tensor.dtype, [this, &tensor, i] {
                           return adapters_.is_on()
                                      ? merged(tensor)
                                      : tensors_.values()[i].detach().to(tensor.dtype);
                         }});
    }
  }
  std::ranges::sort(tensors, {}, &TensorSource::name);  // as transformers writes them
  return tensors;
}

}  // namespace pdl
