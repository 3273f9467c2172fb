// The header of a safetensors file (huggingface/safetensors, format of
// `safetensors/src/tensor.rs`):
//   u64 little-endian N | N bytes of JSON | data
// Entry: "name": {"dtype": "F32", "shape": [..], "data_offsets": [begin, end)} with offsets from
// the start of the data.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace pdl {

struct SafetensorsEntry {
  std::string name;
  std::string dtype;  // BOOL U8 I8 I16 I32 I64 F16 BF16 F32 F64
  std::vector<int64_t> shape;
  int64_t begin_bytes = 0;
  int64_t end_bytes = 0;
};

// Bytes of one element; 0 for a dtype that is not known.
int64_t safetensors_element_bytes(std::string_view dtype);

// The first bytes of a file that holds `entries`, whose data follow in this order without holes:
// length and JSON, padded with spaces so that the data begin at a multiple of 8. Sets the offsets
// of the entries.
std::string encode_safetensors_header(std::vector<SafetensorsEntry>& entries);

// Reads the entries of a file's content, in the order of their data. Throws CheckpointError, with
// `name` and what is wrong, unless the data are covered exactly: no hole, no overlap, nothing
// beyond the end, and each entry as long as its shape and dtype say.
std::vector<SafetensorsEntry> decode_safetensors_header(std::string_view file,
                                                        const std::string& name);

// Where the data of a file begin, after decode_safetensors_header() has accepted it.
int64_t safetensors_data_begin(std::string_view file);

}  // namespace pdl
