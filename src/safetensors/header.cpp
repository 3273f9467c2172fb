#include "pdl/safetensors/header.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <utility>

#include "json_text.h"
#include "pdl/base/unicode.h"

namespace pdl {
namespace {

using nlohmann::json;

static_assert(std::endian::native == std::endian::little,
              "safetensors holds little-endian numbers");

constexpr int64_t kLengthBytes = 8;
constexpr int64_t kMaxHeaderBytes = 100'000'000;  // the limit of the reference implementation
constexpr const char* kMetadataKey = "__metadata__";
constexpr const char* kPartsKey = "pdl.parts";

// Length and JSON of a file that begins with `head`.
int64_t header_bytes(std::string_view head, int64_t file_bytes) {
  if (file_bytes < kLengthBytes) throw FormatProblem("it is shorter than 8 bytes");
  uint64_t length = 0;
  std::memcpy(&length, head.data(), sizeof(length));
  if (length > static_cast<uint64_t>(kMaxHeaderBytes) ||
      static_cast<int64_t>(length) > file_bytes - kLengthBytes) {
    throw FormatProblem("its header is longer than the file, or than 100 MB");
  }
  return kLengthBytes + static_cast<int64_t>(length);
}

// Bytes that an entry's elements ask for; -1 if they do not fit 63 bits.
int64_t expected_bytes(const SafetensorsEntry& entry) {
  int64_t bytes = entry.part ? entry.part->end - entry.part->begin : num_elements(entry.shape);
  const bool overflows =
      __builtin_mul_overflow(bytes, safetensors_element_bytes(entry.dtype), &bytes);
  return overflows ? -1 : bytes;
}

std::string in_quotes(const std::string& tensor) { return "'" + printable(tensor) + "'"; }

SafetensorsEntry parse_entry(const std::string& tensor, const json& fields) {
  const bool complete = fields.is_object() && fields.size() == 3 && fields.contains("dtype") &&
                        fields["dtype"].is_string() && fields.contains("shape") &&
                        fields["shape"].is_array() && fields.contains("data_offsets") &&
                        fields["data_offsets"].is_array() && fields["data_offsets"].size() == 2;
  if (!complete) {
    throw FormatProblem("the entry of " + in_quotes(tensor) +
                        " lacks dtype, shape or data_offsets");
  }
  SafetensorsEntry entry;
  entry.name = tensor;
  entry.dtype = fields["dtype"];
  entry.shape = shape_of(fields["shape"], in_quotes(tensor));
  entry.begin_bytes = non_negative(fields["data_offsets"][0]);
  entry.end_bytes = non_negative(fields["data_offsets"][1]);
  if (safetensors_element_bytes(entry.dtype) == 0) {
    throw FormatProblem(in_quotes(tensor) + " has dtype '" + printable(entry.dtype) +
                        "', which is not known");
  }
  if (entry.begin_bytes < 0 || entry.end_bytes < entry.begin_bytes ||
      entry.end_bytes - entry.begin_bytes != expected_bytes(entry)) {
    throw FormatProblem(in_quotes(tensor) + " has data_offsets that do not agree with its shape");
  }
  return entry;
}

// What `entry`, whose shape is that in the file, is a part of.
void apply_part(const json& fields, SafetensorsEntry& entry) {
  const std::string what = "the part of " + in_quotes(entry.name);
  const bool complete = fields.is_object() && fields.size() == 2 && fields.contains("shape") &&
                        fields.contains("begin");
  if (!complete) throw FormatProblem(what + " lacks shape or begin");
  if (entry.shape.size() != 1) throw FormatProblem(what + " is not flat");
  const std::vector<int64_t> shape = shape_of(fields["shape"], what);
  const int64_t begin = non_negative(fields["begin"]);
  int64_t end = 0;
  if (begin < 0 || __builtin_add_overflow(begin, entry.shape[0], &end) ||
      end > num_elements(shape)) {
    throw FormatProblem(what + " is not inside its tensor");
  }
  entry.shape = shape;
  entry.part = ElementRange{begin, end};
}

void apply_parts(const json& metadata, std::vector<SafetensorsEntry>& entries) {
  if (!metadata.is_object() || !metadata.contains(kPartsKey)) return;
  const std::string what = std::string("its \"") + kPartsKey + "\"";
  if (!metadata[kPartsKey].is_string()) throw FormatProblem(what + " is not a text");
  const json parts =
      parse_json_object(metadata[kPartsKey].get_ref<const std::string&>(), what, /*max_depth=*/3);
  size_t found = 0;
  for (SafetensorsEntry& entry : entries) {
    const auto part = parts.find(entry.name);
    if (part == parts.end()) continue;
    apply_part(*part, entry);
    ++found;
  }
  if (found != parts.size()) throw FormatProblem(what + " names a tensor that is not there");
}

void require_cover(const std::vector<SafetensorsEntry>& entries, int64_t data_bytes) {
  int64_t covered = 0;
  for (const SafetensorsEntry& entry : entries) {
    if (entry.begin_bytes != covered)
      throw FormatProblem("there is a hole or an overlap before " + in_quotes(entry.name));
    covered = entry.end_bytes;
  }
  if (covered != data_bytes)
    throw FormatProblem("its data are longer or shorter than its header says");
}

SafetensorsHeader decode(std::string_view head, int64_t file_bytes) {
  SafetensorsHeader header;
  header.data_begin = header_bytes(head, file_bytes);
  const json object = parse_json_object(
      head.substr(kLengthBytes, static_cast<size_t>(header.data_begin - kLengthBytes)),
      "its header", /*max_depth=*/3);
  for (const auto& [tensor, fields] : object.items()) {
    if (tensor != kMetadataKey) header.entries.push_back(parse_entry(tensor, fields));
  }
  std::sort(header.entries.begin(), header.entries.end(),
            [](const SafetensorsEntry& a, const SafetensorsEntry& b) {
              return std::pair(a.begin_bytes, a.end_bytes) < std::pair(b.begin_bytes, b.end_bytes);
            });
  require_cover(header.entries, file_bytes - header.data_begin);
  if (object.contains(kMetadataKey)) apply_parts(object[kMetadataKey], header.entries);
  return header;
}

// Calls work(); what it throws becomes a phrase.
template <class Work>
std::string problem_in(const Work& work) {
  try {
    work();
  } catch (const FormatProblem& problem) {
    return std::string("is not a valid safetensors file: ") + problem.what();
  }
  return "";
}

}  // namespace

int64_t safetensors_element_bytes(std::string_view dtype) {
  constexpr std::array<std::pair<std::string_view, int64_t>, 10> kBytes = {{{"BOOL", 1},
                                                                            {"U8", 1},
                                                                            {"I8", 1},
                                                                            {"I16", 2},
                                                                            {"I32", 4},
                                                                            {"I64", 8},
                                                                            {"F16", 2},
                                                                            {"BF16", 2},
                                                                            {"F32", 4},
                                                                            {"F64", 8}}};
  for (const auto& [known, bytes] : kBytes) {
    if (known == dtype) return bytes;
  }
  return 0;
}

int64_t num_elements(const std::vector<int64_t>& shape) {
  int64_t elements = 1;
  for (const int64_t size : shape) {
    if (size < 0 || __builtin_mul_overflow(elements, size, &elements)) return -1;
  }
  return elements;
}

std::string encode_safetensors_header(std::vector<SafetensorsEntry>& entries) {
  nlohmann::ordered_json header;
  header[kMetadataKey] = {{"format", "pt"}};
  nlohmann::ordered_json parts;
  int64_t offset = 0;
  for (SafetensorsEntry& entry : entries) {
    entry.begin_bytes = offset;
    offset += expected_bytes(entry);
    entry.end_bytes = offset;
    std::vector<int64_t> shape = entry.shape;
    if (entry.part) {
      shape = {entry.part->end - entry.part->begin};
      parts[entry.name] = {{"shape", entry.shape}, {"begin", entry.part->begin}};
    }
    header[entry.name] = {
        {"dtype", entry.dtype}, {"shape", shape}, {"data_offsets", {entry.begin_bytes, offset}}};
  }
  if (!parts.empty()) header[kMetadataKey][kPartsKey] = parts.dump();
  std::string text = header.dump();
  text.append((8 - text.size() % 8) % 8, ' ');
  const uint64_t length = text.size();
  std::string bytes(sizeof(length), '\0');
  std::memcpy(bytes.data(), &length, sizeof(length));
  return bytes + text;
}

std::string try_decode_safetensors_header(std::string_view head, int64_t file_bytes,
                                          SafetensorsHeader& header) {
  return problem_in([&] { header = decode(head, file_bytes); });
}

std::string try_read_safetensors_header(const InputFile& file, SafetensorsHeader& header) {
  std::string head(static_cast<size_t>(std::min(kLengthBytes, file.size())), '\0');
  std::string problem = file.try_read(0, head);
  if (!problem.empty()) return problem;
  problem = problem_in([&] { head.resize(static_cast<size_t>(header_bytes(head, file.size()))); });
  if (!problem.empty()) return problem;
  problem = file.try_read(0, head);
  if (!problem.empty()) return problem;
  return try_decode_safetensors_header(head, file.size(), header);
}

}  // namespace pdl
