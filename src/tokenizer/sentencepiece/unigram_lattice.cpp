#include "unigram_lattice.h"

#include <algorithm>
#include <cfloat>
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

// Pieces as normalised text has them, and their ids.
std::vector<std::pair<std::string, int32_t>> used_pieces(const SentencePieceModel& model) {
  std::vector<std::pair<std::string, int32_t>> used;
  for (size_t id = 0; id < model.pieces.size(); ++id) {
    const auto& piece = model.pieces[id];
    if (piece.type != SentencePieceModel::kNormal &&
        piece.type != SentencePieceModel::kUserDefined) {
      continue;
    }
    // A text whose spaces are escaped has no other ones, so that such a piece is never found.
    const bool is_found = !model.escape_whitespaces || piece.text.find(' ') == std::string::npos;
    if (is_found) {
      used.emplace_back(model.escape_whitespaces ? with_blanks(piece.text) : piece.text,
                        static_cast<int32_t>(id));
    }
  }
  return used;
}

// Computed as the library does, including its float32 arithmetic.
std::vector<float> scores_of(const SentencePieceModel& model) {
  constexpr float kUnknownPenalty = 10;
  std::vector<float> scores = {FLT_MAX};
  for (const auto& piece : model.pieces) {
    if (piece.type == SentencePieceModel::kNormal) scores[0] = std::min(scores[0], piece.score);
    scores.push_back(piece.type == SentencePieceModel::kUserDefined
                         ? static_cast<float>(0.1 * static_cast<double>(piece.text.size() - 1))
                         : piece.score);
  }
  scores[0] -= kUnknownPenalty;
  return scores;
}

// Forgets the results for another pre-token.
template <class Path, class Score>
void begin_search(size_t num_bytes, Score score, Path& path) {
  path.ids.clear();
  path.arrivals.assign(num_bytes + 1, {0, 0, kNowhere});
  path.arrivals[0].score = score;
}

template <class Path>
void trace_back(Path& path) {
  for (size_t end = path.arrivals.size() - 1; end > 0; end = path.arrivals[end].begin) {
    path.ids.push_back(path.arrivals[end].id);
  }
  std::reverse(path.ids.begin(), path.ids.end());
}

// Lets the sums begin anew at arrivals[at]; those up to arrivals[last] are relative to it.
void restart(size_t at, size_t last, std::vector<UnigramLattice::Arrival<float>>& arrivals) {
  const float offset = arrivals[at].score;
  arrivals[at].score = 0;
  for (size_t i = at + 1; i <= last; ++i) {
    if (arrivals[i].begin != kNowhere) arrivals[i].score -= offset;
  }
}

}  // namespace

UnigramLattice::UnigramLattice(const SentencePieceModel& model)
    : pieces_(used_pieces(model)), scores_(scores_of(model)), num_bytes_(model.pieces.size()) {
  for (const auto& [text, id] : used_pieces(model)) {
    num_bytes_[static_cast<size_t>(id)] = text.size();
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
  size_t last = 0;
  for (size_t i = 0; i < word.size(); i += utf8_character_size(word[i])) {
    if (std::abs(path.arrivals[i].score) > kMaxSum) restart(i, last, path.arrivals);
    const float so_far = path.arrivals[i].score;
    visit_tokens(word, i, [&](size_t end, int32_t id) {
      last = std::max(last, end);
      const float sum = score(id) + so_far;
      auto& arrival = path.arrivals[end];
      if (arrival.begin == kNowhere || sum > arrival.score) arrival = {sum, id, i};
    });
  }
  trace_back(path);
  path.end = path.arrivals.back().score;
}

// Let u be half of the last place of the largest sum. Each token adds at most u to the error of a
// sum. So the library finds the same path of n characters if, at each place on it, the best way
// there is better than the second best by more than (2 n + 3) u.
void UnigramLattice::find_exact_path(std::string_view word, ExactPath& path) const {
  begin_search(word.size(), 0.0, path);
  path.margins.assign(word.size() + 1, std::numeric_limits<double>::infinity());
  double reach = 0;
  double num_characters = 0;
  for (size_t i = 0; i < word.size(); i += utf8_character_size(word[i])) {
    ++num_characters;
    const double so_far = path.arrivals[i].score;
    visit_tokens(word, i, [&](size_t end, int32_t id) {
      const double sum = static_cast<double>(score(id)) + so_far;
      reach = std::max(reach, std::abs(sum));
      auto& arrival = path.arrivals[end];
      double& margin = path.margins[end];
      if (arrival.begin == kNowhere) {
        arrival = {sum, id, i};
      } else if (sum > arrival.score) {
        margin = sum - arrival.score;
        arrival = {sum, id, i};
      } else {
        margin = std::min(margin, arrival.score - sum);
      }
    });
  }
  trace_back(path);
  double margin = path.margins.back();
  for (size_t end = word.size(); end > 0; end = path.arrivals[end].begin) {
    margin = std::min(margin, path.margins[end]);
  }
  constexpr double kHalfPlace = 0x1p-24 * 1.001;  // relative; 1.001 covers the rounding of float64
  margin -= 1e-9 * (1 + reach);
  const double limit = 0.999 * margin / ((2 * num_characters + 3) * kHalfPlace) - 1.001 * reach;
  // No sum on the way restarts.
  path.limit = static_cast<float>(std::min(limit, double{kMaxSum} - 1.001 * reach - 1));
}

}  // namespace pdl
