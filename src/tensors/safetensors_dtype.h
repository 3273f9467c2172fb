// The names that safetensors gives to dtypes. Private to the module.
#pragma once

#include <c10/core/ScalarType.h>

#include <string_view>

namespace pdl {

// Throws ModelError for a dtype that safetensors does not know.
const char* safetensors_dtype(at::ScalarType type);

// The inverse, for a name that safetensors_element_bytes() knows.
at::ScalarType scalar_type_of(std::string_view dtype);

}  // namespace pdl
