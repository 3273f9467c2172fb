// How the cross-entropy depends on the bias tau·ln(count + 1) of the logits.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "pdl/frequency/bands.h"
#include "pdl/metrics/document_figures.h"

namespace pdl {

// An evaluation with one tau.
struct BiasPoint {
  // Of the targets of one band.
  struct Band {
    int64_t tokens = 0;
    std::optional<double> ce;  // none without targets
  };

  double tau = 0;
  double ce = 0;  // of all targets, nats
  std::array<Band, kFrequencyBands.size()> bands;
};

// Returns the point of each tau of the grid, over all documents.
std::vector<BiasPoint> bias_curve(const DocumentTable& table);

// Returns the index of the best of `taus`, of which there is at least one, with a `ce` each: the
// one with the least ce, of several that with the least |tau|, then the lower tau. A ce that is not
// finite is never the least; where none is finite, |tau| and tau alone decide.
size_t best_tau(const std::vector<double>& taus, const std::vector<double>& ce);

// Returns the point at the best tau. `curve` is not empty.
const BiasPoint& best_point(const std::vector<BiasPoint>& curve);

// Returns [{"tau","eval_ce","eval_bands":{band:{"tokens","ce"}}}] as one line.
std::string bias_grid_json(const std::vector<BiasPoint>& curve);

}  // namespace pdl
