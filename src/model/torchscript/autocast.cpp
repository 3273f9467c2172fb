#include "autocast.h"

#include <ATen/autocast_mode.h>

namespace pdl {

Autocast::Autocast(at::Device device, std::optional<at::ScalarType> dtype)
    : device_type_(device.type()),
      was_enabled_(at::autocast::is_autocast_enabled(device_type_)),
      dtype_before_(at::autocast::get_autocast_dtype(device_type_)) {
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
