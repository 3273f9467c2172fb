// Properties that every tokenizer must have, whatever its file.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "fuzz_target.h"
#include "pdl/base/error.h"
#include "pdl/tokenizer/text_encoder.h"
#include "pdl/tokenizer/tokenizer.h"

namespace pdl {

using Ids = std::vector<int32_t>;

// A sample with all kinds of characters.
inline constexpr std::string_view kSample =
    "ab abc  cab\tThe x's 12,345.6 é e\u0301 \u1e9b\u0323 ǅ İK\u017f ▁a  \r\n\n <x> "
    "\u4f60\u597d\u3000한국 \U0001f469\u200d\U0001f52c\u180e\x01\u007f a b c";

// Appends the ids of the pre-tokens of `text`. Returns false if they depend on the text around
// them.
inline bool append_ids_of_words(const Tokenizer& tokenizer, std::string_view text, bool begins,
                                Ids& ids) {
  WordList list;
  tokenizer.split(text, begins, list);
  for (const Word& word : list.words) {
    if (word.id != Word::kNoId) {
      ids.push_back(word.id);
    } else if (!tokenizer.encode_word(word.bytes, ids)) {
      return false;
    }
  }
  return true;
}

// Does the same for a document cut at every possible place.
inline bool append_ids_of_parts(const Tokenizer& tokenizer, std::string_view text, Ids& ids) {
  for (size_t begin = 0; begin < text.size();) {
    size_t end = tokenizer.find_cut(text, begin + 1);
    require(end == std::string_view::npos || (end > begin && end < text.size()),
            "a cut lies in the text");
    if (end == std::string_view::npos) end = text.size();
    const std::string_view part = text.substr(begin, end - begin);
    if (!append_ids_of_words(tokenizer, part, begin == 0, ids)) return false;
    begin = end;
  }
  return true;
}

// Requires that every faster way gives the ids of encode().
inline void check_text(const Tokenizer& tokenizer, std::string_view text) {
  const Ids whole = tokenizer.encode(text);
  for (const int32_t id : whole) {
    require(id >= 0 && id < tokenizer.size(), "ids are those of the vocabulary");
    tokenizer.piece(id);
  }
  Ids cached;
  TextEncoder encoder(tokenizer);
  encoder.encode(text, true, cached);
  require(cached == whole, "a text encoder gives the same ids");
  if (!tokenizer.has_words()) return;
  Ids by_word;
  const bool has_words = append_ids_of_words(tokenizer, text, true, by_word);
  require(!has_words || by_word == whole, "the words give the same ids");
  Ids by_part;
  const bool has_parts = append_ids_of_parts(tokenizer, text, by_part);
  require(!has_parts || by_part == whole, "the parts give the same ids");
}

// Checks `text` and the sample; a tokenizer may refuse either.
inline void check_texts(const Tokenizer& tokenizer, std::string_view own) {
  for (const std::string_view text : {kSample, own, std::string_view()}) {
    try {
      check_text(tokenizer, text);
    } catch (const ModelError&) {  // a character that the vocabulary lacks
    } catch (const DataError&) {   // a pattern that takes too many tries
    }
  }
}

}  // namespace pdl
