#include "pdl/tokenizer/tokenizer.h"

#include <charconv>
#include <system_error>

#include "pdl/base/error.h"
#include "sentencepiece/sentencepiece_tokenizer.h"
#include "tokenizer_json/json_tokenizer.h"

namespace pdl {
namespace {

// "<0x0A>": the token of a byte.
std::optional<char> byte_of(std::string_view piece) {
  if (piece.size() != 6 || !piece.starts_with("<0x") || piece.back() != '>') return std::nullopt;
  int byte = 0;
  const auto [end, error] = std::from_chars(piece.data() + 3, piece.data() + 5, byte, 16);
  if (error != std::errc() || end != piece.data() + 5) return std::nullopt;
  return static_cast<char>(byte);
}

namespace fs = std::filesystem;

// Of a folder, the file that transformers reads, too.
fs::path tokenizer_file(const fs::path& path) {
  std::error_code ignored;
  if (!fs::is_directory(path, ignored)) return path;
  for (const char* name : {"tokenizer.json", "tokenizer.model"}) {
    if (fs::exists(path / name, ignored)) return path / name;
  }
  throw ModelError(
      "tokenizer '" + path.string() +
      "': the folder has no tokenizer.json and no tokenizer.model; give tokenizer_path");
}

}  // namespace

std::string Tokenizer::text_of(int32_t id) const {
  constexpr std::string_view kSpaceSign = "▁";
  std::string text = piece(id);
  if (const auto byte = byte_of(text)) return std::string(1, *byte);
  for (size_t at = 0; (at = text.find(kSpaceSign, at)) != std::string::npos; ++at) {
    text.replace(at, kSpaceSign.size(), " ");
  }
  return text;
}

const ChatFiles& Tokenizer::chat_files() const {
  static const ChatFiles kNone;
  return kNone;
}

std::unique_ptr<Tokenizer> load_tokenizer(const fs::path& path_or_folder) {
  const fs::path path = tokenizer_file(path_or_folder);
  return path.extension() == ".json" ? load_json_tokenizer(path)
                                     : load_sentencepiece_tokenizer(path);
}

}  // namespace pdl
