#include "pdl/sweep/sweep_plan.h"

#include <algorithm>

#include "pdl/base/text_format.h"

namespace pdl {
namespace {

template <class Number>
std::vector<Number> increasing(std::vector<Number> numbers) {
  std::sort(numbers.begin(), numbers.end());
  numbers.erase(std::unique(numbers.begin(), numbers.end()), numbers.end());
  return numbers;
}

std::vector<double> with_zero(std::vector<double> alphas) {
  std::erase(alphas, 0.0);  // -0 as well
  alphas.push_back(0);
  return alphas;
}

}  // namespace

std::string cell_folder(const SweepCell& cell, bool names_rate) {
  const std::string rate = names_rate ? "/lr=" + shortest_decimal(cell.learning_rate) : "";
  return "alpha=" + shortest_decimal(cell.alpha) + rate + "/seed=" + std::to_string(cell.seed);
}

std::vector<SweepCell> plan_cells(const SweepGrid& grid) {
  const std::vector<double> rates = increasing(grid.learning_rates);
  const std::vector<int64_t> seeds = increasing(grid.seeds);
  std::vector<SweepCell> cells;
  for (const double alpha : increasing(with_zero(grid.alphas))) {
    for (const double rate : rates) {
      for (const int64_t seed : seeds) {
        SweepCell& cell = cells.emplace_back(SweepCell{alpha, seed, rate, ""});
        cell.folder = cell_folder(cell, rates.size() > 1);
      }
    }
  }
  return cells;
}

std::vector<SweepCell> cells_of_shard(const std::vector<SweepCell>& cells,
                                      const SweepShard& shard) {
  std::vector<SweepCell> chosen;
  for (auto place = static_cast<size_t>(shard.index); place < cells.size();
       place += static_cast<size_t>(shard.count)) {
    chosen.push_back(cells[place]);
  }
  return chosen;
}

}  // namespace pdl
