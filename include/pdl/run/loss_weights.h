// The frequency table of a job and the loss weights made from it.
#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <string>
#include <vector>

#include "pdl/config/run_config.h"
#include "pdl/frequency/token_counts.h"
#include "pdl/loss/weight_table.h"
#include "pdl/run/dataset.h"

namespace pdl {

// The sources of counts: the first of these that is given, else the training targets.
struct WeightSources {
  std::filesystem::path frequency_table;
  std::vector<std::string> reference_files;  // absolute paths, globs expanded
  WeightOptions options;
};

// The table that was counted or read, and the weights made of it.
struct LossWeights {
  TokenCounts table;  // as wide as the logits
  WeightTable weights;
};

// Throws ConfigError if there is nothing to count, and DataError for a table that does not fit or,
// with pdl_unseen "error", lacks a target.
LossWeights load_loss_weights(const WeightSources& sources, const TextInput& input,
                              const Dataset& data, at::Device device, CountCache& cache);

}  // namespace pdl
