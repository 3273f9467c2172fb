// Seeds the random numbers of a forward, e.g. for dropout.
#pragma once

#include <cstdint>

namespace pdl {

// Seeds LibTorch's generators of every device for one micro-batch, by (seed, step, micro_batch)
// alone. What a forward draws then depends neither on earlier steps, nor on a resume, nor on the
// rank that computes it. Hence no generator state is part of a checkpoint. `step` counts from 0;
// `micro_batch` is the index in the step's window, over all ranks.
void seed_dropout(uint64_t seed, int64_t step, int64_t micro_batch);

}  // namespace pdl
