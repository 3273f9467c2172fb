// Encodes documents as tokens, with the loss mask that says which of them are targets.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "pdl/config/run_config.h"
#include "pdl/corpus/document.h"
#include "pdl/tokenizer/text_encoder.h"
#include "pdl/tokenizer/tokenizer.h"
#include "pdl/tokens/corpus_notes.h"
#include "pdl/tokens/token.h"

namespace pdl {

// For one thread; `tokenizer` must outlive it.
class DocumentEncoder {
 public:
  // Throws ModelError if the tokenizer lacks a bos or eos that `options` demand.
  DocumentEncoder(const Tokenizer& tokenizer, const TextOptions& options);

  // Appends the tokens of a document of text: bos (if add_bos), the text, eos (if add_eos), all
  // trained. For a part of a document, `begins` and `ends` say whether it is the first and the
  // last.
  void encode(std::string_view text, std::vector<Token>& tokens, bool begins = true,
              bool ends = true);

  // Appends the tokens of a document in parts. Every token belongs to one part: if a boundary would
  // lie inside a token, i.e. the text up to it, encoded alone, does not begin the encoding of the
  // longer text, the text after the boundary is encoded as its continuation. Adjacent parts of a
  // chat that are trained alike count as one; those of a prompt and a completion do not. bos is
  // trained as the first part is, eos as the last; a chat gets neither. The tokens of a rendered
  // chat are those of its whole text; see trained_tokens() for their loss mask.
  void encode(const Document& document, std::vector<Token>& tokens);

  // Of the documents encoded so far.
  const CorpusNotes& notes() const { return notes_; }

 private:
  // Parts that are encoded together as one text.
  struct Stretch {
    std::string text;
    std::vector<size_t> ends;   // of each part
    std::vector<bool> trained;  // of each part
  };

  void encode_rendered(const Document& document, std::vector<Token>& tokens);
  void encode_whole(std::string_view text, std::vector<int32_t>& ids);
  void encode_stretch(const Stretch& stretch, std::vector<Token>& tokens);
  std::vector<int32_t> ids_of(std::string_view text, bool begins);
  void note_begin(std::string_view text, std::span<const Token> tokens);
  void note_end(std::string_view text, std::span<const Token> tokens);
  bool is_spelt_out(const std::string& control);

  const Tokenizer& tokenizer_;
  TextEncoder encoder_;
  std::optional<int32_t> bos_;  // to be added
  std::optional<int32_t> eos_;
  std::string bos_written_;
  std::string eos_written_;
  std::vector<int32_t> ids_;          // reused
  std::vector<int32_t> special_ids_;  // in increasing order
  // Control tokens that the tokenizer does not find in a text, as they are written.
  std::vector<std::pair<std::string, int32_t>> unseen_controls_;
  std::map<std::string, bool> is_spelt_;  // control tokens of chats that were met
  CorpusNotes notes_;
};

}  // namespace pdl
