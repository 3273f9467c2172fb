#include "unigram_words.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <string>

#include "../word_table.h"

namespace pdl {
namespace {

// The score of the text so far affects a pre-token only by rounding. So paths are cached with a
// limit up to which they hold.
class UnigramEncoder : public CachingEncoder {
 public:
  explicit UnigramEncoder(const UnigramWords& words) : words_(words), lattice_(words.lattice()) {}

  void encode(std::string_view text, bool begins, std::vector<int32_t>& ids) override {
    constexpr size_t kPartBytes = size_t{1} << 14;  // stays in the caches
    score_ = 0;
    after_unknown_ = false;
    buffer_.clear();
    SentencePieceNormalizer::State state{.rest = text, .begins = begins};
    while (!state.rest.empty()) {
      const size_t num_seen = buffer_.size();
      words_.normalizer().normalize(state, kPartBytes, buffer_);
      if (words_.has_words()) encode_complete_words(num_seen, ids);
    }
    words_.normalizer().finish(state, buffer_);
    if (!buffer_.empty()) encode_word(buffer_, ids);
  }

 private:
  // The first `num_seen` bytes of the buffer are an incomplete pre-token; an incomplete one is left
  // again.
  void encode_complete_words(size_t num_seen, std::vector<int32_t>& ids) {
    size_t begin = 0;
    for (size_t i = num_seen == 0 ? 0 : num_seen - 1; i < buffer_.size();) {
      while (i < buffer_.size() && words_.begins_word(buffer_[i])) ++i;
      while (i < buffer_.size() && !words_.begins_word(buffer_[i])) ++i;
      if (i == buffer_.size()) break;
      encode_word(std::string_view(buffer_).substr(begin, i - begin), ids);
      begin = i;
    }
    buffer_.erase(0, begin);
  }

  void encode_word(std::string_view word, std::vector<int32_t>& ids) {
    score_ = UnigramLattice::restarted(score_);
    if (word.size() > WordTable::kMaxWordBytes) return encode_anew(word, ids);
    auto entry = paths_.find(word);
    if (!entry) {
      insert_path(word);
      entry = paths_.find(word);
    }
    if (!(std::abs(score_) <= std::bit_cast<float>(entry->front()))) return encode_anew(word, ids);
    const auto path = entry->subspan(1);
    for (const int32_t id : path) score_ = lattice_.add(score_, id);
    words_.append(word, path, after_unknown_, ids);
  }

  // An entry holds the limit, as bits, and the path.
  void insert_path(std::string_view word) {
    lattice_.find_exact_path(word, exact_path_);
    entry_.assign(1, std::bit_cast<int32_t>(exact_path_.limit));
    entry_.insert(entry_.end(), exact_path_.ids.begin(), exact_path_.ids.end());
    paths_.insert(word, entry_);
  }

  void encode_anew(std::string_view word, std::vector<int32_t>& ids) {
    lattice_.find_path(word, score_, path_);
    score_ = path_.end;
    words_.append(word, path_.ids, after_unknown_, ids);
  }

  const UnigramWords& words_;
  const UnigramLattice& lattice_;
  WordTable paths_;
  float score_ = 0;  // of the document so far
  bool after_unknown_ = false;
  // Members to reuse their memory.
  std::string buffer_;
  std::vector<int32_t> entry_;
  UnigramLattice::RoundedPath path_;
  UnigramLattice::ExactPath exact_path_;
};

// Returns true if line ends in a piece only follow line ends and spaces.
bool keeps_line_ends_first(std::string_view piece) {
  while (piece.starts_with('\n') || piece.starts_with(kBlankSign)) {
    piece.remove_prefix(piece[0] == '\n' ? 1 : kBlankSign.size());
  }
  return piece.find('\n') == std::string_view::npos;
}

}  // namespace

UnigramWords::UnigramWords(const SentencePieceModel& model,
                           const SentencePieceNormalizer& normalizer)
    : normalizer_(normalizer),
      lattice_(model),
      has_words_(tokens_stay_in_words(model)),
      byte_ids_(find_byte_ids(model)) {
  for (size_t id = 0; id < model.pieces.size(); ++id) {
    if (model.pieces[id].type == SentencePieceModel::kUnknown) {
      unknown_id_ = static_cast<int32_t>(id);
    }
    if (!keeps_line_ends_first(model.pieces[id].text)) line_end_ = ' ';
  }
}

std::unique_ptr<UnigramWords> UnigramWords::make(const SentencePieceModel& model,
                                                 const SentencePieceNormalizer& normalizer) {
  if (model.model_type != SentencePieceModel::kUnigram) return nullptr;
  return std::unique_ptr<UnigramWords>(new UnigramWords(model, normalizer));
}

std::unique_ptr<CachingEncoder> UnigramWords::make_encoder() const {
  return std::make_unique<UnigramEncoder>(*this);
}

void UnigramWords::append(std::string_view word, std::span<const int32_t> path, bool& after_unknown,
                          std::vector<int32_t>& ids) const {
  size_t begin = 0;
  for (const int32_t id : path) {
    const bool is_unknown = id == UnigramLattice::kUnknown;
    size_t size = 0;
    if (!is_unknown) {
      size = lattice_.num_bytes(id);
      ids.push_back(id);
    } else {
      size = utf8_character_size(word[begin]);
      if (byte_ids_) {
        for (const char byte : word.substr(begin, size)) {
          ids.push_back((*byte_ids_)[static_cast<unsigned char>(byte)]);
        }
      } else if (!after_unknown) {
        ids.push_back(unknown_id_);
      }
    }
    after_unknown = is_unknown;
    begin += size;
  }
}
}  // namespace pdl
