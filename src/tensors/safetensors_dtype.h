// Converts between dtypes and their names in safetensors. Private to the module.
#pragma once

#include <c10/core/ScalarType.h>

#include <string_view>

namespace pdl {

bool has_safetensors_dtype(at::ScalarType type);

// Throws ModelError for a dtype that safetensors does not have.
const char* safetensors_dtype(at::ScalarType type);

// The inverse; `name` must be one that safetensors_element_bytes() knows.
at::ScalarType scalar_type_of(std::string_view dtype);

}  // namespace pdl
