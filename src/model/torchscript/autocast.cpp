#include "autocast.h"

#include <ATen/autocast_mode.h>
#include <ATen/ops/scaled_dot_product_attention.h>
#include <torch/library.h>

#include <optional>

namespace pdl {
namespace {

// On the CPU the backward of LibTorch's bfloat16 attention costs so much for each head that up to
// about this length the whole is faster in float32.
constexpr int64_t kShortSequence = 256;

// What autocast calls instead of scaled_dot_product_attention on the CPU.
at::Tensor attention(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                     const std::optional<at::Tensor>& mask, double dropout, bool is_causal,
                     std::optional<double> scale, bool enable_gqa) {
  const c10::impl::ExcludeDispatchKeyGuard no_autocast(c10::DispatchKey::AutocastCPU);
  const at::ScalarType dtype =
      query.size(-2) <= kShortSequence ? at::kFloat : at::autocast::get_autocast_dtype(at::kCPU);
  const auto cast = [dtype](const at::Tensor& x) {
    return at::autocast::cached_cast(dtype, x, at::kCPU);
  };
  return at::scaled_dot_product_attention(cast(query), cast(key), cast(value),
                                          mask ? std::optional(cast(*mask)) : std::nullopt, dropout,
                                          is_causal, scale, enable_gqa);
}

class NoWarnings : public c10::WarningHandler {
 public:
  void process(const c10::Warning& /*warning*/) override {}
};

// Replaces what LibTorch has registered, of which it would warn. For the rest of the process.
void replace_attention() {
  NoWarnings ignored;
  const c10::WarningUtils::WarningHandlerGuard guard(&ignored);
  static torch::Library library(torch::Library::IMPL, "aten", c10::DispatchKey::AutocastCPU,
                                __FILE__, __LINE__);
  static const bool is_replaced = [] {
    library.impl("scaled_dot_product_attention", attention);
    return true;
  }();
  static_cast<void>(is_replaced);
}

}  // namespace

Autocast::Autocast(at::Device device, std::optional<at::ScalarType> dtype)
    : device_type_(device.type()),
      was_enabled_(at::autocast::is_autocast_enabled(device_type_)),
      dtype_before_(at::autocast::get_autocast_dtype(device_type_)) {
  if (device.is_cpu() && dtype) replace_attention();
  at::autocast::increment_nesting();
  at::autocast::set_autocast_enabled(device_type_, dtype.has_value());
  if (dtype) at::autocast::set_autocast_dtype(device_type_, *dtype);
}

Autocast::~Autocast() {
  at::autocast::set_autocast_enabled(device_type_, was_enabled_);
  at::autocast::set_autocast_dtype(device_type_, dtype_before_);
  if (at::autocast::decrement_nesting() == 0) at::autocast::clear_cache();
}

}  // namespace pdl
