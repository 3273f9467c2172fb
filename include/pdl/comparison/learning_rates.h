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

// Which runs are compared, and why.
struct RunChoice {
  std::vector<std::filesystem::path> folders;
  std::vector<ChosenRate> rates;  // what was chosen for each alpha; empty if nothing was
};

// Returns all runs or, where an alpha and a seed stand twice, those of the rate that
// choose_learning_rates() chooses for each alpha. Throws what that throws, and DataError for a
// config.json that is missing or damaged.
RunChoice choose_runs(const std::vector<std::filesystem::path>& folders);

// Returns for each alpha, in increasing order, the learning rate whose mean over seeds of
//   min over tau of ce on the documents with even numbers
// is least; of equal rates the lower one. Throws what compare_runs() throws for runs that cannot be
// compared, and ConfigError for the same alpha, rate and seed twice, rates of one alpha with
// different seeds, or more rates for one alpha than for another, which would be an advantage.
std::vector<ChosenRate> choose_learning_rates(const std::vector<std::filesystem::path>& folders);

}  // namespace pdl
