// Makes corpora in memory.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "pdl/tokens/tokenized_corpus.h"

namespace pdl {

inline TokenizedCorpus corpus_of(std::vector<Token> tokens, std::vector<int64_t> document_ends) {
  struct Memory {
    std::vector<Token> tokens;
    std::vector<int64_t> document_ends;
  };
  const auto memory = std::make_shared<Memory>(Memory{std::move(tokens), std::move(document_ends)});
  TokenizedCorpus corpus;
  corpus.tokens = memory->tokens;
  corpus.document_ends = memory->document_ends;
  for (const Token& token : corpus.tokens)
    corpus.all_trained = corpus.all_trained && token.is_trained();
  corpus.memory = memory;
  return corpus;
}

inline std::vector<int32_t> ids_of(std::span<const Token> tokens) {
  std::vector<int32_t> ids;
  for (const Token& token : tokens) ids.push_back(token.id());
  return ids;
}

}  // namespace pdl
