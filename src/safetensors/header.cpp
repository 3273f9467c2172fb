#include "pdl/safetensors/header.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <nlohmann/json.hpp>
#include <utility>

#include "format_problem.h"
#include "pdl/base/json.h"
#include "pdl/base/unicode.h"

namespace pdl {
namespace {

static_assert(std::endian::native == std::endian::little,
              "safetensors holds little-endian numbers");

constexpr int64_t kLengthBytes = 8;
constexpr int64_t kMaxHeaderBytes = 100'000'000;  // the limit of the reference implementation
constexpr const char* kMetadataKey = "__metadata__";
constexpr const char* kPartsKey = "pdl.parts";
// Object, entry and shape.
constexpr JsonRules kRules = {.max_depth = 3};

// Returns length and JSON of a file that begins with `head`.
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

// Returns the bytes that an entry's elements ask for; -1 if they do not fit 63 bits.
int64_t expected_bytes(const SafetensorsEntry& entry) {
  int64_t bytes = entry.part ? entry.part->end - entry.part->begin : num_elements(entry.shape);
  const bool overflows =
      __builtin_mul_overflow(bytes, safetensors_element_bytes(entry.dtype), &bytes);
  return overflows ? -1 : bytes;
}

std::string in_quotes(const std::string& tensor) { return "'" + printable(tensor) + "'"; }

SafetensorsEntry parse_entry(const std::string& tensor, const JsonValue& value,
                             const JsonBlame& blame) {
  ObjectReader fields(value, blame, in_quotes(tensor));
  SafetensorsEntry entry;
  entry.name = tensor;
  entry.dtype = fields.string("dtype");
  entry.shape = fields.integers("shape", 0);
  const std::vector<int64_t> offsets = fields.integers("data_offsets", 0);
  fields.finish();
  if (offsets.size() != 2) fields.fail_at("data_offsets", "is not [begin, end]");
  entry.begin_bytes = offsets[0];
  entry.end_bytes = offsets[1];
  if (safetensors_element_bytes(entry.dtype) == 0) {
    fields.fail_at("dtype", "is '" + printable(entry.dtype) + "', which is not known");
  }
  if (entry.end_bytes < entry.begin_bytes ||
      entry.end_bytes - entry.begin_bytes != expected_bytes(entry)) {
    fields.fail_at("data_offsets", "does not agree with its shape");
  }
  return entry;
}

// Returns what `entry`, whose shape is that in the file, is a part of.
void apply_part(const JsonValue& value, const JsonBlame& blame, SafetensorsEntry& entry) {
  ObjectReader fields(value, blame, in_quotes(entry.name));
  const std::vector<int64_t> shape = fields.integers("shape", 0);
  const int64_t begin = fields.integer("begin", 0);
  fields.finish();
  if (entry.shape.size() != 1) fields.fail("is not flat");
  int64_t end = 0;
  if (__builtin_add_overflow(begin, entry.shape[0], &end) || end > num_elements(shape)) {
    fields.fail("is not inside its tensor");
  }
  entry.shape = shape;
  entry.part = ElementRange{begin, end};
}

void apply_parts(const JsonValue& metadata, const JsonBlame& header_blame,
                 std::vector<SafetensorsEntry>& entries) {
  if (!metadata.is(JsonValue::Kind::kObject)) return;
  ObjectReader reader(metadata, header_blame, kMetadataKey);
  if (!reader.has(kPartsKey)) return;
  const auto blame = JsonBlame::of<FormatProblem>("", std::string("its \"") + kPartsKey + "\"");
  const JsonValue value = parse_json(reader.string(kPartsKey), kRules, blame);
  ObjectReader parts(value, blame);
  for (SafetensorsEntry& entry : entries) {
    if (const JsonValue* part = parts.find(entry.name)) apply_part(*part, blame, entry);
  }
  parts.finish();
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
  const std::string_view text =
      head.substr(kLengthBytes, static_cast<size_t>(header.data_begin - kLengthBytes));
  const auto blame = JsonBlame::of<FormatProblem>("", "its header");
  // The format allows no white space before it.
  if (!text.starts_with('{')) blame.fail("its header is not a JSON object");
  const JsonValue object = parse_json(text, kRules, blame);
  ObjectReader names(object, blame);  // each stands once
  for (size_t i = 0; i < object.keys().size(); ++i) {
    if (object.keys()[i] == kMetadataKey) continue;
    header.entries.push_back(parse_entry(object.keys()[i], object.items()[i], blame));
  }
  std::stable_sort(header.entries.begin(), header.entries.end(),
                   [](const SafetensorsEntry& a, const SafetensorsEntry& b) {
                     return std::pair(a.begin_bytes, a.end_bytes) <
                            std::pair(b.begin_bytes, b.end_bytes);
                   });
  require_cover(header.entries, file_bytes - header.data_begin);
  if (const JsonValue* metadata = names.find(kMetadataKey)) {
    apply_parts(*metadata, blame, header.entries);
  }
  return header;
}

// Calls work() and turns what it throws into a phrase.
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
