// A cache of encoded pre-tokens.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace pdl {

// A hash table from pre-tokens to ids in bounded memory: when it is full, all pre-tokens are
// forgotten. For one thread.
class WordTable {
 public:
  // Longer pre-tokens are rare and seldom met again.
  static constexpr size_t kMaxWordBytes = 128;

  explicit WordTable(size_t max_bytes = size_t{64} << 20);

  // The result is valid until the next insert().
  std::optional<std::span<const int32_t>> find(std::string_view word) const;
  // `word` must not be in the table and have at most kMaxWordBytes bytes and 65,535 ids.
  void insert(std::string_view word, std::span<const int32_t> ids);

 private:
  // Entries are ids followed by the bytes of the pre-token.
  struct Slot {
    uint64_t hash;
    uint32_t begin;  // of the entry
    uint16_t num_bytes;
    uint16_t num_ids;  // 0: the slot is free; a pre-token has at least one id
  };

  // Returns the index of the word's slot, or of the free slot where it belongs.
  size_t index_of(std::string_view word, uint64_t hash) const;
  void grow();
  void forget();

  std::vector<Slot> slots_;  // a power of two
  std::vector<int32_t> entries_;
  size_t num_words_ = 0;
  size_t max_entries_;
  size_t max_slots_;
};

}  // namespace pdl
