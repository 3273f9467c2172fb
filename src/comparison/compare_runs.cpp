#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include "gain.h"
#include "pdl/base/error.h"
#include "pdl/base/text_format.h"
#include "pdl/comparison/comparison.h"
#include "run_list.h"
#include "statistics.h"
#include "verdict.h"

namespace pdl {
namespace {

using RunOfSeed = std::map<int64_t, const ComparedRun*>;

std::map<double, RunOfSeed> by_alpha(const std::vector<ComparedRun>& runs) {
  std::map<double, RunOfSeed> arms;
  for (const ComparedRun& run : runs) {
    const auto [place, is_new] = arms[run.alpha].try_emplace(run.seed, &run);
    if (is_new) continue;
    refuse_twice(
        *place->second, run,
        "pdl_alpha " + shortest_decimal(run.alpha) + " and seed " + std::to_string(run.seed));
  }
  return arms;
}

// The targets, or the rare ones, of each document.
std::vector<int64_t> denominators_of(const RunDocuments& documents, int64_t CeSums::*tokens) {
  std::vector<int64_t> denominators;
  for (const CeSums& document : documents.sums) denominators.push_back(document.*tokens);
  return denominators;
}

void add_mean(const std::vector<double>& values, size_t num_seeds, std::vector<double>& means) {
  means.resize(values.size());
  for (size_t i = 0; i < values.size(); ++i) {
    means[i] += values[i] / static_cast<double>(num_seeds);
  }
}

SeedFigure to_figure(std::vector<double> per_seed, double document_sd) {
  const SampleMoments moments = moments_of(per_seed);
  SeedFigure figure{.per_seed = std::move(per_seed),
                    .mean = moments.mean,
                    .low = {},
                    .high = {},
                    .document_sd = document_sd};
  if (const std::optional<Interval> interval = interval_of(moments)) {
    figure.low = interval->low;
    figure.high = interval->high;
  }
  return figure;
}

// Two runs that differ in alpha alone.
struct RunPair {
  const ComparedRun* arm;
  const ComparedRun* plain;
};

// `pairs` are those of one alpha, by seed; there is at least one.
ArmComparison compare_arm(double alpha, const std::vector<RunPair>& pairs, double delta) {
  ArmComparison arm;
  arm.alpha = alpha;
  std::vector<double> g_per_seed;
  std::vector<double> r_per_seed;
  std::vector<double> g_of_document;  // means over the seeds
  std::vector<double> r_of_document;
  for (const RunPair& pair : pairs) {
    const PairGain gain = pair_gain(pair.arm->documents, pair.plain->documents);
    arm.seeds.push_back(pair.arm->seed);
    g_per_seed.push_back(gain.g);
    r_per_seed.push_back(gain.r);
    add_mean(gain.g_of_document, pairs.size(), g_of_document);
    add_mean(gain.r_of_document, pairs.size(), r_of_document);
  }
  const RunDocuments& documents = pairs.front().arm->documents;
  arm.g = to_figure(std::move(g_per_seed),
                    bootstrap_sd(g_of_document, denominators_of(documents, &CeSums::tokens)));
  std::optional<SampleMoments> r_moments;
  const std::vector<int64_t> rare_tokens = denominators_of(documents, &CeSums::rare_tokens);
  if (std::ranges::any_of(rare_tokens, [](int64_t tokens) { return tokens > 0; })) {
    r_moments = moments_of(r_per_seed);
    arm.r = to_figure(std::move(r_per_seed), bootstrap_sd(r_of_document, rare_tokens));
  }
  const SampleMoments g_moments = moments_of(arm.g.per_seed);
  arm.verdict = verdict_of(g_moments, r_moments, delta);
  if (arm.verdict == Verdict::kNotShown) {
    arm.seeds_needed = seeds_needed(g_moments, r_moments, delta);
  }
  return arm;
}

std::vector<RunPair> pairs_of(const RunOfSeed& arm, const RunOfSeed& plain) {
  std::vector<RunPair> pairs;
  for (const auto& [seed, run] : arm) {
    if (plain.contains(seed)) pairs.push_back({.arm = run, .plain = plain.at(seed)});
  }
  return pairs;
}

// By alpha, then seed.
std::vector<UnpairedRun> unpaired_runs(const std::map<double, RunOfSeed>& arms) {
  const RunOfSeed& plain = arms.at(0);
  std::vector<UnpairedRun> unpaired;
  for (const auto& [alpha, runs] : arms) {
    for (const auto& [seed, run] : runs) {
      bool has_partner = alpha != 0 && plain.contains(seed);
      for (const auto& [other, runs_of_other] : arms) {
        has_partner = has_partner || (alpha == 0 && other != 0 && runs_of_other.contains(seed));
      }
      if (!has_partner) unpaired.push_back({.alpha = alpha, .seed = seed});
    }
  }
  return unpaired;
}

void require_arms(const std::map<double, RunOfSeed>& arms) {
  if (!arms.contains(0)) {
    throw ConfigError(
        "no run has pdl_alpha 0, with which the others are compared; train one for each seed");
  }
  if (arms.size() == 1) {
    throw ConfigError("all runs have pdl_alpha 0; give runs of another alpha to compare with them");
  }
}

}  // namespace

Comparison compare_runs(const std::vector<std::filesystem::path>& folders) {
  const std::vector<ComparedRun> runs = load_comparable_runs(folders);
  const std::map<double, RunOfSeed> arms = by_alpha(runs);
  require_arms(arms);
  Comparison comparison;
  comparison.rare_below = kRareBelow;
  comparison.unpaired = unpaired_runs(arms);
  for (const auto& [alpha, of_seed] : arms) {
    if (alpha == 0) continue;
    const std::vector<RunPair> pairs = pairs_of(of_seed, arms.at(0));
    if (!pairs.empty()) {
      comparison.arms.push_back(compare_arm(alpha, pairs, comparison.delta));
    }
  }
  if (comparison.arms.empty()) {
    throw ConfigError(
        "no run has a seed that a run with pdl_alpha 0 has; train both with the same seeds");
  }
  return comparison;
}

}  // namespace pdl
