// Loads a SentencePiece model and encodes two texts: a sample, and the pieces of the model.
#include "pdl/base/unicode.h"
#include "tokenizer_checks.h"

namespace pdl {
namespace {

// Joins the first pieces that are UTF-8.
std::string pieces_of(const Tokenizer& tokenizer) {
  constexpr size_t kMaxBytes = 400;
  std::string text;
  for (int32_t id = 0; id < tokenizer.size() && text.size() < kMaxBytes; ++id) {
    const std::string piece = tokenizer.piece(id);
    if (piece.size() <= kMaxBytes && find_invalid_utf8(piece) == std::string_view::npos) {
      text += piece;
    }
  }
  return text;
}

}  // namespace
}  // namespace pdl

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace pdl;
  const std::string path = input_file("tokenizer.model", text_of(data, size));
  const auto tokenizer = accepted<ModelError>([&] { return load_tokenizer(path); });
  if (tokenizer) check_texts(**tokenizer, pieces_of(**tokenizer));
  return 0;
}
