// Finds the best segmentation of a pre-token under a SentencePiece Unigram model, exactly as the
// library rounds. The library adds up float32 scores from the start of the text. In a long text,
// the score so far therefore decides between segmentations of nearly the same score.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "piece_trie.h"
#include "sentencepiece_model.h"

namespace pdl {

// Pre-tokens are normalised, with ' ' for spaces; no token of the model may reach across their
// ends. Immutable, so every function may be called from several threads at once.
class UnigramLattice {
 public:
  static constexpr int32_t kUnknown = -1;  // a character that is not a piece

  // Returns whether the model is of this kind and its pre-tokens can be encoded independently.
  static bool fits(const SentencePieceModel& model);
  // `model` must fit, and the library must have accepted it.
  explicit UnigramLattice(const SentencePieceModel& model);

  // The best way so far to a place in a pre-token.
  struct Arrival {
    double score;
    size_t begin;  // of the last token
    int32_t id;
    double margin;  // to the second best way; infinite without one
  };

  // Reuse it for many pre-tokens, to reuse its memory.
  struct Path {
    std::vector<int32_t> ids;       // pieces, and kUnknown
    std::vector<Arrival> arrivals;  // for the search
  };

  // The segmentation that the library finds if the text so far has the score `begin`.
  struct RoundedPath : Path {
    float end = 0;          // the score of the text including the pre-token
    float reach = 0;        // the largest difference of any sum from `begin`
    bool has_ties = false;  // a sum was half-way between two float32 numbers
  };
  void find_path(std::string_view word, float begin, RoundedPath& path) const;

  // The best segmentation without rounding.
  struct ExactPath : Path {
    float limit = 0;  // the library finds it if |begin| <= limit; negative: perhaps never
  };
  void find_exact_path(std::string_view word, ExactPath& path) const;

  // Returns the score after a piece of the path, as the library rounds it.
  float add(float score, int32_t id) const {
    return static_cast<float>(scores_[static_cast<size_t>(id + 1)] + static_cast<double>(score));
  }
  // A piece in a pre-token.
  size_t num_bytes(int32_t id) const { return num_bytes_[static_cast<size_t>(id)]; }

  // Scores of one binade, 2^e <= |score| < 2^(e+1), are multiples of one number. Hence rounded sums
  // differ from them by the same amounts wherever in the binade they begin, except for ties. True
  // if this holds for all pieces of the model, because the library first sums in float64. Then
  // paths from two such scores are the same, unless a sum is a tie or leaves the binade.
  bool rounds_alike(int exponent) const {
    return exponent >= kMinExponent && exponent < kMaxExponent &&
           rounds_alike_[static_cast<size_t>(exponent - kMinExponent)];
  }

 private:
  // Below this range rounding seldom decides, and limits work better; above it, no text is long
  // enough.
  static constexpr int kMinExponent = 17;
  static constexpr int kMaxExponent = 40;

  // Calls visit(end, id) for each token that may begin at `begin`, in the library's order.
  template <class Visit>
  void visit_tokens(std::string_view word, size_t begin, Visit visit) const;
  double score(int32_t id) const { return scores_[static_cast<size_t>(id + 1)]; }
  void add_scores(const SentencePieceModel& model);

  PieceTrie pieces_;
  std::vector<double> scores_;  // of kUnknown, then by id
  std::vector<size_t> num_bytes_;
  std::array<bool, kMaxExponent - kMinExponent> rounds_alike_{};
};

}  // namespace pdl
