// SentencePiece .model files for tests, written in the wire format of Protocol Buffers.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace pdl::sentencepiece_files {

inline std::string varint(uint64_t value) {
  std::string bytes;
  for (; value > 127; value >>= 7) bytes += static_cast<char>((value & 127) | 128);
  return bytes + static_cast<char>(value);
}
inline std::string field(uint64_t number, std::string_view content) {
  return varint(number << 3 | 2) + varint(content.size()) + std::string(content);
}
inline std::string field(uint64_t number, uint64_t value) {
  return varint(number << 3) + varint(value);
}
inline std::string field(uint64_t number, float value) {
  std::string bytes(sizeof value, '\0');
  std::memcpy(bytes.data(), &value, sizeof value);
  return varint(number << 3 | 5) + bytes;
}
inline std::string piece(std::string_view text, float score, uint64_t type) {
  return field(1, field(1, text) + field(2, score) + field(3, type));
}

constexpr uint64_t kNormal = 1;
constexpr uint64_t kUnknown = 2;
constexpr uint64_t kControl = 3;
constexpr uint64_t kUserDefined = 4;
constexpr uint64_t kUnused = 5;
constexpr uint64_t kByte = 6;
constexpr uint64_t kUnigram = 1;
constexpr uint64_t kBpe = 2;
constexpr uint64_t kWord = 3;
constexpr uint64_t kChar = 4;

// A model of letters and of `more`.
inline std::string model_of(uint64_t model_type, const std::string& more) {
  std::string model = piece("<unk>", 0, kUnknown) + piece("▁", -1, kNormal);
  for (char letter = 'a'; letter <= 'z'; ++letter) model += piece({&letter, 1}, -2, kNormal);
  return model + field(2, field(3, model_type)) + more;
}

}  // namespace pdl::sentencepiece_files
