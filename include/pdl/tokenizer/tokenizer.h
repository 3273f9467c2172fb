// Encodes text as token ids and decodes them. load_tokenizer() chooses the implementation by the
// file format.
#pragma once

#include <cstdint>
#include <deque>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace pdl {

// A pre-token: a stretch of text whose ids do not depend on the text around it.
struct Word {
  static constexpr int32_t kNoId = -1;

  std::string_view bytes;  // in the text that was split, or in WordList::storage
  int32_t id = kNoId;      // of an added token; kNoId: encode `bytes`
};

// The pre-tokens of a text in order. Reuse one list for many texts, to reuse its memory.
struct WordList {
  std::vector<Word> words;
  std::deque<std::string> storage;  // text that normalisation changed

  // Removes the words, and keeps their memory.
  void clear() {
    words.clear();
    storage.clear();
  }
};

// Encodes many texts and remembers what it met. For one thread.
class CachingEncoder {
 public:
  virtual ~CachingEncoder() = default;
  // Appends what Tokenizer::encode() returns.
  virtual void encode(std::string_view text, bool begins, std::vector<int32_t>& ids) = 0;
};

// Decodes ids one by one. For one thread.
class DecodeStream {
 public:
  virtual ~DecodeStream() = default;
  // Takes an id and appends the text that is certain by now: whole characters that no later id
  // changes. Throws what Tokenizer::decode() throws; the stream must then not be used any more.
  virtual void push(int32_t id, std::string& text) = 0;
  // Appends the rest, so that all that was appended is what Tokenizer::decode() returns for the
  // ids. Nothing may be pushed after it.
  virtual void finish(std::string& text) = 0;
};

// What a tokenizer's own files say of a token before or after each text. This program does not heed
// it: add_bos and add_eos say what it adds.
struct DeclaredToken {
  bool is_added = false;
  std::string phrase;  // where it says so: "tokenizer_config.json has add_bos_token true"
};

// nullopt: the files say nothing.
struct DeclaredTokens {
  std::optional<DeclaredToken> bos;
  std::optional<DeclaredToken> eos;
};

// What the files beside a tokenizer say of chats.
struct ChatFiles {
  // A chat template in Jinja.
  struct Template {
    std::string use;    // "default", "tool_use" or another
    std::string place;  // for messages: the file, and which template of it
    std::string text;
  };

  std::vector<Template> templates;
  // bos_token and the like as they are written, by their names: what a template sees.
  std::vector<std::pair<std::string, std::string>> special_tokens;
};

// Immutable after loading; every function may be called from several threads at once.
class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  // The number of ids; every id is in [0, size()).
  virtual int64_t size() const = 0;
  // Throws std::invalid_argument for an id that is not.
  void check_id(int32_t id) const;
  // Returns the ids of well-formed UTF-8 `text`, without bos and eos. The reference for the
  // functions below. `begins`: it is a whole document. Else it continues another text: what the
  // tokenizer puts before a document (a dummy prefix, a prefix space) is left out, and white space
  // at the start counts as it does between words.
  virtual std::vector<int32_t> encode(std::string_view text, bool begins) const = 0;
  std::vector<int32_t> encode(std::string_view text) const { return encode(text, true); }
  // Returns the length of `text` without the white space at its end for which encode() has no ids
  // only because nothing follows it.
  virtual size_t size_without_dropped_end(std::string_view text) const { return text.size(); }

  // Whether every text can be split into pre-tokens, so that one that was met before need not be
  // encoded again: encode(text, begins) is then the ids of the pre-tokens of split(text, begins),
  // joined.
  virtual bool has_words() const = 0;
  // Appends the pre-tokens of `text` to `list`. `text` is a whole document, or a part of one
  // between the cuts of find_cut(); `begins` says whether the document begins here, as in encode().
  // Only if has_words().
  virtual void split(std::string_view text, bool begins, WordList& list) const = 0;
  // Appends the ids of a pre-token without an id of its own. Returns false, with nothing appended,
  // if they depend on the text around it after all: the document must then go through encode().
  virtual bool encode_word(std::string_view word, std::vector<int32_t>& ids) const = 0;
  // Returns the first place at or after `from`, and before the end of `text`, where a document may
  // be cut without changing its pre-tokens; npos if there is none. Only a few bytes around the
  // place decide. Only if has_words().
  virtual size_t find_cut(std::string_view text, size_t from) const = 0;

  // Returns an encoder for a tokenizer without pre-tokens that still gains from remembering;
  // nullptr if encode() is as fast as it gets. The tokenizer must outlive the encoder.
  virtual std::unique_ptr<CachingEncoder> make_caching_encoder() const { return nullptr; }

  // Returns the text of `ids` exactly as the tokenizer's own library gives it, where special tokens
  // are left out: SentencePieceProcessor.decode(ids) for a SentencePiece model, and
  // Tokenizer.decode(ids, skip_special_tokens=True) of the `tokenizers` package for a
  // tokenizer.json. It may differ from the text that was encoded: the normaliser may have changed
  // that, and what is put before a document is removed again. Bytes that are no UTF-8 become
  // U+FFFD. Here, for a tokenizer without a library: the text_of() each id but special ones.
  //
  // Throws std::invalid_argument for an id that is not in [0, size()), ModelError if the
  // tokenizer's file asks for a decoder that is not supported, and DataError if its patterns take
  // too many tries or make the text many times as long.
  virtual std::string decode(std::span<const int32_t> ids) const;
  // Returns a stream for one sequence of ids, in time proportional to their number. The tokenizer
  // must outlive it. Throws ModelError as decode() does. Here, and for a SentencePiece model with
  // rules of denormalisation, all text comes with finish().
  virtual std::unique_ptr<DecodeStream> make_decode_stream() const;

  // Returns the id of a control token by its written form, if encode() would take that form for
  // plain text; else nullopt.
  virtual std::optional<int32_t> control_id(std::string_view written) const = 0;

  // The written form of an id, e.g. "▁the" or "<0x0A>".
  virtual std::string piece(int32_t id) const = 0;
  // The bytes of a text that an id stands for, e.g. " the" or "\n". A tokenizer that changes texts
  // before it encodes them, or drops their first space, may have found others there.
  virtual std::string text_of(int32_t id) const;

  // nullopt if the tokenizer has no such token.
  virtual std::optional<int32_t> bos_id() const = 0;
  virtual std::optional<int32_t> eos_id() const = 0;
  virtual std::optional<int32_t> pad_id() const = 0;
  // What tokenizer_config.json and the post_processor of tokenizer.json say.
  virtual DeclaredTokens declared_tokens() const { return {}; }
  // The chat templates beside the tokenizer's file.
  virtual const ChatFiles& chat_files() const;
  // Control and unknown tokens (not byte tokens), in increasing order.
  virtual std::vector<int32_t> special_ids() const = 0;

  // The SHA-256 of the tokenizer's file, and of the bos, eos and pad that a file beside it names.
  virtual const std::string& sha256() const = 0;
};

// Reads a Hugging Face `tokenizer.json` if the file's name ends in ".json", else a SentencePiece
// `.model`; of a folder its tokenizer.json or, if there is none, its tokenizer.model. For a
// tokenizer.json, the tokens that begin and end documents are those of `tokenizer_config.json`
// beside it. Throws ModelError if the file is missing, unreadable, malformed or needs what is not
// supported, or if tokenizer_config.json is malformed. A file on which a library would end the
// process is refused too.
std::unique_ptr<Tokenizer> load_tokenizer(const std::filesystem::path& path);

}  // namespace pdl
