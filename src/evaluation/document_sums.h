// The cross-entropy of each document for a grid of biases.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "pdl/metrics/document_figures.h"
#include "pdl/tokens/sequences.h"

namespace pdl {

// Adds up the targets of sequences by document and band. A target belongs to the document in which
// the predicted token stands.
class DocumentSums {
 public:
  // `counts` [V] decide the bands. Sequences and counts must outlive this.
  DocumentSums(const Sequences& sequences, const std::vector<int64_t>& counts,
               const std::vector<double>& taus);

  // Returns the document of what each position predicts, [rows, length] int64; anything where there
  // is no target.
  at::Tensor documents_of(const std::vector<int64_t>& rows, int64_t length) const;

  // Adds positions: ce [N, K] float64, targets [N] and documents [N] int64.
  void add(const at::Tensor& ce, const at::Tensor& targets, const at::Tensor& documents);

  const DocumentTable& table() const { return table_; }

 private:
  const Sequences& sequences_;
  const std::vector<int64_t>& counts_;
  std::vector<int64_t> ends_;  // of the documents that are not empty
  DocumentTable table_;
};

}  // namespace pdl
