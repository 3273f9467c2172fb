// Token ids in a NumPy file, mapped into memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace pdl {

// The elements of a NumPy array of token ids.
using TokenView =
    std::variant<std::span<const uint16_t>, std::span<const uint32_t>, std::span<const int32_t>>;

// A file of numpy.save() (format 1.0, 2.0 or 3.0) with a one-dimensional array of little-endian
// uint16, uint32 or int32. Immutable, so that several threads may read. The file must not become
// shorter while it is open: the next access would then end the process (SIGBUS).
class TokenFile {
 public:
  // Maps the file and checks its header; reads no token. Throws DataError with the file, and with
  // the byte if there is one, if the file is missing, unreadable, not such an array, or not exactly
  // as long as its header says.
  explicit TokenFile(const std::string& file);
  ~TokenFile();
  TokenFile(const TokenFile&) = delete;
  TokenFile& operator=(const TokenFile&) = delete;

  int64_t size() const;  // tokens
  const TokenView& tokens() const { return tokens_; }
  // Writes the tokens [begin, begin + to.size()), which must exist, to `to`. Throws DataError with
  // the file and the index for a value that is not a token id: below 0 or above 2^31 - 1.
  void copy(int64_t begin, std::span<int32_t> to) const;
  // The bytes of the whole file, for its hash.
  std::string_view stored_bytes() const { return stored_; }

 private:
  void map();
  void unmap() noexcept;

  std::string file_;
  std::string_view stored_;
  TokenView tokens_;
};

}  // namespace pdl
