#include "gain.h"

#include <array>
#include <cmath>

#include "pdl/base/error.h"

namespace pdl {
namespace {

// The grid is a sum of steps, which may miss 0 by rounding.
constexpr double kMaxTauOfZero = 1e-9;

size_t index_of_tau_zero(const std::vector<double>& taus) {
  size_t nearest = 0;
  for (size_t i = 1; i < taus.size(); ++i) {
    if (std::abs(taus[i]) < std::abs(taus[nearest])) nearest = i;
  }
  if (std::abs(taus[nearest]) <= kMaxTauOfZero) return nearest;
  throw ConfigError(
      "eval_bias_grid has no tau 0, which stands for the model as it was trained; train with a "
      "grid that has it, such as -1:1:0.125");
}

// The halves of the documents: even and odd numbers.
std::array<CeSums, 2> halves_of(const RunDocuments& documents) {
  return {sum_half(documents, 0), sum_half(documents, 1)};
}

// Adds what G takes from the half `used` with a tau chosen on the other half. Returns the sum.
double add_ce(const RunDocuments& documents, const std::array<CeSums, 2>& halves, size_t used,
              double sign, std::vector<double>& of_document) {
  const size_t tau = best_tau(documents.taus, halves[1 - used].ce);
  for (size_t i = used; i < documents.sums.size(); i += 2) {
    of_document[i] += sign * documents.sums[i].ce[tau];
  }
  return halves[used].ce[tau];
}

// Returns the sums of ce over all documents, each with the best tau of the other half.
double cross_fitted_ce(const RunDocuments& documents, const std::array<CeSums, 2>& halves,
                       double sign, std::vector<double>& of_document) {
  const double even = add_ce(documents, halves, 0, sign, of_document);
  const double odd = add_ce(documents, halves, 1, sign, of_document);
  return even + odd;
}

}  // namespace

size_t best_tau(const std::vector<double>& taus, const std::vector<double>& ce) {
  size_t best = 0;
  for (size_t i = 1; i < taus.size(); ++i) {
    const bool is_nearer = ce[i] == ce[best] && std::abs(taus[i]) < std::abs(taus[best]);
    if (ce[i] < ce[best] || is_nearer) best = i;
  }
  return best;
}

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
  const std::array<CeSums, 2> of_arm = halves_of(arm);
  const std::array<CeSums, 2> of_plain = halves_of(plain);
  const size_t num_documents = arm.sums.size();
  PairGain gain{.g_of_document = std::vector<double>(num_documents),
                .r_of_document = std::vector<double>(num_documents)};

  const auto tokens = static_cast<double>(of_arm[0].tokens + of_arm[1].tokens);
  gain.g = cross_fitted_ce(arm, of_arm, 1, gain.g_of_document) / tokens -
           cross_fitted_ce(plain, of_plain, -1, gain.g_of_document) / tokens;

  const int64_t rare_tokens = of_arm[0].rare_tokens + of_arm[1].rare_tokens;
  const size_t zero = index_of_tau_zero(arm.taus);
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
