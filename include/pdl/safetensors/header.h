// The header of a safetensors file (huggingface/safetensors, format of
// `safetensors/src/tensor.rs`):
//   u64 little-endian N | N bytes of JSON | data
// Entry: "name": {"dtype": "F32", "shape": [..], "data_offsets": [begin, end)} with offsets from
// the start of the data.
//
// An entry may hold a part of a tensor: elements [begin, begin + n) of the flattened whole. Its
// shape in the file is [n] then, and "__metadata__" has a member "pdl.parts", the text of a JSON
// object: {"name": {"shape": [.. of the whole ..], "begin": begin}}.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pdl/base/input_file.h"

namespace pdl {

// Elements [begin, end) of a flattened tensor.
struct ElementRange {
  int64_t begin = 0;
  int64_t end = 0;
  bool operator==(const ElementRange&) const = default;
};

// One tensor of a file, or the part of it that the file holds; bytes count from data_begin.
struct SafetensorsEntry {
  std::string name;
  std::string dtype;                      // BOOL U8 I8 I16 I32 I64 F16 BF16 F32 F64
  std::vector<int64_t> shape;             // of the whole tensor
  std::optional<ElementRange> part = {};  // what the file holds of it, if that is not all
  int64_t begin_bytes = 0;
  int64_t end_bytes = 0;
};

// What a file holds, and where.
struct SafetensorsHeader {
  std::vector<SafetensorsEntry> entries;  // in the order of their data
  int64_t data_begin = 0;                 // byte of the file from which their offsets count
};

// Returns the bytes of one element; 0 for a dtype that is not known.
int64_t safetensors_element_bytes(std::string_view dtype);

// Returns the elements of a tensor of this shape; -1 for a negative size, or if they do not fit 63
// bits.
int64_t num_elements(const std::vector<int64_t>& shape);

// Returns the first bytes of a file that holds `entries`, whose data follow in this order without
// holes: length and JSON, padded with spaces so that the data begin at a multiple of 8. Sets the
// offsets of the entries.
std::string encode_safetensors_header(std::vector<SafetensorsEntry>& entries);

// Reads the header of a file of `file_bytes` bytes, which begins with `head`: all of the header, or
// of the file. Returns "" or what is wrong, as a phrase that follows the file's name. Every element
// of the data belongs to one entry: no hole, no overlap, nothing beyond the end, and each entry is
// as long as its shape and dtype say.
std::string try_decode_safetensors_header(std::string_view head, int64_t file_bytes,
                                          SafetensorsHeader& header);

// Reads the header of an open file, and nothing after it.
std::string try_read_safetensors_header(const InputFile& file, SafetensorsHeader& header);

}  // namespace pdl
