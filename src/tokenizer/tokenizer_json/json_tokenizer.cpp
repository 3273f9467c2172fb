#include "json_tokenizer.h"

#include <algorithm>
#include <stdexcept>

#include "../chat_files.h"
#include "../declared_tokens.h"
#include "added_tokens.h"
#include "byte_level.h"
#include "class_rules.h"
#include "cut_rule.h"
#include "decoded_tokens.h"
#include "decoder.h"
#include "json_document.h"
#include "model.h"
#include "normalizer.h"
#include "pdl/base/error.h"
#include "pdl/base/file.h"
#include "pdl/base/log.h"
#include "pdl/base/sha256.h"
#include "pdl/base/unicode.h"
#include "pdl/pattern/character.h"
#include "pre_tokenizer.h"

namespace pdl {
namespace tokenizer_json {
namespace {

namespace fs = std::filesystem;

// The largest known files hold 40 MB.
constexpr int64_t kMaxFileBytes = int64_t{256} << 20;

struct ControlIds {
  std::optional<int32_t> bos;
  std::optional<int32_t> eos;
  std::optional<int32_t> pad;
};

class JsonTokenizer : public Tokenizer {
 public:
  JsonTokenizer(const JsonValue& root, const JsonBlame& blame, std::string sha256);

  // They are not in the tokenizer's file, and decide its tokens as well.
  void set_control_ids(const ControlIds& ids) {
    control_ids_ = ids;
    if (!ids.bos && !ids.eos && !ids.pad) return;
    for (const std::optional<int32_t>& id : {ids.bos, ids.eos, ids.pad})
      sha256_ += " " + std::to_string(id.value_or(-1));
    sha256_ = pdl::sha256(sha256_);
  }
  // What `by_config` says counts more than the post-processor.
  void declare(const DeclaredTokens& by_config) {
    if (by_config.bos) declared_.bos = by_config.bos;
    if (by_config.eos) declared_.eos = by_config.eos;
  }
  void set_decoder(Decoder decoder) { decoder_ = std::move(decoder); }
  void set_chat_files(ChatFiles files) { chat_files_ = std::move(files); }
  std::optional<int32_t> find(const std::string& written) const;

  int64_t size() const override { return static_cast<int64_t>(pieces_.size()); }
  std::vector<int32_t> encode(std::string_view text, bool begins) const override;
  bool has_words() const override { return has_words_; }
  void split(std::string_view text, bool begins, WordList& list) const override;
  bool encode_word(std::string_view word, std::vector<int32_t>& ids) const override {
    model_->encode(word, ids);
    return true;
  }
  size_t find_cut(std::string_view text, size_t from) const override {
    return allows_cuts_ ? find_blank_between_letters(text, from) : std::string_view::npos;
  }
  // Added tokens are found in the text itself.
  std::optional<int32_t> control_id(std::string_view) const override { return std::nullopt; }
  std::string piece(int32_t id) const override { return pieces_.at(static_cast<size_t>(id)); }
  std::string text_of(int32_t id) const override;
  std::string decode(std::span<const int32_t> ids) const override;
  std::unique_ptr<DecodeStream> make_decode_stream() const override;
  std::optional<int32_t> bos_id() const override { return control_ids_.bos; }
  std::optional<int32_t> eos_id() const override { return control_ids_.eos; }
  std::optional<int32_t> pad_id() const override { return control_ids_.pad; }
  DeclaredTokens declared_tokens() const override { return declared_; }
  const ChatFiles& chat_files() const override { return chat_files_; }
  std::vector<int32_t> special_ids() const override { return special_ids_; }
  const std::string& sha256() const override { return sha256_; }

 private:
  class Stream : public DecodeStream {
   public:
    explicit Stream(const JsonTokenizer& tokenizer)
        : tokenizer_(tokenizer), run_(tokenizer.decoder_->start()) {}
    void push(int32_t id, std::string& text) override {
      tokenizer_.check_id(id);
      if (const auto token = tokenizer_.decoded_tokens_.find(id)) run_->push(*token, text);
    }
    void finish(std::string& text) override { run_->finish(text); }

   private:
    const JsonTokenizer& tokenizer_;
    std::unique_ptr<DecoderRun> run_;
  };

  void read_parts(const JsonValue& root, const JsonBlame& blame);
  void add_tokens(const std::vector<AddedToken>& tokens, const JsonBlame& blame);
  void decide_words(const std::vector<AddedToken>& tokens, ObjectReader& reader);
  void split_into_pre_tokens(std::string_view text, bool begins, WordList& list) const;
  void split_ordinary(std::string_view text, bool is_first, bool goes_on, WordList& list) const;
  void cut_for_model(size_t from, WordList& list) const;

  Normalizer normalizer_;
  PreTokenizer pre_tokenizer_;
  std::unique_ptr<Model> model_;
  TokenFinder raw_tokens_{{}};         // found before normalisation
  TokenFinder normalized_tokens_{{}};  // found after it
  std::vector<std::string> pieces_;
  DecodedTokens decoded_tokens_;
  std::optional<Decoder> decoder_;
  std::vector<int32_t> special_ids_;
  std::vector<int32_t> added_ids_;  // in increasing order
  ControlIds control_ids_;
  DeclaredTokens declared_;
  ChatFiles chat_files_;
  std::string sha256_;
  std::string separator_;  // words are cut before its runs; "": they are not
  bool has_words_ = false;
  bool allows_cuts_ = false;
};

JsonTokenizer::JsonTokenizer(const JsonValue& root, const JsonBlame& blame, std::string sha256)
    : sha256_(std::move(sha256)) {
  read_parts(root, blame);
}

Alphabet alphabet_of(const PreTokenizer& pre_tokenizer) {
  const bool has_byte_level = std::any_of(
      pre_tokenizer.stages().begin(), pre_tokenizer.stages().end(),
      [](const PreTokenizerStage& stage) { return std::holds_alternative<ByteLevelStage>(stage); });
  return has_byte_level ? Alphabet::kBytes : Alphabet::kCharacters;
}

void JsonTokenizer::read_parts(const JsonValue& root, const JsonBlame& blame) {
  ObjectReader reader(root, blame);
  const std::string version = reader.string_or_empty("version");
  if (!version.empty() && version != "1.0") {
    reader.fail_at("version", "\"" + printable(version) + "\" is not supported, only 1.0 is");
  }
  // What the program does itself: bos and eos, cutting into sequences, padding. Decoder reads its
  // member.
  for (const char* key : {"truncation", "padding", "decoder"}) reader.ignore(key);
  if (const JsonValue* value = reader.find("post_processor")) {
    declared_ = declared_by_post_processor(*value);
  }
  if (const JsonValue* value = reader.find("normalizer")) {
    normalizer_ = Normalizer(*value, blame, "normalizer");
  }
  if (const JsonValue* value = reader.find("pre_tokenizer")) {
    pre_tokenizer_ = PreTokenizer(*value, blame, "pre_tokenizer");
  }
  model_ = read_model(reader.required("model", JsonValue::Kind::kObject), blame,
                      alphabet_of(pre_tokenizer_));
  std::vector<AddedToken> tokens;
  if (reader.find("added_tokens") != nullptr) {
    tokens = read_added_tokens(reader.required("added_tokens", JsonValue::Kind::kArray), blame,
                               model_->vocabulary(), normalizer_);
  }
  reader.finish();
  add_tokens(tokens, blame);
  decide_words(tokens, reader);
}

void JsonTokenizer::add_tokens(const std::vector<AddedToken>& tokens, const JsonBlame& blame) {
  pieces_ = model_->vocabulary().pieces;
  if (model_->unknown_id()) special_ids_.push_back(*model_->unknown_id());
  std::vector<AddedToken> raw;
  std::vector<AddedToken> normalized;
  for (const AddedToken& token : tokens) {
    const auto index = static_cast<size_t>(token.id);
    if (index >= pieces_.size()) pieces_.resize(index + 1);
    pieces_[index] = token.content;
    added_ids_.push_back(token.id);
    if (token.special) special_ids_.push_back(token.id);
    (token.normalized ? normalized : raw).push_back(token);
  }
  std::sort(added_ids_.begin(), added_ids_.end());
  std::sort(special_ids_.begin(), special_ids_.end());
  special_ids_.erase(std::unique(special_ids_.begin(), special_ids_.end()), special_ids_.end());
  if (pieces_.empty()) blame.fail("it has no tokens");
  decoded_tokens_ = DecodedTokens(pieces_, model_->vocabulary(), tokens);
  try {
    raw_tokens_ = TokenFinder(std::move(raw));
    normalized_tokens_ = TokenFinder(std::move(normalized));
  } catch (const std::invalid_argument& problem) {
    blame.fail(std::string("added_tokens: ") + problem.what());
  }
}

bool splits(const PreTokenizerStage& stage) {
  if (const auto* byte_level = std::get_if<ByteLevelStage>(&stage)) {
    return byte_level->split.has_value();
  }
  const auto* metaspace = std::get_if<MetaspaceStage>(&stage);
  return metaspace == nullptr || metaspace->split;
}

// Metaspace "first" asks whether a split begins where the document does, in the original text. That
// is plain only where nothing was split or rewritten before, except at added tokens.
void JsonTokenizer::decide_words(const std::vector<AddedToken>& tokens, ObjectReader& reader) {
  const std::vector<PreTokenizerStage>& stages = pre_tokenizer_.stages();
  for (const PreTokenizerStage& stage : stages) {
    const auto* metaspace = std::get_if<MetaspaceStage>(&stage);
    if (metaspace == nullptr || metaspace->prepend != PrependScheme::kFirst) continue;
    const bool is_plain = &stage == &stages.front() &&
                          (normalizer_.steps().empty() || normalized_tokens_.tokens().empty());
    if (!is_plain) {
      reader.fail_at("pre_tokenizer",
                     "Metaspace with prepend_scheme \"first\" after another pre-tokenizer, or with "
                     "a normalizer and normalized added tokens, is not supported");
    }
  }
  const std::optional<char32_t> blank = blank_of_words(normalizer_, pre_tokenizer_);
  const bool cuts_words = blank && model_->allows_cut_before(*blank);
  if (cuts_words) append_utf8(*blank, separator_);
  has_words_ = cuts_words || std::any_of(stages.begin(), stages.end(), splits);
  allows_cuts_ =
      has_words_ && allows_cuts_at_blanks({normalizer_, pre_tokenizer_, tokens,
                                           cuts_words ? blank : std::optional<char32_t>()});
}

std::optional<int32_t> JsonTokenizer::find(const std::string& written) const {
  for (const TokenFinder* finder : {&raw_tokens_, &normalized_tokens_}) {
    for (const AddedToken& token : finder->tokens()) {
      if (token.content == written) return token.id;
    }
  }
  return model_->vocabulary().find(written);
}

std::string JsonTokenizer::text_of(int32_t id) const {
  const bool is_added = std::binary_search(added_ids_.begin(), added_ids_.end(), id);
  if (is_added) return piece(id);
  if (alphabet_of(pre_tokenizer_) == Alphabet::kBytes) {
    if (auto bytes = bytes_of(piece(id))) return *bytes;
  }
  return Tokenizer::text_of(id);
}

std::string JsonTokenizer::decode(std::span<const int32_t> ids) const {
  Stream stream(*this);
  std::string text;
  for (const int32_t id : ids) stream.push(id, text);
  stream.finish(text);
  return text;
}

std::unique_ptr<DecodeStream> JsonTokenizer::make_decode_stream() const {
  return std::make_unique<Stream>(*this);
}

std::vector<int32_t> JsonTokenizer::encode(std::string_view text, bool begins) const {
  WordList list;
  split_into_pre_tokens(text, begins, list);
  std::vector<int32_t> ids;
  for (const Word& word : list.words) {
    if (word.id == Word::kNoId) {
      model_->encode(word.bytes, ids);
    } else {
      ids.push_back(word.id);
    }
  }
  return ids;
}

void JsonTokenizer::split(std::string_view text, bool begins, WordList& list) const {
  const size_t from = list.words.size();
  split_into_pre_tokens(text, begins, list);
  if (!separator_.empty()) cut_for_model(from, list);
}

void JsonTokenizer::split_into_pre_tokens(std::string_view text, bool begins,
                                          WordList& list) const {
  raw_tokens_.split(text, [&](const TextPart& part) {
    const bool is_at_begin = part.bytes.data() == text.data();
    if (part.token != nullptr) {
      list.words.push_back({part.bytes, part.token->id});
    } else {
      split_ordinary(part.bytes, is_at_begin && begins, is_at_begin && !begins, list);
    }
  });
}

void JsonTokenizer::split_ordinary(std::string_view text, bool is_first, bool goes_on,
                                   WordList& list) const {
  if (normalizer_.may_change(text)) {
    text = list.storage.emplace_back(normalizer_.apply(text, goes_on));
  }
  normalized_tokens_.split(text, [&](const TextPart& part) {
    if (part.token != nullptr) {
      list.words.push_back({part.bytes, part.token->id});
    } else {
      const bool is_at_begin = part.bytes.data() == text.data();
      pre_tokenizer_.split(part.bytes, is_first && is_at_begin, goes_on && is_at_begin, list);
    }
  });
}

// Cuts words[from..] before each run of the separator.
void JsonTokenizer::cut_for_model(size_t from, WordList& list) const {
  std::vector<Word> cut;
  for (size_t i = from; i < list.words.size(); ++i) {
    const Word word = list.words[i];
    size_t begin = 0;
    for (size_t at = 0; word.id == Word::kNoId;) {
      while (word.bytes.compare(at, separator_.size(), separator_) == 0) at += separator_.size();
      at = word.bytes.find(separator_, at);
      if (at == std::string_view::npos) break;
      cut.push_back({word.bytes.substr(begin, at - begin), Word::kNoId});
      begin = at;
    }
    cut.push_back({word.bytes.substr(begin), word.id});
  }
  list.words.resize(from);
  list.words.insert(list.words.end(), cut.begin(), cut.end());
}

// Reads a token of tokenizer_config.json: a string, or an object with the string as its content.
std::optional<int32_t> read_control_id(ObjectReader& reader, const char* key,
                                       const JsonTokenizer& tokenizer) {
  const JsonValue* value = reader.find(key);
  if (value == nullptr) return std::nullopt;
  std::string content;
  if (value->is(JsonValue::Kind::kObject)) {
    content = ObjectReader(*value, reader.blame(), key).string("content");
  } else {
    content = reader.string(key);
  }
  const std::optional<int32_t> id = tokenizer.find(content);
  if (!id) {
    reader.fail_at(key, "\"" + printable(content) +
                            "\" is not a token of tokenizer.json; correct it or set it to null");
  }
  return id;
}

ControlIds read_control_ids(const TokenizerConfig& config, const JsonTokenizer& tokenizer) {
  ObjectReader reader(config.root, config.blame);
  return {read_control_id(reader, "bos_token", tokenizer),
          read_control_id(reader, "eos_token", tokenizer),
          read_control_id(reader, "pad_token", tokenizer)};
}

}  // namespace
}  // namespace tokenizer_json

std::unique_ptr<Tokenizer> load_json_tokenizer(const std::filesystem::path& path) {
  using namespace tokenizer_json;
  const std::string content = read_file<ModelError>("tokenizer", path, kMaxFileBytes);
  const auto blame =
      JsonBlame::of<ModelError>("tokenizer '" + path.string() + "' cannot be used: ");
  const JsonValue document = parse_document(content, blame);
  auto tokenizer = std::make_unique<JsonTokenizer>(document, blame, sha256(content));
  tokenizer->set_decoder(Decoder(
      document,
      JsonBlame::of<ModelError>("tokenizer '" + path.string() + "' cannot decode token ids: ")));
  const std::optional<TokenizerConfig> config = read_tokenizer_config(path);
  tokenizer->set_chat_files(read_chat_files(path, config));
  if (config) {
    tokenizer->set_control_ids(read_control_ids(*config, *tokenizer));
    tokenizer->declare(declared_by_config(*config));
    const std::string note = class_rules_note(document, *config);
    if (!note.empty()) log_warning(note);
  }
  return tokenizer;
}

}  // namespace pdl
