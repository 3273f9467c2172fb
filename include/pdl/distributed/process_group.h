// The process group: communication between the ranks of a run. Gradients are summed, never
// averaged, because the weight sum of a step already covers every rank.
#pragma once

#include <ATen/core/Tensor.h>

#include <span>

namespace pdl {

// What the processes (ranks) of one run do together. Each calls the same functions in the same
// order.
class ProcessGroup {
 public:
  virtual ~ProcessGroup() = default;

  // The number of this process, from 0, and how many there are.
  virtual int rank() const = 0;
  virtual int size() const = 0;
  // Replaces each tensor by its sum over the ranks, in place.
  virtual void all_reduce_sum(std::span<const at::Tensor> tensors) = 0;
};

// The process group of a run of one process.
class SingleProcessGroup : public ProcessGroup {
 public:
  int rank() const override { return 0; }
  int size() const override { return 1; }
  void all_reduce_sum(std::span<const at::Tensor>) override {}
};

}  // namespace pdl
