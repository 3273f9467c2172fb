// Cuts tokenized documents into sequences. A sequence holds up to max_length tokens and gives one
// target fewer: position t predicts token t+1 of the same sequence if that token is trained. The
// first token of a sequence is no target, and the last position has none.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "pdl/config/run_config.h"
#include "pdl/tokens/tokenized_corpus.h"

namespace pdl {

// Immutable. Sequences are views into the corpus. A sequence without a target is dropped: one of a
// single token, or of a prompt alone.
//
//   packing  the stream of all documents is cut every max_length tokens; a shorter rest is kept
//   else     each document is cut every max_length tokens
class Sequences {
 public:
  // Throws DataError, with `name` for the corpus, if there is no sequence with a target.
  Sequences(TokenizedCorpus corpus, const SequenceOptions& options,
            const std::string& name = "the corpus");

  // The number of sequences.
  int64_t size() const { return static_cast<int64_t>(spans_.size()); }
  // The tokens of a sequence, at least two, without padding.
  std::span<const Token> tokens(int64_t row) const;
  // The positions in a sequence at which its documents begin; the first is 0, even within one.
  std::vector<int64_t> document_begins(int64_t row) const;
  // The number of targets of all sequences.
  int64_t num_targets() const { return num_targets_; }
  // The number of sequences of two tokens or more that were dropped because no target is trained.
  int64_t num_untrained() const { return num_untrained_; }
  // The length of the longest sequence, in tokens.
  int64_t longest() const { return longest_; }
  const TokenizedCorpus& corpus() const { return corpus_; }

 private:
  struct Span {
    int64_t begin;
    int64_t length;
  };
  void cut(int64_t begin, int64_t end, int64_t max_length);
  int64_t targets_of(const Span& span) const;

  TokenizedCorpus corpus_;
  std::vector<Span> spans_;
  int64_t num_targets_ = 0;
  int64_t num_untrained_ = 0;
  int64_t longest_ = 0;
};

}  // namespace pdl
