// A corpus as token ids.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "pdl/text/documents.h"
#include "pdl/text/tokenizer.h"

namespace pdl {

// The ids of all documents, one after the other. Document d is ids[document_ends[d-1] ..
// document_ends[d]).
struct TokenizedCorpus {
  std::vector<int32_t> ids;
  std::vector<int64_t> document_ends;  // increasing, the last is ids.size()
  DocumentCounts document_counts;
  std::string sha256;  // of the files, see for_each_document()

  std::span<const int32_t> document(int64_t index) const;
};

// Ids of one document: bos (if add_bos), the text, eos (if add_eos). Throws ModelError if the
// tokenizer lacks an asked for bos or eos.
std::vector<int32_t> encode_document(std::string_view text, const TextOptions& options,
                                     const Tokenizer& tokenizer);

// Throws DataError as for_each_document() does, and if the corpus has no document that is not
// empty.
TokenizedCorpus tokenize_corpus(const std::vector<std::string>& files, const TextOptions& options,
                                const Tokenizer& tokenizer);

}  // namespace pdl
