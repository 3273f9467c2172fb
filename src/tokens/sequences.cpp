#include "pdl/tokens/sequences.h"

#include <algorithm>
#include <utility>

#include "pdl/base/error.h"

namespace pdl {

Sequences::Sequences(TokenizedCorpus corpus, const SequenceOptions& options,
                     const std::string& name)
    : corpus_(std::move(corpus)) {
  const auto num_tokens = static_cast<int64_t>(corpus_.tokens.size());
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
    throw DataError(name + ": " +
                    (num_untrained_ > 0
                         ? "no token is a target: all are of prompts, of turns that are not the "
                           "assistant's, or of weight 0"
                         : "no document has two tokens, so there is nothing to predict"));
  }
}

void Sequences::cut(int64_t begin, int64_t end, int64_t max_length) {
  for (; begin < end; begin += max_length) {
    const int64_t length = std::min(max_length, end - begin);
    if (length < 2) return;
    const int64_t targets = targets_of({begin, length});
    if (targets == 0) {
      ++num_untrained_;
      continue;
    }
    spans_.push_back({begin, length});
    num_targets_ += targets;
    longest_ = std::max(longest_, length);
  }
}

int64_t Sequences::targets_of(const Span& span) const {
  if (corpus_.all_trained) return span.length - 1;
  const auto targets = corpus_.tokens.subspan(static_cast<size_t>(span.begin + 1),
                                              static_cast<size_t>(span.length - 1));
  return std::count_if(targets.begin(), targets.end(),
                       [](const Token& token) { return token.is_trained(); });
}

std::span<const Token> Sequences::tokens(int64_t row) const {
  const Span& span = spans_[static_cast<size_t>(row)];
  return corpus_.tokens.subspan(static_cast<size_t>(span.begin), static_cast<size_t>(span.length));
}

std::vector<int64_t> Sequences::document_begins(int64_t row) const {
  const auto& [begin, length] = spans_[static_cast<size_t>(row)];
  std::vector<int64_t> begins = {0};
  auto next = std::ranges::upper_bound(corpus_.document_ends, begin);
  for (; next != corpus_.document_ends.end() && *next < begin + length; ++next) {
    if (*next - begin > begins.back()) begins.push_back(*next - begin);
  }
  return begins;
}

}  // namespace pdl
