// Finds the best segmentation of a pre-token under a SentencePiece Unigram model, exactly as the
// library does since version 0.2.2. It adds up float32 scores from the start of the text, so that
// rounding decides between segmentations of nearly the same score. The sums begin anew once they
// pass kMaxSum, which keeps rounding small however long the text is. Earlier versions add up
// without end and cut words far into a long text otherwise than near its start.
#pragma once

#include <cmath>
#include <cstdint>
#include <string_view>
#include <vector>

#include "piece_trie.h"
#include "sentencepiece_model.h"

namespace pdl {

// Pre-tokens are normalised as SentencePieceNormalizer does; no token of the model may reach across
// their ends. Immutable, so every function may be called from several threads at once.
class UnigramLattice {
 public:
  static constexpr int32_t kUnknown = -1;  // a character that is not a piece
  static constexpr float kMaxSum = 100'000;

  // The library must have accepted the model, which is of the kind kUnigram.
  explicit UnigramLattice(const SentencePieceModel& model);

  // The best way so far to a place in a pre-token.
  template <class Score>
  struct Arrival {
    Score score;
    int32_t id;    // of the last token
    size_t begin;  // of the last token
  };

  // The segmentation that the library finds if the text so far has the score `begin`. Reuse the
  // object for many pre-tokens, to reuse its memory.
  struct RoundedPath {
    std::vector<int32_t> ids;              // pieces, and kUnknown
    float end = 0;                         // the score of the text including the pre-token
    std::vector<Arrival<float>> arrivals;  // for the search
  };
  void find_path(std::string_view word, float begin, RoundedPath& path) const;

  // The best segmentation without rounding.
  struct ExactPath {
    std::vector<int32_t> ids;
    float limit = 0;  // the library finds it if |begin| <= limit; negative: perhaps never
    std::vector<Arrival<double>> arrivals;
    std::vector<double> margins;  // from each arrival to the second best; infinite without one
  };
  void find_exact_path(std::string_view word, ExactPath& path) const;

  // Returns the score of a text with which the library goes on where every segmentation has a cut.
  static float restarted(float score) { return std::abs(score) > kMaxSum ? 0 : score; }
  // Returns the score after a piece of the path.
  float add(float score, int32_t id) const { return this->score(id) + score; }
  // A piece in a pre-token.
  size_t num_bytes(int32_t id) const { return num_bytes_[static_cast<size_t>(id)]; }

 private:
  // Calls visit(end, id) for each token that may begin at `begin`, in the library's order.
  template <class Visit>
  void visit_tokens(std::string_view word, size_t begin, Visit visit) const;
  float score(int32_t id) const { return scores_[static_cast<size_t>(id + 1)]; }

  PieceTrie pieces_;
  std::vector<float> scores_;  // of kUnknown, then by id
  std::vector<size_t> num_bytes_;
};

}  // namespace pdl
