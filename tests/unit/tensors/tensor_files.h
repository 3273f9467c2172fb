// Makes tensors and files of them without the program's writer.
#pragma once

#include <ATen/ops/empty.h>
#include <ATen/ops/randint.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "pdl/tensors/named_tensor.h"

namespace pdl {

inline constexpr std::array<at::ScalarType, 10> kStoredDtypes = {
    at::kBool, at::kByte, at::kChar,     at::kShort, at::kInt,
    at::kLong, at::kHalf, at::kBFloat16, at::kFloat, at::kDouble};

// Draws small integers, which every dtype holds.
inline at::Tensor some_values(const std::vector<int64_t>& shape, at::ScalarType dtype) {
  return at::randint(0, dtype == at::kBool ? 2 : 100, shape, at::dtype(dtype));
}

inline std::string bytes_of_tensor(const at::Tensor& tensor) {
  return {static_cast<const char*>(tensor.const_data_ptr()), tensor.nbytes()};
}

// Pads with spaces to a multiple of 8 bytes, as this program's headers are.
inline std::string padded(const std::string& json) {
  return json + std::string((8 - json.size() % 8) % 8, ' ');
}

inline std::string stored_file(const std::string& json, const std::string& data) {
  const uint64_t length = json.size();
  std::string file(sizeof(length), '\0');
  std::memcpy(file.data(), &length, sizeof(length));
  return file + json + data;
}

// Returns elements [begin, end) of a tensor, sharing memory with it.
inline TensorSlice slice_of(const std::string& name, const at::Tensor& whole, int64_t begin,
                            int64_t end) {
  return {name, whole.sizes().vec(), begin, whole.view(-1).narrow(0, begin, end - begin)};
}

// Cuts tensors at random places into the slices of `num_ranks` ranks; some slices are empty.
inline std::vector<std::vector<TensorSlice>> cut_at_random(const std::vector<NamedTensor>& tensors,
                                                           int64_t num_ranks,
                                                           std::mt19937& generator) {
  std::vector<std::vector<TensorSlice>> ranks(static_cast<size_t>(num_ranks));
  for (const NamedTensor& named : tensors) {
    std::vector<int64_t> cuts = {0, named.tensor.numel()};
    std::uniform_int_distribution<int64_t> place(0, named.tensor.numel());
    for (int64_t i = 1; i < num_ranks; ++i) cuts.push_back(place(generator));
    std::sort(cuts.begin(), cuts.end());
    for (size_t rank = 0; rank < ranks.size(); ++rank) {
      ranks[rank].push_back(slice_of(named.name, named.tensor, cuts[rank], cuts[rank + 1]));
    }
  }
  return ranks;
}

}  // namespace pdl
