#include "gain.h"

#include <array>
#include <optional>

#include "pdl/base/error.h"
#include "pdl/metrics/bias_curve.h"

namespace pdl {
namespace {

size_t require_tau_zero(const std::vector<double>& taus) {
  if (const std::optional<size_t> index = index_of_tau_zero(taus)) return *index;
  throw ConfigError(
      "eval_bias_grid has no tau 0, which stands for the model as it was trained; train with a "
      "grid that has it, such as -1:1:0.125");
}

// Returns the sums of ce over all documents, each with the best tau of the other half, and adds
// `sign` times what each document has.
double cross_fitted_ce(const RunDocuments& documents, const HalfSums& halves, double sign,
                       std::vector<double>& of_document) {
  const std::array<size_t, 2> taus = cross_fitted_taus(documents.taus, halves);
  for (size_t i = 0; i < documents.sums.size(); ++i) {
    of_document[i] += sign * documents.sums[i].ce[taus[i % 2]];
  }
  return halves[0].ce[taus[0]] + halves[1].ce[taus[1]];
}

}  // namespace

Bias bias_reaching(double aim, const std::vector<double>& ce, size_t best) {
  size_t index = best;
  if (aim <= ce[index]) return {.index = index, .index_below = index};
  while (index > 0 && ce[index - 1] < aim) --index;
  if (index == 0) return {};
  return {.index = index,
          .index_below = index - 1,
          .weight = (aim - ce[index]) / (ce[index - 1] - ce[index])};
}

PairGain pair_gain(const RunDocuments& arm, const RunDocuments& plain) {
  const HalfSums of_arm = sum_halves(arm);
  const HalfSums of_plain = sum_halves(plain);
  const size_t num_documents = arm.sums.size();
  PairGain gain{.g_of_document = std::vector<double>(num_documents),
                .r_of_document = std::vector<double>(num_documents)};

  const auto tokens = static_cast<double>(of_arm[0].tokens + of_arm[1].tokens);
  gain.g = cross_fitted_ce(arm, of_arm, 1, gain.g_of_document) / tokens -
           cross_fitted_ce(plain, of_plain, -1, gain.g_of_document) / tokens;

  const int64_t rare_tokens = of_arm[0].rare_tokens + of_arm[1].rare_tokens;
  const size_t zero = require_tau_zero(arm.taus);
  double rare_ce_of_plain = 0;
  for (const size_t half : {size_t{0}, size_t{1}}) {
    const size_t used = 1 - half;
    const Bias bias = bias_reaching(of_arm[half].ce[zero], of_plain[half].ce,
                                    best_tau(plain.taus, of_plain[half].ce));
    rare_ce_of_plain += bias.of(of_plain[used].rare_ce);
    for (size_t i = used; i < num_documents; i += 2) {
      gain.r_of_document[i] = bias.of(plain.sums[i].rare_ce) - arm.sums[i].rare_ce[zero];
    }
  }
  const double rare_ce_of_arm = of_arm[0].rare_ce[zero] + of_arm[1].rare_ce[zero];
  if (rare_tokens > 0) {
    gain.r = (rare_ce_of_plain - rare_ce_of_arm) / static_cast<double>(rare_tokens);
  }
  return gain;
}

}  // namespace pdl
