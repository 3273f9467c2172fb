// Words that were encoded before.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace pdl {

// A hash table from words to ids in a bounded amount of memory: when that is full, all words are
// forgotten. For one thread.
class WordTable {
 public:
  // Longer words are rare, and seldom met again.
  static constexpr size_t kMaxWordBytes = 128;

  explicit WordTable(size_t max_bytes = size_t{64} << 20);

  // Valid until the next insert().
  std::optional<std::span<const int32_t>> find(std::string_view word) const;
  // A word that is not there, of up to kMaxWordBytes, and up to 65,535 ids.
  void insert(std::string_view word, std::span<const int32_t> ids);

 private:
  // Entries are ids followed by the bytes of the word.
  struct Slot {
    uint64_t hash;
    uint32_t begin;  // of the entry
    uint16_t num_bytes;
    uint16_t num_ids;  // 0: the slot is free; a word has at least one id
  };

  // Of the word's slot, or of the free one where it belongs.
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
