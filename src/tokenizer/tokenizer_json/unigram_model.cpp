#include <algorithm>
#include <limits>

#include "byte_level.h"
#include "byte_trie.h"
#include "model.h"
#include "pdl/base/error.h"
#include "pdl/base/unicode.h"
#include "pdl/pattern/character.h"

namespace pdl::tokenizer_json {
namespace {

constexpr double kUnknownPenalty = 10;

// The best segmentation of a word up to a place.
struct Node {
  static constexpr size_t kUnreached = SIZE_MAX;

  double score = 0;
  size_t begin = kUnreached;  // of its last piece
  int32_t id = 0;             // of its last piece
};

class UnigramModel : public Model {
 public:
  UnigramModel(Vocabulary vocabulary, std::vector<double> scores, std::optional<int32_t> unknown_id,
               Alphabet alphabet);

  void set_byte_fallback(bool byte_fallback) { byte_fallback_ = byte_fallback; }
  void encode(std::string_view word, std::vector<int32_t>& ids) const override;
  // The scores are added up from the begin of a word, so a cut could decide a tie otherwise.
  bool allows_cut_before(char32_t) const override { return false; }
  const Vocabulary& vocabulary() const override { return vocabulary_; }
  std::optional<int32_t> unknown_id() const override { return unknown_id_; }

 private:
  void advance(std::string_view word, size_t at, size_t length, std::vector<Node>& nodes) const;
  void append_piece(std::string_view text, std::vector<int32_t>& ids) const;
  int32_t required_unknown_id(std::string_view text) const;

  Vocabulary vocabulary_;
  std::vector<double> scores_;
  std::optional<int32_t> unknown_id_;
  Alphabet alphabet_;
  bool byte_fallback_ = false;
  double unknown_score_;
  ByteTrie trie_;  // text, as words have it, to ids
};

UnigramModel::UnigramModel(Vocabulary vocabulary, std::vector<double> scores,
                           std::optional<int32_t> unknown_id, Alphabet alphabet)
    : vocabulary_(std::move(vocabulary)),
      scores_(std::move(scores)),
      unknown_id_(unknown_id),
      alphabet_(alphabet) {
  double smallest = std::numeric_limits<double>::infinity();
  for (const double score : scores_) smallest = std::min(smallest, score);
  unknown_score_ = smallest - kUnknownPenalty;
  for (const auto& [written, id] : vocabulary_.ids) {
    const std::optional<std::string> text =
        alphabet_ == Alphabet::kBytes ? bytes_of(written) : written;
    if (text && !text->empty()) trie_.add(*text, id);
  }
}

int32_t UnigramModel::required_unknown_id(std::string_view text) const {
  if (unknown_id_) return *unknown_id_;
  throw ModelError("the tokenizer's vocabulary has no '" + printable(text) +
                   "' and no unknown token; use a tokenizer that covers the text");
}

// Offers every piece that begins at `at`; where none is the next character alone, an unknown one.
void UnigramModel::advance(std::string_view word, size_t at, size_t length,
                           std::vector<Node>& nodes) const {
  const double so_far = nodes[at].score;
  bool has_character = false;
  const auto offer = [&](size_t end, double score, int32_t id) {
    Node& node = nodes[end];
    if (node.begin == Node::kUnreached || score + so_far > node.score) {
      node = {score + so_far, at, id};
    }
  };
  trie_.visit_prefixes(word, at, [&](size_t bytes, int32_t id) {
    has_character = has_character || bytes == length;
    offer(at + bytes, scores_[static_cast<size_t>(id)], id);
  });
  if (!has_character) {
    offer(at + length, unknown_score_, required_unknown_id(word.substr(at, length)));
  }
}

void UnigramModel::append_piece(std::string_view text, std::vector<int32_t>& ids) const {
  int32_t found = ByteTrie::kNoValue;
  trie_.visit_prefixes(text, 0, [&](size_t bytes, int32_t id) {
    if (bytes == text.size()) found = id;
  });
  if (found != ByteTrie::kNoValue) {
    ids.push_back(found);
    return;
  }
  const size_t begin = ids.size();
  for (const char byte : byte_fallback_ ? text : std::string_view()) {
    const std::optional<int32_t> id =
        vocabulary_.find(byte_token(static_cast<unsigned char>(byte)));
    if (!id) {
      ids.resize(begin);
      break;
    }
    ids.push_back(*id);
  }
  if (ids.size() == begin) ids.push_back(required_unknown_id(text));
}

// Neighbouring unknown pieces are looked up as one.
void UnigramModel::encode(std::string_view word, std::vector<int32_t>& ids) const {
  std::vector<Node> nodes(word.size() + 1);
  for (size_t at = 0; at < word.size();) {
    const size_t length = alphabet_ == Alphabet::kBytes ? 1 : character_bytes(word[at]);
    advance(word, at, length, nodes);
    at += length;
  }
  std::vector<std::string_view> pieces;
  bool last_is_unknown = false;
  for (size_t end = word.size(); end > 0; end = nodes[end].begin) {
    const std::string_view piece = word.substr(nodes[end].begin, end - nodes[end].begin);
    const bool is_unknown = nodes[end].id == unknown_id_;
    if (is_unknown && last_is_unknown) {
      pieces.back() = {piece.data(), piece.size() + pieces.back().size()};
    } else {
      pieces.push_back(piece);
    }
    last_is_unknown = is_unknown;
  }
  std::for_each(pieces.rbegin(), pieces.rend(),
                [&](std::string_view piece) { append_piece(piece, ids); });
}

// [["piece", score], …]; of a piece that is there twice the last counts.
Vocabulary read_vocabulary(ObjectReader& reader, std::vector<double>& scores) {
  const JsonValue& list = reader.required("vocab", JsonValue::Kind::kArray);
  Vocabulary vocabulary;
  for (size_t i = 0; i < list.items().size(); ++i) {
    const std::vector<JsonValue>& pair = list.items()[i].items();
    const bool is_pair = list.items()[i].is(JsonValue::Kind::kArray) && pair.size() == 2 &&
                         pair[0].is_string() && pair[1].is_number();
    if (!is_pair) {
      reader.fail_at("vocab", "at index " + std::to_string(i) + " is no [string, score]");
    }
    scores.push_back(score_of(pair[1]));
    vocabulary.pieces.push_back(pair[0].text());
    vocabulary.ids[pair[0].text()] = static_cast<int32_t>(i);
  }
  if (list.items().empty()) reader.fail_at("vocab", "is empty");
  vocabulary.num_tokens = list.items().size();
  return vocabulary;
}

}  // namespace

std::unique_ptr<Model> read_unigram_model(ObjectReader& reader, Alphabet alphabet) {
  std::vector<double> scores;
  Vocabulary vocabulary = read_vocabulary(reader, scores);
  std::optional<int32_t> unknown_id;
  if (reader.find("unk_id") != nullptr) {
    const int64_t id = reader.required("unk_id", JsonValue::Kind::kInteger).integer();
    if (id < 0 || id >= static_cast<int64_t>(scores.size())) {
      reader.fail_at("unk_id", std::to_string(id) + " is not in the vocabulary");
    }
    unknown_id = static_cast<int32_t>(id);
  }
  const bool byte_fallback = reader.boolean_or("byte_fallback", false);
  if (byte_fallback && alphabet == Alphabet::kBytes) {
    reader.fail_at("byte_fallback", "with the ByteLevel pre-tokenizer is not supported");
  }
  reader.finish();
  auto model = std::make_unique<UnigramModel>(std::move(vocabulary), std::move(scores), unknown_id,
                                              alphabet);
  model->set_byte_fallback(byte_fallback);
  return model;
}

}  // namespace pdl::tokenizer_json
