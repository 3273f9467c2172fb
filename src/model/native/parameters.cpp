#include "parameters.h"

#include <ATen/ops/zeros.h>

#include <numeric>

#include "pdl/base/error.h"

namespace pdl {
namespace {

int64_t count_elements(const std::vector<int64_t>& shape) {
  return std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<>());
}

}  // namespace

FlatTensors::FlatTensors(const std::vector<TensorSpec>& tensors, at::Device device) {
  constexpr int64_t kAlignment = 64 / sizeof(float);
  int64_t end = 0;
  for (const bool is_matrix : {true, false}) {
    for (const TensorSpec& tensor : tensors) {
      if ((tensor.shape.size() >= 2) != is_matrix) continue;
      if (!tensor.joins_previous) end = (end + kAlignment - 1) / kAlignment * kAlignment;
      places_[tensor.name] = {end, tensor.shape};
      end += count_elements(tensor.shape);
    }
  }
  buffer_ = at::zeros({end}, at::dtype(at::kFloat).device(device));
}

at::Tensor FlatTensors::view(const std::string& name) const {
  const Place& place = places_.at(name);
  return buffer_.narrow(0, place.begin, count_elements(place.shape)).view(place.shape);
}

at::Tensor FlatTensors::joined(const std::vector<std::string>& names) const {
  const Place& first = places_.at(names.front());
  std::vector<int64_t> shape = first.shape;
  shape[0] = 0;
  int64_t end = first.begin;
  for (const std::string& name : names) {
    const Place& place = places_.at(name);
    if (place.begin != end)
      throw Error(ExitCode::kInternal, name + " does not follow the tensor before");
    shape[0] += place.shape[0];
    end += count_elements(place.shape);
  }
  return buffer_.narrow(0, first.begin, end - first.begin).view(shape);
}

}  // namespace pdl
