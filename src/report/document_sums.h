// Sums over the documents of documents.jsonl, and what a bias makes of them.
//
// With a bias tau·ln(count + 1) added to the logits, the cross-entropy is known for a grid of tau.
// A tau that was chosen by a figure flatters that figure, so it is chosen on the documents with
// even numbers and used on the odd ones, and the reverse.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "pdl/metrics/document_figures.h"

namespace pdl::report {

// Targets below this training count are rare, the others are the head.
inline constexpr int64_t kRareBelow = 500;

// Sums over the targets of a half of the documents, one of each for each tau.
struct HalfSums {
  int64_t tokens = 0;
  int64_t rare_tokens = 0;
  std::vector<double> all;
  std::vector<double> rare;
};

// The sums of the documents with even numbers, then of those with odd ones.
struct DocumentSums {
  std::vector<double> taus;  // increasing
  std::array<HalfSums, 2> halves;
  size_t documents = 0;

  int64_t tokens() const { return halves[0].tokens + halves[1].tokens; }
  int64_t rare_tokens() const { return halves[0].rare_tokens + halves[1].rare_tokens; }
};

DocumentSums sum_documents(const DocumentTable& table);

// Mean cross-entropies in nats; none without such targets or where a sum is not finite.
struct BiasedCe {
  std::optional<double> all;
  std::optional<double> rare;
  std::optional<double> head;
};

// At the tau number `index` of the grid.
BiasedCe ce_at_index(const DocumentSums& sums, size_t index);

// At any tau, linearly between those of the grid; none beyond its ends.
BiasedCe ce_at(const DocumentSums& sums, double tau);

// At the tau that is best on the other half.
BiasedCe best_ce(const DocumentSums& sums);

// The tau with the lowest ce over all documents; of several the one nearest to 0.
double best_tau(const DocumentSums& sums);

}  // namespace pdl::report
