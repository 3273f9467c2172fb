// A tokenizer whose ids follow from the text: each byte is a token. Ids 0, 1, 2 are unk, bos, eos;
// byte b is b + 3.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pdl/tokenizer/tokenizer.h"

namespace pdl {

class ByteTokenizer : public Tokenizer {
 public:
  static constexpr int32_t kFirstByte = 3;

  explicit ByteTokenizer(bool has_bos = true) : has_bos_(has_bos) {}

  int64_t size() const override { return kFirstByte + 256; }
  using Tokenizer::encode;
  std::vector<int32_t> encode(std::string_view text, bool) const override {
    std::vector<int32_t> ids;
    for (const char byte : text) ids.push_back(kFirstByte + static_cast<unsigned char>(byte));
    return ids;
  }
  // Every byte is a pre-token.
  bool has_words() const override { return true; }
  void split(std::string_view text, bool, WordList& list) const override {
    for (size_t i = 0; i < text.size(); ++i) list.words.push_back({text.substr(i, 1)});
  }
  bool encode_word(std::string_view word, std::vector<int32_t>& ids) const override {
    const std::vector<int32_t> encoded = encode(word);
    ids.insert(ids.end(), encoded.begin(), encoded.end());
    return true;
  }
  size_t find_cut(std::string_view text, size_t from) const override {
    return from < text.size() ? from : std::string_view::npos;
  }
  std::optional<int32_t> control_id(std::string_view) const override { return std::nullopt; }
  std::string piece(int32_t id) const override {
    return id < kFirstByte ? "<special>" : std::string(1, static_cast<char>(id - kFirstByte));
  }
  std::optional<int32_t> bos_id() const override {
    return has_bos_ ? std::optional<int32_t>(1) : std::nullopt;
  }
  std::optional<int32_t> eos_id() const override { return 2; }
  std::optional<int32_t> pad_id() const override { return std::nullopt; }
  std::vector<int32_t> special_ids() const override { return {0, 1, 2}; }
  const std::string& sha256() const override { return sha256_; }

 private:
  bool has_bos_;
  std::string sha256_ = "bytes";
};

}  // namespace pdl
