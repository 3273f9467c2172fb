#include "pdl/data/rows.h"

#include <algorithm>
#include <utility>

#include "pdl/base/error.h"
#include "pdl/frequency/token_counts.h"

namespace pdl {

Rows::Rows(TokenizedCorpus corpus, const RowOptions& options) : corpus_(std::move(corpus)) {
  const auto num_tokens = static_cast<int64_t>(corpus_.ids.size());
  if (options.packing) {
    cut(0, num_tokens, options.max_length);
  } else {
    int64_t begin = 0;
    for (const int64_t end : corpus_.document_ends) {
      cut(begin, end, options.max_length);
      begin = end;
    }
  }
  if (spans_.empty()) {
    throw DataError("no document has two tokens, so there is nothing to predict");
  }
}

void Rows::cut(int64_t begin, int64_t end, int64_t max_length) {
  for (; begin < end; begin += max_length) {
    const int64_t length = std::min(max_length, end - begin);
    if (length < 2) return;
    spans_.push_back({begin, length});
    num_targets_ += length - 1;
    longest_ = std::max(longest_, length);
  }
}

std::span<const int32_t> Rows::tokens(int64_t row) const {
  const Span& span = spans_[static_cast<size_t>(row)];
  return std::span(corpus_.ids)
      .subspan(static_cast<size_t>(span.begin), static_cast<size_t>(span.length));
}

std::vector<int64_t> count_targets(const Rows& rows, int64_t vocab_size) {
  std::vector<int64_t> counts(static_cast<size_t>(vocab_size));
  for (int64_t row = 0; row < rows.size(); ++row) add_counts(rows.tokens(row).subspan(1), counts);
  return counts;
}

}  // namespace pdl
