#include "pdl/trainer/run_control.h"

#include <ATen/ops/zeros.h>

#include <array>

namespace pdl {

void add_vote(RunControl* control, ProcessGroup& group, Vote& vote) {
  const at::Tensor votes = at::zeros({2}, at::kLong);
  auto* counts = votes.mutable_data_ptr<int64_t>();
  if (control != nullptr) {
    counts[0] = control->stop_requested();
    counts[1] = control->take_save_request();
  }
  group.all_reduce_sum(std::array{votes});
  vote.stop = vote.stop || counts[0] > 0;
  vote.save = vote.save || counts[1] > 0;
}

}  // namespace pdl
