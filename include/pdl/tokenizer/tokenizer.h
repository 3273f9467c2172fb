// Text to token ids. One implementation a file format stands behind load_tokenizer().
#pragma once

#include <cstdint>
#include <deque>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pdl {

// A stretch of text that is encoded without regard to what stands around it.
struct Word {
  static constexpr int32_t kNoId = -1;

  std::string_view bytes;  // of the text that was split, or of WordList::storage
  int32_t id = kNoId;      // of an added token, which stands for itself; kNoId: encode `bytes`
};

// The words of a text in order. To be reused, so that memory is not asked for again and again.
struct WordList {
  std::vector<Word> words;
  std::deque<std::string> storage;  // what had to be written anew: a normalised text

  void clear() {
    words.clear();
    storage.clear();
  }
};

// Encodes one text after another, and remembers what it met. For one thread.
class CachingEncoder {
 public:
  virtual ~CachingEncoder() = default;
  // Appends what Tokenizer::encode() gives for a whole document.
  virtual void encode(std::string_view text, std::vector<int32_t>& ids) = 0;
};

// Immutable after loading; every function may be called from several threads at once.
class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  // Number of ids; every id is in [0, size()).
  virtual int64_t size() const = 0;
  // The ids of well-formed UTF-8 `text`, without bos and eos. The reference for what follows.
  virtual std::vector<int32_t> encode(std::string_view text) const = 0;

  // Whether every text falls into words, so that a word that was met before need not be encoded
  // again: encode(text) is then the ids of the words of split(text), one after the other.
  virtual bool has_words() const = 0;
  // Appends the words of `text` to `list`: a whole document, or a part of one between the cuts of
  // find_cut(); `begins` says whether the document begins here. Only if has_words().
  virtual void split(std::string_view text, bool begins, WordList& list) const = 0;
  // Appends the ids of a word without an id of its own. False, and nothing appended, if they depend
  // on the text around it after all: that document must go through encode().
  virtual bool encode_word(std::string_view word, std::vector<int32_t>& ids) const = 0;
  // The first place at or after `from`, and before the end of `text`, where a document may be cut
  // without changing its words; it is found by looking at a few bytes around it. npos: there is
  // none. Only if has_words().
  virtual size_t find_cut(std::string_view text, size_t from) const = 0;

  // For a tokenizer without words that still gains from what it met before; nullptr: encode() is as
  // fast as it gets. The tokenizer must outlive what it makes.
  virtual std::unique_ptr<CachingEncoder> make_caching_encoder() const { return nullptr; }

  // The id of a control token by its written form, if encode() would take that form for plain text;
  // else nullopt.
  virtual std::optional<int32_t> control_id(std::string_view written) const = 0;

  // The written form of an id, e.g. "▁the" or "<0x0A>".
  virtual std::string piece(int32_t id) const = 0;

  // nullopt: the tokenizer has no such token.
  virtual std::optional<int32_t> bos_id() const = 0;
  virtual std::optional<int32_t> eos_id() const = 0;
  virtual std::optional<int32_t> pad_id() const = 0;
  // Control and unknown tokens (not byte tokens), in increasing order.
  virtual std::vector<int32_t> special_ids() const = 0;

  // SHA-256 of the tokenizer's file, and of the bos, eos and pad that a file beside it names.
  virtual const std::string& sha256() const = 0;
};

// Reads a Hugging Face `tokenizer.json`, which is a file whose name ends in ".json", or else a
// SentencePiece `.model`. Throws ModelError if the file is missing, unreadable, malformed or asks
// for what is not supported; a file on which a library would end the process is refused too. The
// tokens that begin and end documents are those of `tokenizer_config.json` beside a tokenizer.json.
std::unique_ptr<Tokenizer> load_tokenizer(const std::filesystem::path& path);

}  // namespace pdl
