// What a bias tau·ln(count + 1) on the logits makes of the cross-entropy of a run.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "pdl/comparison/bias_sums.h"

namespace pdl::report {

// The sums of a run's documents, one for each tau.
struct BiasedSums {
  std::vector<double> taus;  // increasing
  HalfSums halves;
};

BiasedSums biased_sums(const DocumentTable& table);

// Mean cross-entropies in nats; none without such targets or where a sum is not finite.
struct BiasedCe {
  std::optional<double> all;
  std::optional<double> rare;
  std::optional<double> head;  // what is not rare
};

// At any tau, linearly between those of the grid; none beyond its ends.
BiasedCe ce_at(const BiasedSums& sums, double tau);

// Cross-fitted: at the tau that is best on the other half.
BiasedCe best_ce(const BiasedSums& sums);

// The tau that is best over all documents.
double best_tau_of(const BiasedSums& sums);

}  // namespace pdl::report
