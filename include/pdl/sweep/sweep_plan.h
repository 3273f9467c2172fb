// Which runs a sweep trains, in which order, and where each has its folder.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace pdl {

// One run of a sweep, with what is its own.
struct SweepCell {
  double alpha = 0;
  int64_t seed = 0;
  double learning_rate = 0;
  std::string folder;  // below that of the sweep

  // Whether both are the same run, in whatever folder.
  bool is_same_run(const SweepCell& other) const {
    return alpha == other.alpha && seed == other.seed && learning_rate == other.learning_rate;
  }
};

// The values that a sweep combines, in any order.
struct SweepGrid {
  std::vector<double> alphas;
  std::vector<int64_t> seeds;
  std::vector<double> learning_rates;
};

// The part of a sweep that one task trains: the cells whose place modulo `count` is `index`.
struct SweepShard {
  int64_t index = 0;  // from 0
  int64_t count = 1;
};

// "alpha=0.25/seed=1", or "alpha=0.25/lr=2e-05/seed=1" if the rate is named, too; numbers are those
// of shortest_decimal().
std::string cell_folder(const SweepCell& cell, bool names_rate);

// Returns a cell for each combination, by alpha, then learning rate, then seed, each increasing.
// Alpha 0 is added, and a value that stands twice counts once. The folder names the rate if there
// is more than one.
std::vector<SweepCell> plan_cells(const SweepGrid& grid);

// Returns the cells of a shard, in their order.
std::vector<SweepCell> cells_of_shard(const std::vector<SweepCell>& cells, const SweepShard& shard);

}  // namespace pdl
