#include "pdl/metrics/bias_curve.h"

#include <algorithm>
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

const BiasPoint& best_point(const std::vector<BiasPoint>& curve) {
  const auto cost = [](const BiasPoint& point) {
    const double ce = std::isfinite(point.ce) ? point.ce : INFINITY;
    return std::tuple(ce, std::abs(point.tau), point.tau);
  };
  return *std::ranges::min_element(curve, {}, cost);
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
