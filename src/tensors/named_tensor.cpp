#include "pdl/tensors/named_tensor.h"

namespace pdl {

std::vector<TensorSlice> whole_slices(const std::vector<NamedTensor>& tensors) {
  std::vector<TensorSlice> slices;
  for (const NamedTensor& named : tensors) {
    slices.push_back({named.name, named.tensor.sizes().vec(), 0, named.tensor});
  }
  return slices;
}

}  // namespace pdl
