#include "parameters.h"

#include <ATen/ops/empty.h>
#include <unistd.h>

#include <algorithm>
#include <functional>
#include <numeric>
#include <utility>

#include "pdl/base/error.h"

namespace pdl {
namespace {

constexpr int64_t kGradientBytes = 4;  // of an element

int64_t count_elements(const std::vector<int64_t>& shape) {
  return std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<>());
}

}  // namespace

FlatTensors::FlatTensors(const std::vector<TensorSpec>& tensors, const at::TensorOptions& options) {
  const auto alignment = static_cast<int64_t>(64 / options.dtype().itemsize());
  int64_t end = 0;
  for (const bool is_matrix : {true, false}) {
    for (const TensorSpec& tensor : tensors) {
      if ((tensor.shape.size() >= 2) != is_matrix) continue;
      if (!tensor.joins_previous) end = (end + alignment - 1) / alignment * alignment;
      places_[tensor.name] = {end, tensor.shape};
      end += count_elements(tensor.shape);
    }
  }
  buffer_ = at::empty({end}, options);
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

GradientSum::GradientSum(std::vector<at::Tensor> weights, int64_t bytes_of_all)
    : weights_(std::move(weights)),
      shape_(weights_.front().sizes().vec()),
      bytes_of_all_(bytes_of_all) {
  shape_[0] = 0;
  for (const at::Tensor& weight : weights_) shape_[0] += weight.size(0);
}

GradientSum::Values GradientSum::values() const {
  const auto trained = std::ranges::find_if(weights_, &at::Tensor::requires_grad);
  const at::Tensor& gradient = trained->grad();
  if (!gradient.defined()) return {make(), /*is_fresh=*/true};
  // It is a part of what make() has made, unless somebody else has set it.
  const int64_t bytes = count_elements(shape_) * kGradientBytes;
  if (static_cast<int64_t>(gradient.storage().nbytes()) != bytes)
    throw Error(ExitCode::kInternal, "a gradient of a decoder has memory of another size");
  const at::Tensor all = gradient.as_strided({count_elements(shape_)}, {1}, /*storage_offset=*/0);
  return {all.view(shape_), /*is_fresh=*/false};
}

at::Tensor GradientSum::make() const {
  at::Tensor sum = at::empty(shape_, weights_.front().options().dtype(at::kFloat));
  int64_t row = 0;
  for (const at::Tensor& weight : weights_) {
    if (weight.requires_grad()) weight.mutable_grad() = sum.narrow(0, row, weight.size(0));
    row += weight.size(0);
  }
  return sum;
}

bool GradientSum::outgrows_caches() const {
  constexpr int64_t kUsual = int64_t{32} << 20;
  static const int64_t last_level = ::sysconf(_SC_LEVEL3_CACHE_SIZE);
  return bytes_of_all_ > (last_level > 0 ? last_level : kUsual);
}

TrainedTensors::TrainedTensors(std::vector<TensorSpec> tensors, const at::TensorOptions& options)
    : specs_(std::move(tensors)), flat_(specs_, options) {
  for (const TensorSpec& spec : specs_) values_.push_back(flat_.view(spec.name).detach());
}

void TrainedTensors::train() {
  struct Product {
    std::vector<std::string> names;
    std::vector<at::Tensor> weights;
  };
  std::vector<Product> products;
  for (size_t i = 0; i < specs_.size(); ++i) {
    if (!specs_[i].joins_previous) products.emplace_back();
    products.back().names.push_back(specs_[i].name);
    products.back().weights.push_back(values_[i]);
  }
  std::erase_if(products, [](const Product& product) {
    return std::ranges::none_of(product.weights, &at::Tensor::requires_grad);
  });
  int64_t bytes = 0;
  for (const Product& product : products) {
    for (const at::Tensor& weight : product.weights) bytes += weight.numel() * kGradientBytes;
  }
  for (const Product& product : products)
    gradients_[product.names] = std::make_shared<GradientSum>(product.weights, bytes);
}

Parameter TrainedTensors::find(const std::vector<std::string>& names) const {
  const bool is_there = std::ranges::any_of(
      specs_, [&](const TensorSpec& spec) { return spec.name == names.front(); });
  if (!is_there) return {};
  const auto gradient = gradients_.find(names);
  return {.value = flat_.joined(names),
          .gradient = gradient == gradients_.end() ? nullptr : gradient->second};
}

}  // namespace pdl
