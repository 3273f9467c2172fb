// Sums of the cross-entropy of a run's documents, for a grid of tau: what comparisons and pages are
// made of.
//
// A tau that was chosen by a figure flatters that figure. So it is chosen on the documents with
// even numbers and used on those with odd ones, and the reverse: figures are cross-fitted.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <vector>

#include "pdl/frequency/bands.h"
#include "pdl/metrics/document_figures.h"

namespace pdl {

// The sums of ce, in nats, over the targets of a set of documents.
struct CeSums {
  int64_t tokens = 0;
  int64_t rare_tokens = 0;      // those of is_rare()
  std::vector<double> ce;       // one for each tau
  std::vector<double> rare_ce;  // of rare targets
};

// What documents.jsonl holds, without the ce of single bands.
struct RunDocuments {
  std::vector<double> taus;                                              // increasing
  std::vector<std::array<int64_t, kFrequencyBands.size()>> band_tokens;  // of each document
  std::vector<CeSums> sums;                                              // of each document
};

// Returns `table` without what the rule does not need.
RunDocuments to_run_documents(const DocumentTable& table);

// The sums over the documents with even numbers, then over those with odd ones.
using HalfSums = std::array<CeSums, 2>;

// Returns the sums of both halves, of which one may have no target.
HalfSums sum_halves(const RunDocuments& documents);

// Returns for each half the index of the tau that is used on it: best_tau() of the other half.
std::array<size_t, 2> cross_fitted_taus(const std::vector<double>& taus, const HalfSums& halves);

// Returns the index of tau 0, which stands for the model as it was trained; none if the grid has no
// such tau.
std::optional<size_t> index_of_tau_zero(const std::vector<double>& taus);

// Throws DataError if the documents of the run in `folder`, a run's output_dir, have targets in one
// half alone, so that nothing can be cross-fitted, or if documents.jsonl is missing or damaged.
void require_two_halves(const std::filesystem::path& folder);

}  // namespace pdl
