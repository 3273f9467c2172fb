#include "safetensors_dtype.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "pdl/base/error.h"

namespace pdl {
namespace {

constexpr std::array<std::pair<at::ScalarType, const char*>, 10> kNames = {{{at::kBool, "BOOL"},
                                                                            {at::kByte, "U8"},
                                                                            {at::kChar, "I8"},
                                                                            {at::kShort, "I16"},
                                                                            {at::kInt, "I32"},
                                                                            {at::kLong, "I64"},
                                                                            {at::kHalf, "F16"},
                                                                            {at::kBFloat16, "BF16"},
                                                                            {at::kFloat, "F32"},
                                                                            {at::kDouble, "F64"}}};

}  // namespace

bool has_safetensors_dtype(at::ScalarType type) {
  return std::ranges::any_of(kNames, [&](const auto& entry) { return entry.first == type; });
}

const char* safetensors_dtype(at::ScalarType type) {
  for (const auto& [known, name] : kNames) {
    if (known == type) return name;
  }
  throw ModelError(std::string("a tensor of dtype ") + c10::toString(type) +
                   " cannot be saved as safetensors");
}

at::ScalarType scalar_type_of(std::string_view dtype) {
  for (const auto& [type, name] : kNames) {
    if (name == dtype) return type;
  }
  throw Error(ExitCode::kInternal, "no dtype '" + std::string(dtype) + "'");
}

}  // namespace pdl
