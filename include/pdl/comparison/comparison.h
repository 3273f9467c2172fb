// Says whether alpha helped: pairs runs by seed with those of alpha 0, and decides by a rule that
// is fixed beforehand. Losses are in nats.
//
//   G   CE of the arm less CE of alpha 0, each with its best bias tau·ln(count + 1): tau is chosen
//       on the documents with even numbers and used on the odd ones, and the reverse
//   R   how much lower the arm's CE of rare targets is than that of alpha 0, to which as much bias
//       is added as gives it the arm's overall CE
//
// Intervals are mean ± t(0.975, S - 1)·sd / √S over S paired seeds. In this order, with δ = delta:
//   helps          S ≥ 5 and (high of G < 0, or low of R > 0 and high of G < δ)
//   hurts          low of G > δ
//   no difference  the interval of G lies within ±δ
//   not shown      else
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pdl {

// With fewer paired seeds nothing is said to help: were the sign of G a coin's, all of five would
// be below 0 in 1 of 32 cases.
inline constexpr int64_t kMinSeedsToHelp = 5;

// What can be said of an alpha.
enum class Verdict { kHelps, kHurts, kNoDifference, kNotShown };

// Returns "helps", "hurts", "no difference" or "not shown".
std::string_view name_of(Verdict verdict);

// A figure over paired seeds.
struct SeedFigure {
  std::vector<double> per_seed;  // by increasing seed
  double mean = 0;
  std::optional<double> low;  // the ends of the 95 % interval; none for one seed
  std::optional<double> high;
  // The standard deviation of the mean in a bootstrap over documents, paired between the arms; it
  // takes no part in the interval.
  double document_sd = 0;
};

// One alpha beside alpha 0.
struct ArmComparison {
  double alpha = 0;
  std::vector<int64_t> seeds;  // those with a partner, increasing
  Verdict verdict = Verdict::kNotShown;
  // If means and deviations stay as they are; at least 5. Only if not shown, and none for one seed
  // or where 10,000 would not do.
  std::optional<int64_t> seeds_needed;
  SeedFigure g;
  std::optional<SeedFigure> r;  // none without rare targets
};

// A run that takes no part, because there is none of alpha 0 with its seed, or none of another
// alpha.
struct UnpairedRun {
  double alpha = 0;
  int64_t seed = 0;
};

// What compare_runs() finds.
struct Comparison {
  double delta = 0.01;
  int64_t rare_below = 500;         // targets whose training count is below are rare
  std::vector<ArmComparison> arms;  // by increasing alpha, without 0
  std::vector<UnpairedRun> unpaired;
};

// Returns whether compared runs may have different values of this key of config.json: pdl_alpha and
// seed, learning_rate, and what changes neither training nor evaluation.
bool may_differ_between_runs(std::string_view key);

// Returns "alpha 0.5, seed 7: no run of alpha 0 has this seed".
std::string describe(const UnpairedRun& run);

// Compares finished runs. The order of the folders changes nothing, and nothing but their
// config.json, summary.json and documents.jsonl is read. Throws ConfigError, in one line that names
// what differs, for a run that has not finished, runs that are not comparable, the same alpha and
// seed twice, no run of alpha 0, or no pair of runs; DataError for a file that is missing or
// damaged, a figure that is not finite, and targets in no document with an even number or in none
// with an odd one.
Comparison compare_runs(const std::vector<std::filesystem::path>& folders);

// Returns one JSON object and a newline: {"format":"pdl-comparison","version":1,"delta",
// "rare_below","arms":[{"alpha","seeds","verdict","seeds_needed","G":{"per_seed","mean","low",
// "high","document_sd"},"R":{…}}]}.
std::string to_json(const Comparison& comparison);

// Returns a table for people.
std::string to_table(const Comparison& comparison);

}  // namespace pdl
