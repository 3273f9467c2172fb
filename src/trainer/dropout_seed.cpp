#include "pdl/trainer/dropout_seed.h"

#include <ATen/Context.h>

#include "pdl/base/random.h"

namespace pdl {

void seed_dropout(uint64_t seed, int64_t step, int64_t micro_batch) {
  Random of_step(seed, static_cast<uint64_t>(step));
  Random of_micro_batch(of_step.next(), static_cast<uint64_t>(micro_batch));
  at::manual_seed(of_micro_batch.next());
}

}  // namespace pdl
