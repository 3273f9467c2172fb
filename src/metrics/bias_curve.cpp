#include "pdl/metrics/bias_curve.h"

#include <cmath>
#include <nlohmann/json.hpp>
#include <tuple>

namespace pdl {

std::vector<BiasPoint> bias_curve(const DocumentTable& table) {
  std::vector<BiasPoint> curve;
  for (size_t k = 0; k < table.taus.size(); ++k) {
    BiasPoint point;
    point.tau = table.taus[k];
    int64_t tokens = 0;
    double ce_sum = 0;
    std::array<double, kFrequencyBands.size()> band_sums{};
    for (const DocumentFigures& document : table.documents) {
      tokens += document.tokens;
      ce_sum += document.ce_sum[k];
      for (size_t band = 0; band < band_sums.size(); ++band) {
        point.bands[band].tokens += document.bands[band].tokens;
        band_sums[band] += document.bands[band].ce_sum[k];
      }
    }
    point.ce = ce_sum / static_cast<double>(tokens);
    for (size_t band = 0; band < band_sums.size(); ++band) {
      BiasPoint::Band& of_band = point.bands[band];
      if (of_band.tokens > 0) of_band.ce = band_sums[band] / static_cast<double>(of_band.tokens);
    }
    curve.push_back(point);
  }
  return curve;
}

size_t best_tau(const std::vector<double>& taus, const std::vector<double>& ce) {
  const auto cost = [&](size_t i) {
    return std::tuple(std::isfinite(ce[i]) ? ce[i] : INFINITY, std::abs(taus[i]), taus[i]);
  };
  size_t best = 0;
  for (size_t i = 1; i < taus.size(); ++i) {
    if (cost(i) < cost(best)) best = i;
  }
  return best;
}

const BiasPoint& best_point(const std::vector<BiasPoint>& curve) {
  std::vector<double> taus;
  std::vector<double> ce;
  for (const BiasPoint& point : curve) {
    taus.push_back(point.tau);
    ce.push_back(point.ce);
  }
  return curve[best_tau(taus, ce)];
}

std::string bias_grid_json(const std::vector<BiasPoint>& curve) {
  using Json = nlohmann::ordered_json;
  Json grid = Json::array();
  for (const BiasPoint& point : curve) {
    Json entry = {{"tau", point.tau}, {"eval_ce", point.ce}};
    for (size_t i = 0; i < kFrequencyBands.size(); ++i) {
      const BiasPoint::Band& band = point.bands[i];
      entry["eval_bands"][std::string(kFrequencyBands[i].name)] = {
          {"tokens", band.tokens}, {"ce", band.ce ? Json(*band.ce) : Json(nullptr)}};
    }
    grid.push_back(std::move(entry));
  }
  return grid.dump();
}

}  // namespace pdl
