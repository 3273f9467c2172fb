#include "pdl/tokenizer/tokenizer.h"

#include "sentencepiece/sentencepiece_tokenizer.h"
#include "tokenizer_json/json_tokenizer.h"

namespace pdl {

std::unique_ptr<Tokenizer> load_tokenizer(const std::filesystem::path& path) {
  return path.extension() == ".json" ? load_json_tokenizer(path)
                                     : load_sentencepiece_tokenizer(path);
}

}  // namespace pdl
