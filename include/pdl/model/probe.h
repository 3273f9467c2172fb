// Probes before the first step whether a model's forward is what training needs.
#pragma once

#include <cstdint>
#include <vector>

#include "pdl/model/language_model.h"

namespace pdl {

// The token ids of a job with which its model is probed. All of them occur in its data.
struct ProbeIds {
  std::vector<int32_t> longest = {};  // the longest sequence, two tokens or more
  int32_t smallest = 0;
  int32_t largest = 0;
};

// Probes forward in evaluation mode, with a few short sequences and the longest:
//
//   it takes any number of sequences and tokens, and the largest id
//   it gives the same logits twice
//   the logits of a sequence do not depend on other sequences, nor on later tokens of their own
//
// Logits are compared up to rounding: 1e-4 of the largest logit if the model computes in float32,
// 3e-2 in 16 bits; those
// that are NaN are not compared. Before that, if `for_training`, calls model.prepare_training().
// Leaves the model as it was, in evaluation mode. Throws ModelError that names what is wrong.
void probe_model(LanguageModel& model, const ProbeIds& ids, bool for_training);

}  // namespace pdl
