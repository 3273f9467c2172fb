// Matches and gaps of a text regrouped as a SplitBehavior says.
#pragma once

#include "pdl/pattern/pattern.h"
#include "pre_tokenizer.h"

namespace pdl::tokenizer_json {

// add() takes the spans in order; emit(span) is called for those that result. Call finish() after
// the last.
template <class Emit>
class SplitRegrouper {
 public:
  SplitRegrouper(SplitBehavior behavior, Emit emit) : behavior_(behavior), emit_(emit) {}

  void add(TextSpan span, bool is_match) {
    switch (behavior_) {
      case SplitBehavior::kIsolated:
        emit_(span);
        break;
      case SplitBehavior::kRemoved:
        if (!is_match) emit_(span);
        break;
      case SplitBehavior::kContiguous:
        extend_or_replace(span, is_match == last_is_match_);
        break;
      case SplitBehavior::kMergedWithPrevious:
        extend_or_replace(span, is_match && !last_is_match_);
        break;
      case SplitBehavior::kMergedWithNext:
        extend_or_replace(span, !is_match && last_is_match_);
        break;
    }
    last_is_match_ = is_match;
  }

  void finish() {
    if (pending_.begin < pending_.end) emit_(pending_);
    pending_ = {0, 0};
  }

 private:
  void extend_or_replace(TextSpan span, bool extends) {
    const bool has_pending = pending_.begin < pending_.end;
    if (has_pending && extends) {
      pending_.end = span.end;
      return;
    }
    if (has_pending) emit_(pending_);
    pending_ = span;
  }

  SplitBehavior behavior_;
  Emit emit_;
  TextSpan pending_{0, 0};  // not emitted yet; empty: nothing
  bool last_is_match_ = false;
};

}  // namespace pdl::tokenizer_json
