#include "decoder_weights.h"

#include <ATen/ops/aminmax.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <cmath>

#include "pdl/base/error.h"

namespace pdl {
namespace {

std::vector<TensorSpec> specs_of(const std::vector<StoredTensor>& stored) {
  std::vector<TensorSpec> specs;
  for (const StoredTensor& tensor : stored) specs.push_back(tensor.spec);
  return specs;
}

// What nothing changes needs no more digits than the files have or, below adapters, the products.
// Without training that is so on the CPU alone, whose products of few rows take bfloat16.
at::ScalarType dtype_of(const StoredWeights& stored, const LoadOptions& options) {
  const bool is_bfloat16 = std::ranges::all_of(
      stored.tensors, [](const StoredTensor& tensor) { return tensor.dtype == at::kBFloat16; });
  if (options.lora.is_on())
    return is_bfloat16 || options.autocast == at::kBFloat16 ? at::kBFloat16 : at::kFloat;
  return is_bfloat16 && !options.trains && options.device.is_cpu() ? at::kBFloat16 : at::kFloat;
}

void require_finite(const at::Tensor& value, const std::string& name) {
  const auto [least, largest] = at::aminmax(value);  // NaN if there is one
  if (!std::isfinite(least.item<double>()) || !std::isfinite(largest.item<double>()))
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
    value.set_requires_grad(options.trains && !is_adapted);
    parameters.push_back({tensor.file_name, value, tensor.file_aliases});
  }
  if (is_adapted) {
    adapters_ = LoraAdapters(spec, stored, options.lora, options.device, options.freeze);
    parameters_ = adapters_.parameters();
    parameters_.fixed = parameters;
  } else if (options.trains) {
    parameters_ = part_parameters(parameters, options.freeze);
    tensors_.train();
  } else {
    parameters_.fixed = parameters;
  }
}

at::Tensor DecoderWeights::read(const StoredTensor& tensor, at::ScalarType dtype) const {
  const at::Tensor value = at::empty(tensor.spec.shape, at::dtype(dtype));
  stored_.store.read({tensor.file_name, tensor.spec.shape, 0, value});
  return value;
}

at::Tensor DecoderWeights::value_of(size_t i) const {
  if (!adapters_.is_on()) return tensors_.values()[i].detach();
  const StoredTensor& tensor = stored_.tensors[i];
  const std::string name = tensor.spec.name.substr(0, tensor.spec.name.rfind('.'));
  const bool is_adapted = tensor.spec.shape.size() == 2 && adapters_.find(name).a.value.defined();
  const at::Tensor value = read(tensor, is_adapted ? at::kFloat : tensor.dtype);
  if (is_adapted) adapters_.merge_into(value, name, transposed_);
  return value;
}

std::vector<TensorSource> DecoderWeights::as_stored() const {
  std::vector<TensorSource> tensors;
  for (size_t i = 0; i < stored_.tensors.size(); ++i) {
    const StoredTensor& tensor = stored_.tensors[i];
    std::vector<std::string> names = tensor.file_aliases;
    names.push_back(tensor.file_name);
    for (const std::string& name : names) {
      tensors.push_back({name, tensor.spec.shape, tensor.dtype,
                         [this, &tensor, i] { return value_of(i).to(tensor.dtype); }});
    }
  }
  std::ranges::sort(tensors, {}, &TensorSource::name);  // as transformers writes them
  return tensors;
}

double DecoderWeights::share_lost_by_rounding() const {
  int64_t changed = 0;
  int64_t lost = 0;
  for (size_t i = 0; i < stored_.tensors.size(); ++i) {
    const StoredTensor& tensor = stored_.tensors[i];
    if (tensor.dtype == at::kFloat) continue;
    const at::Tensor after = value_of(i).reshape(-1);
    const at::Tensor before = read(tensor, tensor.dtype).reshape(-1);
    constexpr int64_t kPart = int64_t{1} << 22;  // so that comparing takes little memory
    for (int64_t begin = 0; begin < after.numel(); begin += kPart) {
      const int64_t size = std::min(kPart, after.numel() - begin);
      const at::Tensor value = after.narrow(0, begin, size);
      const at::Tensor original = before.narrow(0, begin, size).to(value.device());
      const at::Tensor is_changed = value.ne(original);
      changed += is_changed.sum().item<int64_t>();
      lost += value.to(tensor.dtype).eq(original).logical_and_(is_changed).sum().item<int64_t>();
    }
  }
  return changed == 0 ? 0 : static_cast<double>(lost) / static_cast<double>(changed);
}

}  // namespace pdl
