#include "character_map.h"

#include <algorithm>
#include <cstring>

#include "pdl/base/error.h"

namespace pdl {
namespace {

[[noreturn]] void fail() { throw ModelError("its map of characters is cut off or damaged"); }

// A unit of the trie, as in Darts-clone. The label is the byte that leads here; a leaf has the
// highest bit set and holds a value instead.
uint32_t label_of(uint32_t unit) { return unit & (uint32_t{1} << 31 | 0xff); }
uint32_t offset_of(uint32_t unit) { return unit >> 10 << ((unit & uint32_t{1} << 9) >> 6); }
bool has_leaf(uint32_t unit) { return (unit >> 8 & 1) != 0; }
uint32_t value_of(uint32_t unit) { return unit & ((uint32_t{1} << 31) - 1); }

}  // namespace

CharacterMap::CharacterMap(std::string_view serialized) {
  if (serialized.empty()) return;
  uint32_t trie_bytes = 0;
  if (serialized.size() <= sizeof trie_bytes) fail();
  std::memcpy(&trie_bytes, serialized.data(), sizeof trie_bytes);
  serialized.remove_prefix(sizeof trie_bytes);
  if (trie_bytes >= serialized.size() || trie_bytes < sizeof(uint32_t)) fail();
  units_.resize(trie_bytes / sizeof(uint32_t));
  std::memcpy(units_.data(), serialized.data(), units_.size() * sizeof(uint32_t));
  replacements_ = serialized.substr(trie_bytes);
}

// Searches depth first and visits a unit that is reached on several ways once.
void CharacterMap::check() const {
  constexpr int kMaxRules = 32;
  constexpr uint32_t kBlock = 256;  // the children of a unit lie in one block
  constexpr int8_t kUnseen = -1;
  constexpr int8_t kOpen = -2;
  struct Visit {
    uint32_t at;
    uint32_t first_child;  // of the byte 0; others differ from it by their bytes
    uint32_t next_byte;
    int rules_below;  // the most on one way
  };
  if (units_.empty()) return;
  std::vector<int8_t> rules_from(units_.size(), kUnseen);
  std::vector<Visit> open;
  const auto enter = [&](uint32_t at) {
    const uint32_t first_child = at ^ offset_of(units_[at]);
    if ((first_child | (kBlock - 1)) >= units_.size()) fail();
    if (has_leaf(units_[at]) && value_of(units_[first_child]) >= replacements_.size()) fail();
    rules_from[at] = kOpen;
    open.push_back({at, first_child, 0, 0});
  };
  enter(0);
  while (!open.empty()) {
    Visit& visit = open.back();
    if (visit.next_byte < kBlock) {
      const uint32_t byte = visit.next_byte++;
      const uint32_t child = visit.first_child ^ byte;
      if (label_of(units_[child]) != byte) continue;
      if (rules_from[child] == kOpen) fail();  // a circle
      if (rules_from[child] == kUnseen) {
        --visit.next_byte;  // visits this unit again with the child's result
        enter(child);
      } else {
        visit.rules_below = std::max(visit.rules_below, int{rules_from[child]});
      }
      continue;
    }
    const int rules = visit.rules_below + (has_leaf(units_[visit.at]) ? 1 : 0);
    if (rules > kMaxRules) fail();
    rules_from[visit.at] = static_cast<int8_t>(rules);
    open.pop_back();
  }
}

uint32_t CharacterMap::unit(uint32_t index) const {
  if (index >= units_.size()) fail();
  return units_[index];
}

template <class Visit>
size_t CharacterMap::walk(std::string_view text, Visit visit) const {
  if (units_.empty()) return 0;
  uint32_t node = offset_of(units_[0]);
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    node ^= byte;
    const uint32_t found = unit(node);
    if (label_of(found) != byte) return i;
    node ^= offset_of(found);
    if (has_leaf(found)) visit(i + 1, value_of(unit(node)));
  }
  return text.size();
}

std::optional<CharacterMap::Rule> CharacterMap::find(std::string_view text) const {
  size_t num_bytes = 0;
  uint32_t begin = 0;
  walk(text, [&](size_t size, uint32_t value) {
    num_bytes = size;
    begin = value;
  });
  if (num_bytes == 0) return std::nullopt;
  if (begin >= replacements_.size()) fail();
  return Rule{num_bytes, replacements_.c_str() + begin};
}

bool CharacterMap::has_rule_from(std::string_view bytes) const {
  return walk(bytes, [](size_t, uint32_t) {}) == bytes.size();
}

}  // namespace pdl
