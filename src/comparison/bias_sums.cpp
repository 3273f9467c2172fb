#include "pdl/comparison/bias_sums.h"

#include <cmath>

#include "pdl/metrics/bias_curve.h"

namespace pdl {
namespace {

// The grid is a sum of steps, which may miss 0 by rounding.
constexpr double kMaxTauOfZero = 1e-9;

CeSums sum_half(const RunDocuments& documents, size_t parity) {
  const size_t num_taus = documents.taus.size();
  CeSums half{.ce = std::vector<double>(num_taus), .rare_ce = std::vector<double>(num_taus)};
  for (size_t i = parity; i < documents.sums.size(); i += 2) {
    const CeSums& document = documents.sums[i];
    half.tokens += document.tokens;
    half.rare_tokens += document.rare_tokens;
    for (size_t tau = 0; tau < num_taus; ++tau) {
      half.ce[tau] += document.ce[tau];
      half.rare_ce[tau] += document.rare_ce[tau];
    }
  }
  return half;
}

}  // namespace

RunDocuments to_run_documents(const DocumentTable& table) {
  RunDocuments documents;
  documents.taus = table.taus;
  for (const DocumentFigures& document : table.documents) {
    CeSums& sums = documents.sums.emplace_back();
    sums.tokens = document.tokens;
    sums.ce = document.ce_sum;
    sums.rare_ce.resize(table.taus.size());
    auto& band_tokens = documents.band_tokens.emplace_back();
    for (size_t band = 0; band < kFrequencyBands.size(); ++band) {
      const BandSums& of_band = document.bands[band];
      band_tokens[band] = of_band.tokens;
      if (!is_rare(kFrequencyBands[band])) continue;
      sums.rare_tokens += of_band.tokens;
      for (size_t tau = 0; tau < table.taus.size(); ++tau) {
        sums.rare_ce[tau] += of_band.ce_sum[tau];
      }
    }
  }
  return documents;
}

HalfSums sum_halves(const RunDocuments& documents) {
  return {sum_half(documents, 0), sum_half(documents, 1)};
}

std::array<size_t, 2> cross_fitted_taus(const std::vector<double>& taus, const HalfSums& halves) {
  return {best_tau(taus, halves[1].ce), best_tau(taus, halves[0].ce)};
}

std::optional<size_t> index_of_tau_zero(const std::vector<double>& taus) {
  for (size_t i = 0; i < taus.size(); ++i) {
    if (std::abs(taus[i]) <= kMaxTauOfZero) return i;
  }
  return std::nullopt;
}

}  // namespace pdl
