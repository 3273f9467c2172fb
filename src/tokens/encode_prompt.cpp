#include "pdl/tokens/encode_prompt.h"

#include "document_encoder.h"

namespace pdl {

std::vector<int32_t> encode_prompt(const Document& document, const Tokenizer& tokenizer,
                                   TextOptions options) {
  options.add_eos = false;
  std::vector<Token> tokens;
  DocumentEncoder(tokenizer, options).encode(document, tokens);
  std::vector<int32_t> ids;
  for (const Token token : tokens) ids.push_back(token.id());
  return ids;
}

}  // namespace pdl
