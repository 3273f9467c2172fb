// Finds out whether a model's hidden() and head() are the two halves of its forward().
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <string>
#include <vector>

#include "pdl/model/language_model.h"

namespace pdl {

// Returns in what they are not, or "". Compares logits of a few ids in evaluation mode and, with
// the same random numbers, in training mode; there also with the head's parameters multiplied so
// that logits are large, because a cap of them shows only then. `restore` undoes what a call in
// training mode changes in the model. Leaves the model in evaluation mode, its `parameters` as they
// were, and the generators of random numbers seeded. Throws what the methods throw.
std::string find_head_problem(LanguageModel& model, const std::vector<NamedTensor>& parameters,
                              const std::function<void()>& restore);

}  // namespace pdl
