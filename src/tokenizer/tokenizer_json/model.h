// The "model" of the file, which turns a word into ids.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "json_document.h"

namespace pdl::tokenizer_json {

// The tokens as the file writes them.
struct Vocabulary {
  std::vector<std::string> pieces;  // by id; "" where there is none
  std::unordered_map<std::string, int32_t> ids;
  size_t num_tokens = 0;  // as the file lists them

  // nullopt: there is no such token.
  std::optional<int32_t> find(const std::string& written) const {
    const auto found = ids.find(written);
    return found == ids.end() ? std::nullopt : std::optional<int32_t>(found->second);
  }
};

// How words reach the model: as characters, or as bytes under the byte-level alphabet.
enum class Alphabet { kCharacters, kBytes };

// Immutable; may be used from several threads at once.
class Model {
 public:
  virtual ~Model() = default;

  // Appends the ids of a word: a text that stands between two places where the text is split.
  // Throws ModelError for a character that the model has no id for and no unknown token either.
  virtual void encode(std::string_view word, std::vector<int32_t>& ids) const = 0;
  // Returns whether a word may be cut before each run of `separator` without changing its ids.
  virtual bool allows_cut_before(char32_t separator) const = 0;
  virtual const Vocabulary& vocabulary() const = 0;
  // nullopt: there is none, or the vocabulary lacks it.
  virtual std::optional<int32_t> unknown_id() const = 0;
};

// Throws ModelError for a kind or an option that is not supported, or a vocabulary with faults.
std::unique_ptr<Model> read_model(const JsonValue& value, const JsonBlame& blame,
                                  Alphabet alphabet);

// Read the models of each kind; for read_model().
std::unique_ptr<Model> read_bpe_model(ObjectReader& reader, Alphabet alphabet);
std::unique_ptr<Model> read_unigram_model(ObjectReader& reader, Alphabet alphabet);

// Returns the token of a byte, such as "<0x0A>".
std::string byte_token(unsigned char byte);

}  // namespace pdl::tokenizer_json
