// G and R of one pair of runs with the same seed. Private to the module.
#pragma once

#include <vector>

#include "compared_run.h"

namespace pdl {

// A bias between two neighbours of the grid: what is computed with it is
// (1 - weight)·[index] + weight·[index_below].
struct Bias {
  size_t index = 0;
  size_t index_below = 0;
  double weight = 0;

  double of(const std::vector<double>& figures) const {
    return (1 - weight) * figures[index] + weight * figures[index_below];
  }
};

// The bias at or below that of index `best` at which `ce` reaches `aim`; the end of the grid where
// it does not.
Bias bias_reaching(double aim, const std::vector<double>& ce, size_t best);

// What a pair of runs gives. `*_of_document` are what each document adds to the numerators, whose
// denominators are the targets and the rare targets: the bootstrap draws from them.
struct PairGain {
  double g = 0;
  double r = 0;  // 0 without rare targets
  std::vector<double> g_of_document;
  std::vector<double> r_of_document;
};

// Compares the run of an arm with that of alpha 0. Both are comparable. Throws ConfigError if the
// grid has no tau 0.
PairGain pair_gain(const RunDocuments& arm, const RunDocuments& plain);

}  // namespace pdl
