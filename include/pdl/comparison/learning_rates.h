// Chooses a learning rate for each alpha, so that alphas are compared at the rate that suits each.
#pragma once

#include <filesystem>
#include <vector>

namespace pdl {

// The rate of one alpha, and its runs.
struct ChosenRate {
  double alpha = 0;
  double learning_rate = 0;
  std::vector<std::filesystem::path> folders;  // by increasing seed
};

// Returns for each alpha, in increasing order, the learning rate whose mean over seeds of
//   min over tau of ce on the documents with even numbers
// is least; of equal rates the lower one. Throws what compare_runs() throws for runs that cannot be
// compared, and ConfigError for the same alpha, rate and seed twice, rates of one alpha with
// different seeds, or more rates for one alpha than for another, which would be an advantage.
std::vector<ChosenRate> choose_learning_rates(const std::vector<std::filesystem::path>& folders);

}  // namespace pdl
