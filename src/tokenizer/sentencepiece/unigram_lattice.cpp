#include "unigram_lattice.h"

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <limits>
#include <string>

namespace pdl {
namespace {

constexpr size_t kNowhere = std::numeric_limits<size_t>::max();

std::string with_blanks(std::string_view piece) {
  std::string text(piece);
  for (size_t i = 0; (i = text.find(kBlankSign, i)) != std::string::npos;) {
    text.replace(i, kBlankSign.size(), " ");
  }
  return text;
}

// Pieces with ' ' for spaces, and their ids.
std::vector<std::pair<std::string, int32_t>> used_pieces(const SentencePieceModel& model) {
  std::vector<std::pair<std::string, int32_t>> used;
  for (size_t id = 0; id < model.pieces.size(); ++id) {
    const auto& piece = model.pieces[id];
    if (piece.type == SentencePieceModel::kNormal ||
        piece.type == SentencePieceModel::kUserDefined) {
      used.emplace_back(with_blanks(piece.text), static_cast<int32_t>(id));
    }
  }
  return used;
}

// Forgets the results for another pre-token.
void begin_search(size_t num_bytes, double score, UnigramLattice::Path& path) {
  path.ids.clear();
  path.arrivals.assign(num_bytes + 1, {0, kNowhere, 0, std::numeric_limits<double>::infinity()});
  path.arrivals[0].score = score;
}

void trace_back(UnigramLattice::Path& path) {
  for (size_t end = path.arrivals.size() - 1; end > 0; end = path.arrivals[end].begin) {
    path.ids.push_back(path.arrivals[end].id);
  }
  std::reverse(path.ids.begin(), path.ids.end());
}

// Far above the scores of real models, which are logarithms of probabilities. Up to this, nothing
// overflows.
constexpr double kMaxScore = 1 << 20;

// Returns whether a sum of `score` and a multiple of 2^(exponent-23), rounded to float64, stays on
// the same side of every point where rounding to float32 or a comparison changes. Those points are
// the multiples of 2^(exponent-24), of which `halves_in_one` make up 1.
bool rounds_alike_with(double score, double halves_in_one) {
  const double halves = score * halves_in_one;
  const double part = std::abs(halves - static_cast<double>(static_cast<int64_t>(halves)));
  constexpr double kFloat64 = 0x1p-27;  // four times the rounding error of the sum in float64
  if (part == 0 || (part > kFloat64 && part < 1 - kFloat64)) return true;
  const double last_places = halves * 0x1p28;  // the sum in float64, exact if it is an integer
  return last_places == std::trunc(last_places);
}

}  // namespace

bool UnigramLattice::fits(const SentencePieceModel& model) {
  if (model.model_type != SentencePieceModel::kUnigram || !tokens_stay_in_words(model))
    return false;
  return std::all_of(model.pieces.begin(), model.pieces.end(), [](const auto& piece) {
    // The library's trie ends a piece at a zero byte.
    return std::abs(piece.score) < kMaxScore && piece.text.find('\0') == std::string::npos;
  });
}

UnigramLattice::UnigramLattice(const SentencePieceModel& model)
    : pieces_(used_pieces(model)),
      scores_(model.pieces.size() + 1),
      num_bytes_(model.pieces.size()) {
  add_scores(model);
  std::vector<double> used = {scores_[0]};
  for (const auto& [text, id] : used_pieces(model)) {
    num_bytes_[static_cast<size_t>(id)] = text.size();
    used.push_back(score(id));
  }
  for (int exponent = kMinExponent; exponent < kMaxExponent; ++exponent) {
    const double halves_in_one = std::ldexp(1.0, 24 - exponent);
    rounds_alike_[static_cast<size_t>(exponent - kMinExponent)] =
        std::all_of(used.begin(), used.end(),
                    [&](double score) { return rounds_alike_with(score, halves_in_one); });
  }
}

// Computed as the library does, including its float32 arithmetic.
void UnigramLattice::add_scores(const SentencePieceModel& model) {
  float min_score = FLT_MAX;
  float max_score = FLT_MIN;
  for (const auto& piece : model.pieces) {
    if (piece.type != SentencePieceModel::kNormal) continue;
    min_score = std::min(min_score, piece.score);
    max_score = std::max(max_score, piece.score);
  }
  constexpr float kUnknownPenalty = 10;
  scores_[0] = min_score - kUnknownPenalty;
  for (size_t i = 0; i < model.pieces.size(); ++i) {
    const auto& piece = model.pieces[i];
    scores_[i + 1] = piece.type == SentencePieceModel::kUserDefined
                         ? static_cast<float>(piece.text.size()) * max_score - 0.1
                         : piece.score;
  }
}

template <class Visit>
void UnigramLattice::visit_tokens(std::string_view word, size_t begin, Visit visit) const {
  const size_t character = utf8_character_size(word[begin]);
  bool is_known = false;
  pieces_.find_prefixes(word.substr(begin), [&](size_t num_bytes, int32_t id) {
    visit(begin + num_bytes, id);
    is_known = is_known || num_bytes == character;
  });
  if (!is_known) visit(std::min(begin + character, word.size()), kUnknown);
}

void UnigramLattice::find_path(std::string_view word, float begin, RoundedPath& path) const {
  begin_search(word.size(), begin, path);
  int exponent = 0;  // |begin| < 2^exponent; 0 for 0
  std::frexp(begin, &exponent);
  const double half_place = std::ldexp(1.0, exponent - 25);
  double reach = 0;
  path.has_ties = false;
  for (size_t i = 0; i < word.size(); i += utf8_character_size(word[i])) {
    const double so_far = path.arrivals[i].score;
    visit_tokens(word, i, [&](size_t end, int32_t id) {
      const double sum = score(id) + so_far;
      const double rounded = static_cast<float>(sum);
      reach = std::max(reach, std::abs(sum - static_cast<double>(begin)));
      path.has_ties = path.has_ties || std::abs(sum - rounded) == half_place;
      // The library compares the unrounded sum with a rounded one, except for an unknown character,
      // whose sum has the type float.
      const double compared = id == kUnknown ? rounded : sum;
      Arrival& arrival = path.arrivals[end];
      if (arrival.begin == kNowhere || compared > arrival.score) arrival = {rounded, i, id, 0};
    });
  }
  trace_back(path);
  path.end = static_cast<float>(path.arrivals.back().score);
  path.reach = static_cast<float>(1.001 * reach);
}

// Let u be half of the last place of the largest sum. Each token adds at most u to the error of a
// sum, and one more comes from comparing with a rounded sum. So the library finds the same path of
// n characters if, at each place on it, the best way there is better than the second best by more
// than (2 n + 3) u.
void UnigramLattice::find_exact_path(std::string_view word, ExactPath& path) const {
  begin_search(word.size(), 0, path);
  double reach = 0;
  double num_characters = 0;
  for (size_t i = 0; i < word.size(); i += utf8_character_size(word[i])) {
    ++num_characters;
    const double so_far = path.arrivals[i].score;
    visit_tokens(word, i, [&](size_t end, int32_t id) {
      const double sum = score(id) + so_far;
      reach = std::max(reach, std::abs(sum));
      Arrival& arrival = path.arrivals[end];
      if (arrival.begin == kNowhere) {
        arrival = {sum, i, id, arrival.margin};
      } else if (sum > arrival.score) {
        arrival = {sum, i, id, sum - arrival.score};
      } else {
        arrival.margin = std::min(arrival.margin, arrival.score - sum);
      }
    });
  }
  trace_back(path);
  double margin = path.arrivals.back().margin;
  for (size_t end = word.size(); end > 0; end = path.arrivals[end].begin) {
    margin = std::min(margin, path.arrivals[end].margin);
  }
  constexpr double kHalfPlace = 0x1p-24 * 1.001;  // relative; 1.001 covers the rounding of float64
  margin -= 1e-9 * (1 + reach);
  const double limit = 0.999 * margin / ((2 * num_characters + 3) * kHalfPlace) - 1.001 * reach;
  path.limit = static_cast<float>(std::min(limit, 1e30));
}

}  // namespace pdl
