#include "word_table.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace pdl {
namespace {

constexpr size_t kFirstSlots = size_t{1} << 12;

template <class Integer>
uint64_t load(const char* from) {
  Integer value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

// Folds both halves of the 128-bit product.
uint64_t mix(uint64_t left, uint64_t right) {
  const auto product = static_cast<unsigned __int128>(left) * right;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

// Works like wyhash: one multiplication per eight bytes. The last eight may overlap.
uint64_t hash_of(std::string_view word) {
  constexpr uint64_t kOdd = 0x9e3779b97f4a7c15;
  const char* bytes = word.data();
  const size_t size = word.size();
  uint64_t hash = size * kOdd;
  if (size >= 8) {
    for (size_t i = 0; i + 8 < size; i += 8) hash = mix(hash ^ load<uint64_t>(bytes + i), kOdd);
    return mix(hash ^ load<uint64_t>(bytes + size - 8), kOdd);
  }
  uint64_t tail = 0;
  if (size >= 4) {
    tail = load<uint32_t>(bytes) << 32 | load<uint32_t>(bytes + size - 4);
  } else if (size > 0) {
    tail = load<uint8_t>(bytes) << 16 | load<uint8_t>(bytes + size / 2) << 8 |
           load<uint8_t>(bytes + size - 1);
  }
  return mix(hash ^ tail, kOdd);
}

// A call of memcmp() costs more than comparing a short pre-token.
bool are_equal(const char* left, const char* right, size_t size) {
  if (size >= 8) {
    for (size_t i = 0; i + 8 < size; i += 8) {
      if (load<uint64_t>(left + i) != load<uint64_t>(right + i)) return false;
    }
    return load<uint64_t>(left + size - 8) == load<uint64_t>(right + size - 8);
  }
  if (size >= 4) {
    return load<uint32_t>(left) == load<uint32_t>(right) &&
           load<uint32_t>(left + size - 4) == load<uint32_t>(right + size - 4);
  }
  for (size_t i = 0; i < size; ++i) {
    if (left[i] != right[i]) return false;
  }
  return true;
}

}  // namespace

WordTable::WordTable(size_t max_bytes)
    : slots_(kFirstSlots),
      max_entries_(max_bytes / 4 * 3 / sizeof(int32_t)),
      max_slots_(std::max(kFirstSlots, std::bit_floor(max_bytes / 4 / sizeof(Slot)))) {}

size_t WordTable::index_of(std::string_view word, uint64_t hash) const {
  const size_t mask = slots_.size() - 1;
  for (size_t i = hash & mask;; i = (i + 1) & mask) {
    const Slot& slot = slots_[i];
    if (slot.num_ids == 0) return i;
    if (slot.hash != hash || slot.num_bytes != word.size()) continue;
    const int32_t* bytes = entries_.data() + slot.begin + slot.num_ids;
    if (are_equal(reinterpret_cast<const char*>(bytes), word.data(), word.size())) return i;
  }
}

std::optional<std::span<const int32_t>> WordTable::find(std::string_view word) const {
  const Slot& slot = slots_[index_of(word, hash_of(word))];
  if (slot.num_ids == 0) return std::nullopt;
  return std::span(entries_).subspan(slot.begin, slot.num_ids);
}

void WordTable::insert(std::string_view word, std::span<const int32_t> ids) {
  const size_t num_integers = ids.size() + (word.size() + 3) / 4;
  if (entries_.size() + num_integers > max_entries_) forget();
  if (2 * num_words_ >= slots_.size()) grow();
  const uint64_t hash = hash_of(word);
  const size_t begin = entries_.size();
  entries_.insert(entries_.end(), ids.begin(), ids.end());
  entries_.resize(begin + num_integers);
  std::memcpy(entries_.data() + begin + ids.size(), word.data(), word.size());
  slots_[index_of(word, hash)] = {hash, static_cast<uint32_t>(begin),
                                  static_cast<uint16_t>(word.size()),
                                  static_cast<uint16_t>(ids.size())};
  ++num_words_;
}

void WordTable::grow() {
  if (slots_.size() >= max_slots_) return forget();
  std::vector<Slot> old(2 * slots_.size());
  old.swap(slots_);
  const size_t mask = slots_.size() - 1;
  for (const Slot& slot : old) {
    if (slot.num_ids == 0) continue;
    size_t i = slot.hash & mask;
    while (slots_[i].num_ids != 0) i = (i + 1) & mask;
    slots_[i] = slot;
  }
}

void WordTable::forget() {
  std::fill(slots_.begin(), slots_.end(), Slot{});
  entries_.clear();
  num_words_ = 0;
}

}  // namespace pdl
