#include "pdl/comparison/learning_rates.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "pdl/base/error.h"
#include "pdl/base/text_format.h"
#include "run_list.h"

namespace pdl {
namespace {

using RunOfSeed = std::map<int64_t, const ComparedRun*>;
using RunsOfRate = std::map<double, RunOfSeed>;

std::map<double, RunsOfRate> by_alpha(const std::vector<ComparedRun>& runs) {
  std::map<double, RunsOfRate> arms;
  for (const ComparedRun& run : runs) {
    RunOfSeed& of_seed = arms[run.alpha][run.learning_rate];
    const auto [place, is_new] = of_seed.try_emplace(run.seed, &run);
    if (is_new) continue;
    refuse_twice(*place->second, run,
                 "pdl_alpha " + shortest_decimal(run.alpha) + ", learning_rate " +
                     shortest_decimal(run.learning_rate) + " and seed " + std::to_string(run.seed));
  }
  return arms;
}

bool have_same_seeds(const RunOfSeed& one, const RunOfSeed& other) {
  return std::equal(
      one.begin(), one.end(), other.begin(), other.end(),
      [](const auto& first, const auto& second) { return first.first == second.first; });
}

void require_equal_chances(const std::map<double, RunsOfRate>& arms) {
  const size_t num_rates = arms.begin()->second.size();
  for (const auto& [alpha, rates] : arms) {
    const std::string arm = "pdl_alpha " + shortest_decimal(alpha);
    if (rates.size() != num_rates) {
      throw ConfigError(arm + " has " + std::to_string(rates.size()) +
                        " learning rates to choose from, and pdl_alpha " +
                        shortest_decimal(arms.begin()->first) + " has " +
                        std::to_string(num_rates) + "; train as many for each");
    }
    for (const auto& [rate, runs] : rates) {
      if (have_same_seeds(runs, rates.begin()->second)) continue;
      throw ConfigError(arm + " has other seeds with learning_rate " + shortest_decimal(rate) +
                        " than with " + shortest_decimal(rates.begin()->first) +
                        "; train the same seeds with each");
    }
  }
}

double mean_best_ce(const RunOfSeed& runs) {
  double sum = 0;
  for (const auto& [seed, run] : runs) {
    const CeSums even = sum_halves(run->documents)[0];
    sum += *std::min_element(even.ce.begin(), even.ce.end()) / static_cast<double>(even.tokens);
  }
  return sum / static_cast<double>(runs.size());
}

ChosenRate choose(double alpha, const RunsOfRate& rates) {
  ChosenRate chosen;
  chosen.alpha = alpha;
  double least = 0;
  for (const auto& [rate, runs] : rates) {
    const double ce = mean_best_ce(runs);
    if (!chosen.folders.empty() && ce >= least) continue;
    least = ce;
    chosen.learning_rate = rate;
    chosen.folders.clear();
    for (const auto& [seed, run] : runs) chosen.folders.push_back(run->folder);
  }
  return chosen;
}

// Whether two runs have the same alpha and seed, which one comparison cannot have.
bool have_equal_ones(std::vector<std::filesystem::path> folders) {
  std::sort(folders.begin(), folders.end());  // so that the same problem is found first
  std::set<std::pair<double, int64_t>> seen;
  bool has_equal = false;
  for (const std::filesystem::path& folder : folders) {
    const ComparedRun run = load_run_config(folder);
    has_equal = !seen.emplace(run.alpha, run.seed).second || has_equal;
  }
  return has_equal;
}

}  // namespace

RunChoice choose_runs(const std::vector<std::filesystem::path>& folders) {
  if (!have_equal_ones(folders)) return {.folders = folders, .rates = {}};
  RunChoice choice{.folders = {}, .rates = choose_learning_rates(folders)};
  for (const ChosenRate& rate : choice.rates) {
    choice.folders.insert(choice.folders.end(), rate.folders.begin(), rate.folders.end());
  }
  return choice;
}

std::vector<ChosenRate> choose_learning_rates(const std::vector<std::filesystem::path>& folders) {
  const std::vector<ComparedRun> runs = load_comparable_runs(folders);
  const std::map<double, RunsOfRate> arms = by_alpha(runs);
  require_equal_chances(arms);
  std::vector<ChosenRate> chosen;
  for (const auto& [alpha, rates] : arms) chosen.push_back(choose(alpha, rates));
  return chosen;
}

}  // namespace pdl
