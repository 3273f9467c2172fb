#include "document_sums.h"

#include <ATen/ops/zeros.h>

#include <algorithm>

#include "pdl/ops/ignore_target.h"

namespace pdl {
namespace {

void add_to(std::vector<double>& sums, const double* values) {
  for (double& sum : sums) sum += *values++;
}

}  // namespace

DocumentSums::DocumentSums(const Sequences& sequences, const std::vector<int64_t>& counts,
                           const std::vector<double>& taus)
    : sequences_(sequences), counts_(counts) {
  for (const int64_t end : sequences.corpus().document_ends) {
    if (end > (ends_.empty() ? 0 : ends_.back())) ends_.push_back(end);
  }
  DocumentFigures none;
  none.ce_sum.resize(taus.size());
  for (BandSums& band : none.bands) band.ce_sum.resize(taus.size());
  table_.taus = taus;
  table_.documents.resize(ends_.size(), none);
}

at::Tensor DocumentSums::documents_of(const std::vector<int64_t>& rows, int64_t length) const {
  at::Tensor documents = at::zeros({std::ssize(rows), length}, at::kLong);
  auto* document = documents.mutable_data_ptr<int64_t>();
  for (const int64_t row : rows) {
    const auto tokens = sequences_.tokens(row);
    const int64_t first = tokens.data() - sequences_.corpus().tokens.data();
    auto end = std::ranges::upper_bound(ends_, first + 1);
    for (int64_t t = 0; t + 1 < std::ssize(tokens); ++t) {
      if (first + t + 1 == *end) ++end;
      document[t] = end - ends_.begin();
    }
    document += length;
  }
  return documents;
}

void DocumentSums::add(const at::Tensor& ce, const at::Tensor& targets,
                       const at::Tensor& documents) {
  const at::Tensor host_ce = ce.cpu().contiguous();
  const at::Tensor host_targets = targets.cpu().contiguous();
  const at::Tensor host_documents = documents.cpu().contiguous();
  const auto* values = host_ce.const_data_ptr<double>();
  const auto* target = host_targets.const_data_ptr<int64_t>();
  const auto* document = host_documents.const_data_ptr<int64_t>();
  for (int64_t i = 0; i < host_targets.numel(); ++i, values += host_ce.size(1)) {
    if (target[i] == kIgnoreTarget) continue;
    DocumentFigures& figures = table_.documents[static_cast<size_t>(document[i])];
    const int64_t count = counts_[static_cast<size_t>(target[i])];
    BandSums& band = figures.bands[static_cast<size_t>(band_of_count(count))];
    ++figures.tokens;
    ++band.tokens;
    add_to(figures.ce_sum, values);
    add_to(band.ce_sum, values);
  }
}

}  // namespace pdl
