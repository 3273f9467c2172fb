// Text to token ids. One implementation a file format stands behind load_tokenizer().
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pdl {

// Immutable after loading; every function may be called from several threads at once.
class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  // Number of ids; every id is in [0, size()).
  virtual int64_t size() const = 0;
  // The ids of well-formed UTF-8 `text`, without bos and eos.
  virtual std::vector<int32_t> encode(std::string_view text) const = 0;
  // The written form of an id, e.g. "▁the" or "<0x0A>".
  virtual std::string piece(int32_t id) const = 0;

  // nullopt: the tokenizer has no such token.
  virtual std::optional<int32_t> bos_id() const = 0;
  virtual std::optional<int32_t> eos_id() const = 0;
  virtual std::optional<int32_t> pad_id() const = 0;
  // Control and unknown tokens (not byte tokens), in increasing order.
  virtual std::vector<int32_t> special_ids() const = 0;

  // SHA-256 of the tokenizer's file.
  virtual const std::string& sha256() const = 0;
};

// Reads a SentencePiece `.model`. Throws ModelError if the file is missing, unreadable or not a
// model that works; a file on which the library would end the process is refused too.
std::unique_ptr<Tokenizer> load_tokenizer(const std::filesystem::path& path);

}  // namespace pdl
