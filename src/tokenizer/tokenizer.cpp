#include "pdl/tokenizer/tokenizer.h"

#include <algorithm>
#include <charconv>
#include <stdexcept>
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

// Decodes all ids at the end.
class LateDecodeStream : public DecodeStream {
 public:
  explicit LateDecodeStream(const Tokenizer& tokenizer) : tokenizer_(tokenizer) {}
  void push(int32_t id, std::string&) override {
    tokenizer_.check_id(id);
    ids_.push_back(id);
  }
  void finish(std::string& text) override { text += tokenizer_.decode(ids_); }

 private:
  const Tokenizer& tokenizer_;
  std::vector<int32_t> ids_;
};

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

std::string Tokenizer::decode(std::span<const int32_t> ids) const {
  const std::vector<int32_t> special = special_ids();
  std::string text;
  for (const int32_t id : ids) {
    check_id(id);
    if (!std::binary_search(special.begin(), special.end(), id)) text += text_of(id);
  }
  return text;
}

std::unique_ptr<DecodeStream> Tokenizer::make_decode_stream() const {
  return std::make_unique<LateDecodeStream>(*this);
}

void Tokenizer::check_id(int32_t id) const {
  if (id >= 0 && id < size()) return;
  throw std::invalid_argument("the token id " + std::to_string(id) + " is not in [0, " +
                              std::to_string(size()) + ")");
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
