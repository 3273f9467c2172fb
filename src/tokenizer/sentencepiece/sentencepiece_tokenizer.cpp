#include "sentencepiece_tokenizer.h"

#include <sentencepiece_processor.h>

#include "../chat_files.h"
#include "../declared_tokens.h"
#include "listed_pieces.h"
#include "normalized_encoder.h"
#include "pdl/base/contained.h"
#include "pdl/base/error.h"
#include "pdl/base/file.h"
#include "pdl/base/sha256.h"
#include "pdl/tokenizer/tokenizer.h"
#include "sentencepiece_normalizer.h"
#include "sentencepiece_stream.h"
#include "sentencepiece_words.h"
#include "unigram_words.h"

namespace pdl {
namespace {

namespace fs = std::filesystem;

// A model holds a piece and a score for each token. A million of them take some 20 MB, and the
// library needs some 100 MB more.
constexpr int64_t kMaxModelBytes = int64_t{64} << 20;
constexpr ContainedLimits kLimits = {.max_bytes = int64_t{1} << 30, .max_cpu_seconds = 10};

std::string refusal(const fs::path& path, const std::string& why) {
  return "tokenizer '" + path.string() + "' is not a usable SentencePiece model: " + why;
}

// Calls everything that the program will use of the model. Returns "" or what is wrong.
std::string try_model(const std::string& serialized) {
  sentencepiece::SentencePieceProcessor processor;
  const auto loaded = processor.LoadFromSerializedProto(serialized);
  if (!loaded.ok()) return loaded.ToString();
  for (int id = 0; id < processor.GetPieceSize(); ++id) {
    processor.IdToPiece(id);
    processor.IsControl(id);
  }
  if (processor.GetPieceSize() == 0) return "it has no pieces";
  std::vector<int> ids;
  const auto encoded = processor.Encode("Hello, wörld 你好 \n\t1234", &ids);
  if (!encoded.ok()) return encoded.ToString();
  std::string text;
  const auto decoded = processor.Decode(ids, &text);
  return decoded.ok() ? "" : decoded.ToString();
}

// The library ends the process (CHECK, abort) on some malformed models, so each is loaded in a
// child process first.
SentencePieceModel load_model(const std::string& serialized) {
  if (serialized.empty()) throw ModelError("it is empty");
  SentencePieceModel model = parse_sentencepiece_model(serialized);
  check_sentencepiece_model(model);
  const std::string problem = run_contained([&] { return try_model(serialized); }, kLimits);
  if (!problem.empty()) throw ModelError("the SentencePiece library cannot load it: " + problem);
  return model;
}

class SentencePieceTokenizer : public Tokenizer {
 public:
  explicit SentencePieceTokenizer(const fs::path& path) : path_(path) {
    const std::string serialized = read_file<ModelError>("tokenizer", path, kMaxModelBytes);
    try {
      const SentencePieceModel model = load_model(serialized);
      const auto status = processor_.LoadFromSerializedProto(serialized);
      if (!status.ok()) throw ModelError(status.ToString());
      normalizer_.emplace(model);
      if (model.denormalization_map.empty()) id_with_text_ = find_id_with_text(processor_);
      unigram_ = UnigramWords::make(model, *normalizer_);
      if (ListedPieces::fits(model)) listed_.emplace(model);
      if (model.model_type == SentencePieceModel::kBpe) words_ = make_plain_bpe_words(model);
      if (model.model_type == SentencePieceModel::kBpe && !words_) {
        normalized_encoder_.emplace(serialized);
        words_ = make_library_words(model, *normalizer_, *normalized_encoder_);
      }
    } catch (const ModelError& problem) {
      throw ModelError(refusal(path, problem.what()));
    }
    sha256_ = pdl::sha256(serialized);
    const auto config = read_tokenizer_config(path);
    if (config) declared_ = declared_by_config(*config);
    chat_files_ = read_chat_files(path, config);
    add_own_tokens();
  }

  int64_t size() const override { return processor_.GetPieceSize(); }

  std::vector<int32_t> encode(std::string_view text, bool begins) const override {
    std::vector<int32_t> ids;
    if (unigram_) {
      unigram_->make_encoder()->encode(text, begins, ids);
    } else if (listed_) {
      listed_->encode(normalized(text, begins), ids);
    } else if (begins) {
      const auto status = processor_.Encode(absl::string_view(text.data(), text.size()), &ids);
      if (!status.ok()) throw ModelError(refusal(path_, status.ToString()));
    } else if (normalized_encoder_) {
      normalized_encoder_->encode(normalized(text, begins), ids);
    } else {
      WordList list;
      words_->split(text, begins, list);
      for (const Word& word : list.words) words_->encode_word(word.bytes, ids);
    }
    return ids;
  }

  size_t size_without_dropped_end(std::string_view text) const override {
    return normalizer_->size_without_last_blanks(text);
  }

  bool has_words() const override { return words_ != nullptr; }
  void split(std::string_view text, bool begins, WordList& list) const override {
    words_->split(text, begins, list);
  }
  bool encode_word(std::string_view word, std::vector<int32_t>& ids) const override {
    return words_->encode_word(word, ids);
  }
  size_t find_cut(std::string_view text, size_t from) const override {
    return words_->find_cut(text, from);
  }

  std::unique_ptr<CachingEncoder> make_caching_encoder() const override {
    return unigram_ ? unigram_->make_encoder() : nullptr;
  }

  std::optional<int32_t> control_id(std::string_view written) const override {
    const int id = processor_.PieceToId(absl::string_view(written.data(), written.size()));
    return processor_.IsControl(id) ? std::optional<int32_t>(id) : std::nullopt;
  }

  std::string decode(std::span<const int32_t> ids) const override {
    for (const int32_t id : ids) check_id(id);
    std::string text;
    decode_with_library(processor_, {ids.begin(), ids.end()}, text);
    return text;
  }
  std::unique_ptr<DecodeStream> make_decode_stream() const override {
    if (!id_with_text_) return Tokenizer::make_decode_stream();
    return std::make_unique<SentencePieceStream>(*this, processor_, *id_with_text_);
  }

  std::string piece(int32_t id) const override { return processor_.IdToPiece(id); }
  std::optional<int32_t> bos_id() const override { return present(processor_.bos_id()); }
  std::optional<int32_t> eos_id() const override { return present(processor_.eos_id()); }
  std::optional<int32_t> pad_id() const override { return present(processor_.pad_id()); }

  DeclaredTokens declared_tokens() const override { return declared_; }
  const ChatFiles& chat_files() const override { return chat_files_; }

  std::vector<int32_t> special_ids() const override {
    std::vector<int32_t> special;
    for (int32_t id = 0; id < processor_.GetPieceSize(); ++id) {
      if (processor_.IsControl(id) || processor_.IsUnknown(id)) special.push_back(id);
    }
    return special;
  }

  const std::string& sha256() const override { return sha256_; }

 private:
  // The model itself says what begins and ends a text, unless a file beside it does.
  void add_own_tokens() {
    if (!chat_files_.special_tokens.empty()) return;
    if (bos_id()) chat_files_.special_tokens.emplace_back("bos_token", piece(*bos_id()));
    if (eos_id()) chat_files_.special_tokens.emplace_back("eos_token", piece(*eos_id()));
  }

  static std::optional<int32_t> present(int id) {
    return id >= 0 ? std::optional<int32_t>(id) : std::nullopt;
  }

  std::string normalized(std::string_view text, bool begins) const {
    std::string result;
    SentencePieceNormalizer::State state{.rest = text, .begins = begins};
    normalizer_->normalize(state, text.size(), result);
    normalizer_->finish(state, result);
    return result;
  }

  fs::path path_;
  sentencepiece::SentencePieceProcessor processor_;
  std::optional<SentencePieceNormalizer> normalizer_;
  std::optional<int32_t> id_with_text_;                  // nullopt: text comes at the end
  std::unique_ptr<UnigramWords> unigram_;                // of a Unigram model, else nullptr
  std::optional<ListedPieces> listed_;                   // of a model of words or characters
  std::optional<NormalizedEncoder> normalized_encoder_;  // of a BPE model that the library encodes
  std::unique_ptr<SentencePieceWords> words_;            // nullptr: texts are encoded as a whole
  DeclaredTokens declared_;
  ChatFiles chat_files_;
  std::string sha256_;
};

}  // namespace

std::unique_ptr<Tokenizer> load_sentencepiece_tokenizer(const fs::path& path) {
  return std::make_unique<SentencePieceTokenizer>(path);
}

}  // namespace pdl
