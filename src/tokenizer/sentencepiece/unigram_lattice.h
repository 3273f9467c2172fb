// The best segmentation of a word under a SentencePiece Unigram model, down to the rounding of the
// library: that adds up float32 scores from the begin of the text, so that in a long text the score
// before a word decides between segmentations of nearly the same score.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "piece_trie.h"
#include "sentencepiece_model.h"

namespace pdl {

// Words are normalised, with ' ' for blanks; no token of the model may reach over their ends.
// Immutable: every function may be called from several threads at once.
class UnigramLattice {
 public:
  static constexpr int32_t kUnknown = -1;  // a single character that is no piece

  // Whether the model is of this kind, and its words stand for themselves.
  static bool fits(const SentencePieceModel& model);
  // `model` fits, and the library has accepted it.
  explicit UnigramLattice(const SentencePieceModel& model);

  // The best way to a place of a word so far.
  struct Arrival {
    double score;
    size_t begin;  // of the last token
    int32_t id;
    double margin;  // to the second best way; infinite: there is none
  };

  // To be reused, so that memory is not asked for again and again.
  struct Path {
    std::vector<int32_t> ids;       // pieces, and kUnknown
    std::vector<Arrival> arrivals;  // for the search
  };

  // The segmentation that the library finds after the text so far has got the score `begin`.
  struct RoundedPath : Path {
    float end = 0;          // the score of the text with the word
    float reach = 0;        // no sum that was looked at differs more from `begin`
    bool has_ties = false;  // a sum was half-way between two of float32
  };
  void find_path(std::string_view word, float begin, RoundedPath& path) const;

  // The best segmentation without rounding.
  struct ExactPath : Path {
    float limit = 0;  // the library finds it wherever |begin| <= limit; negative: maybe nowhere
  };
  void find_exact_path(std::string_view word, ExactPath& path) const;

  // The score after a piece of the path, as the library rounds it.
  float add(float score, int32_t id) const {
    return static_cast<float>(scores_[static_cast<size_t>(id + 1)] + static_cast<double>(score));
  }
  // Of a piece in a word.
  size_t num_bytes(int32_t id) const { return num_bytes_[static_cast<size_t>(id)]; }

  // Scores of one binade, 2^e <= |score| < 2^(e+1), are multiples of one number, so rounded sums
  // differ from them by the same amounts, wherever in the binade they begin; only a tie depends on
  // more. True if this holds for all pieces of the model (the library's sums are of float64 first):
  // then paths from two such scores are the same, provided that no sum is a tie or leaves the
  // binade.
  bool rounds_alike(int exponent) const {
    return exponent >= kMinExponent && exponent < kMaxExponent &&
           rounds_alike_[static_cast<size_t>(exponent - kMinExponent)];
  }

 private:
  // Below, rounding seldom decides, and limits do better; above, no text is long enough.
  static constexpr int kMinExponent = 17;
  static constexpr int kMaxExponent = 40;

  // Calls visit(end, id) for each token that may begin at `begin`, in the order of the library.
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
