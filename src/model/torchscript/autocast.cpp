#include "autocast.h"

#include <ATen/autocast_mode.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/ops/scaled_dot_product_attention.h>
#include <torch/library.h>

#include <cstddef>
#include <iterator>
#include <optional>
#include <utility>

namespace pdl {
namespace {

// On the CPU the backward of LibTorch's bfloat16 attention costs so much for each head that up to
// about this length the whole is faster in float32.
constexpr int64_t kShortSequence = 256;

// Those of autocast's list of which a causal language model is made.
constexpr const char* kProducts[] = {"linear", "matmul", "mm", "bmm", "addmm", "baddbmm"};

thread_local Bfloat16Products products_of_scope = Bfloat16Products::kByLibTorch;

bool are_float32() { return products_of_scope == Bfloat16Products::kAsFloat32; }

// What autocast calls instead of scaled_dot_product_attention on the CPU.
at::Tensor attention(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                     const std::optional<at::Tensor>& mask, double dropout, bool is_causal,
                     std::optional<double> scale, bool enable_gqa) {
  const c10::impl::ExcludeDispatchKeyGuard no_autocast(c10::DispatchKey::AutocastCPU);
  const at::ScalarType dtype = are_float32() || query.size(-2) <= kShortSequence
                                   ? at::kFloat
                                   : at::autocast::get_autocast_dtype(at::kCPU);
  const auto cast = [dtype](const at::Tensor& x) {
    return at::autocast::cached_cast(dtype, x, at::kCPU);
  };
  return at::scaled_dot_product_attention(cast(query), cast(key), cast(value),
                                          mask ? std::optional(cast(*mask)) : std::nullopt, dropout,
                                          is_causal, scale, enable_gqa);
}

// What autocast calls instead of a product. If products are float32, the factors are rounded to
// autocast's dtype all the same, and so are the product and the gradients.
void multiply(const c10::OperatorHandle& product, torch::jit::Stack* stack) {
  const c10::impl::ExcludeDispatchKeyGuard no_autocast(c10::DispatchKey::AutocastCPU);
  const at::ScalarType dtype = at::autocast::get_autocast_dtype(at::kCPU);
  const auto arguments = static_cast<std::ptrdiff_t>(product.schema().arguments().size());
  for (auto value = std::prev(stack->end(), arguments); value != stack->end(); ++value) {
    if (!value->isTensor()) continue;
    const at::Tensor cast = at::autocast::cached_cast(dtype, value->toTensor(), at::kCPU);
    *value = are_float32() && cast.scalar_type() == dtype ? cast.to(at::kFloat) : cast;
  }
  product.callBoxed(stack);
  const at::Tensor result = stack->back().toTensor();
  if (are_float32() && result.scalar_type() == at::kFloat) stack->back() = result.to(dtype);
}

class NoWarnings : public c10::WarningHandler {
 public:
  void process(const c10::Warning& /*warning*/) override {}
};

// Replaces what LibTorch has registered, of which it would warn. For the rest of the process.
torch::Library& replacements() {
  static torch::Library library(torch::Library::IMPL, "aten", c10::DispatchKey::AutocastCPU,
                                __FILE__, __LINE__);
  return library;
}

void replace_attention() {
  static const bool is_replaced = [] {
    replacements().impl("scaled_dot_product_attention", attention);
    return true;
  }();
  static_cast<void>(is_replaced);
}

void replace_products() {
  static const bool are_replaced = [] {
    for (const char* product : kProducts)
      replacements().impl(product, torch::CppFunction::makeFromBoxedFunction<&multiply>());
    return true;
  }();
  static_cast<void>(are_replaced);
}

}  // namespace

Bfloat16Products fastest_bfloat16_products() {
  static const bool has_fast = [] {
    const auto query =
        c10::Dispatcher::singleton().findSchema({"mkldnn::_is_mkldnn_bf16_supported", ""});
    return query && query->typed<bool()>().call();
  }();
  return has_fast ? Bfloat16Products::kByLibTorch : Bfloat16Products::kAsFloat32;
}

Autocast::Autocast(at::Device device, std::optional<at::ScalarType> dtype,
                   Bfloat16Products products)
    : device_type_(device.type()),
      was_enabled_(at::autocast::is_autocast_enabled(device_type_)),
      dtype_before_(at::autocast::get_autocast_dtype(device_type_)),
      products_before_(std::exchange(products_of_scope, products)) {
  if (device.is_cpu() && dtype) {
    NoWarnings ignored;
    const c10::WarningUtils::WarningHandlerGuard guard(&ignored);
    replace_attention();
    if (are_float32()) replace_products();
  }
  at::autocast::increment_nesting();
  at::autocast::set_autocast_enabled(device_type_, dtype.has_value());
  if (dtype) at::autocast::set_autocast_dtype(device_type_, *dtype);
}

Autocast::~Autocast() {
  products_of_scope = products_before_;
  at::autocast::set_autocast_enabled(device_type_, was_enabled_);
  at::autocast::set_autocast_dtype(device_type_, dtype_before_);
  if (at::autocast::decrement_nesting() == 0) at::autocast::clear_cache();
}

}  // namespace pdl
