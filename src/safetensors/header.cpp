#include "pdl/safetensors/header.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "pdl/base/error.h"
#include "pdl/base/unicode.h"

namespace pdl {
namespace {

using nlohmann::json;

static_assert(std::endian::native == std::endian::little,
              "safetensors holds little-endian numbers");

constexpr int64_t kLengthBytes = 8;
constexpr int64_t kMaxHeaderBytes = 100'000'000;  // the limit of the reference implementation
constexpr const char* kMetadataKey = "__metadata__";

[[noreturn]] void refuse(const std::string& name, const std::string& why) {
  throw CheckpointError("'" + name + "' is not a valid safetensors file: " + why);
}

int64_t header_bytes(std::string_view file) {
  uint64_t length = 0;
  std::memcpy(&length, file.data(), sizeof(length));
  return length > static_cast<uint64_t>(kMaxHeaderBytes) ? -1 : static_cast<int64_t>(length);
}

// Parses the JSON; duplicate names and deep nesting are refused while it is read.
json parse_json(std::string_view text, const std::string& name) {
  // The parser takes a NUL byte for the end of the text, and drops a byte order mark.
  if (text.find('\0') != std::string_view::npos) refuse(name, "its header has a NUL byte");
  if (!text.starts_with('{')) refuse(name, "its header is not a JSON object");
  std::set<std::string> names;
  const json::parser_callback_t check = [&](int depth, json::parse_event_t event, json& parsed) {
    if (depth > 3) refuse(name, "its header is nested too deeply");
    if (depth == 1 && event == json::parse_event_t::key &&
        !names.insert(parsed.get<std::string>()).second) {
      refuse(name, "it holds '" + printable(parsed.get<std::string>()) + "' twice");
    }
    return true;
  };
  json header = json::parse(text, check, /*allow_exceptions=*/false);
  if (!header.is_object()) refuse(name, "its header is not a JSON object");
  return header;
}

int64_t non_negative(const json& value) {
  if (!value.is_number_unsigned()) return -1;
  const auto number = value.get<uint64_t>();
  return number > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())
             ? -1
             : static_cast<int64_t>(number);
}

// Bytes that shape and dtype ask for; -1 if they do not fit 63 bits.
int64_t expected_bytes(const SafetensorsEntry& entry) {
  int64_t bytes = safetensors_element_bytes(entry.dtype);
  for (const int64_t size : entry.shape) {
    if (__builtin_mul_overflow(bytes, size, &bytes)) return -1;
  }
  return bytes;
}

SafetensorsEntry parse_entry(const std::string& tensor, const json& fields,
                             const std::string& name) {
  const std::string quoted = "'" + printable(tensor) + "'";
  const bool complete = fields.is_object() && fields.size() == 3 && fields.contains("dtype") &&
                        fields["dtype"].is_string() && fields.contains("shape") &&
                        fields["shape"].is_array() && fields.contains("data_offsets") &&
                        fields["data_offsets"].is_array() && fields["data_offsets"].size() == 2;
  if (!complete) refuse(name, "the entry of " + quoted + " lacks dtype, shape or data_offsets");
  SafetensorsEntry entry;
  entry.name = tensor;
  entry.dtype = fields["dtype"];
  for (const json& size : fields["shape"]) {
    entry.shape.push_back(non_negative(size));
    if (entry.shape.back() < 0) refuse(name, quoted + " has a shape that is not made of sizes");
  }
  entry.begin_bytes = non_negative(fields["data_offsets"][0]);
  entry.end_bytes = non_negative(fields["data_offsets"][1]);
  if (safetensors_element_bytes(entry.dtype) == 0) {
    refuse(name, quoted + " has dtype '" + printable(entry.dtype) + "', which is not known");
  }
  if (entry.begin_bytes < 0 || entry.end_bytes < entry.begin_bytes ||
      entry.end_bytes - entry.begin_bytes != expected_bytes(entry)) {
    refuse(name, quoted + " has data_offsets that do not agree with its shape");
  }
  return entry;
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

std::string encode_safetensors_header(std::vector<SafetensorsEntry>& entries) {
  nlohmann::ordered_json header;
  header[kMetadataKey] = {{"format", "pt"}};
  int64_t offset = 0;
  for (SafetensorsEntry& entry : entries) {
    entry.begin_bytes = offset;
    offset += expected_bytes(entry);
    entry.end_bytes = offset;
    header[entry.name] = {{"dtype", entry.dtype},
                          {"shape", entry.shape},
                          {"data_offsets", {entry.begin_bytes, offset}}};
  }
  std::string text = header.dump();
  text.append((8 - text.size() % 8) % 8, ' ');
  const uint64_t length = text.size();
  std::string bytes(sizeof(length), '\0');
  std::memcpy(bytes.data(), &length, sizeof(length));
  return bytes + text;
}

std::vector<SafetensorsEntry> decode_safetensors_header(std::string_view file,
                                                        const std::string& name) {
  const auto file_bytes = static_cast<int64_t>(file.size());
  if (file_bytes < kLengthBytes) refuse(name, "it is shorter than 8 bytes");
  const int64_t length = header_bytes(file);
  if (length < 0 || length > file_bytes - kLengthBytes)
    refuse(name, "its header is longer than the file");
  const json header = parse_json(file.substr(kLengthBytes, static_cast<size_t>(length)), name);
  std::vector<SafetensorsEntry> entries;
  for (const auto& [tensor, fields] : header.items()) {
    if (tensor != kMetadataKey) entries.push_back(parse_entry(tensor, fields, name));
  }
  std::sort(entries.begin(), entries.end(),
            [](const SafetensorsEntry& a, const SafetensorsEntry& b) {
              return std::pair(a.begin_bytes, a.end_bytes) < std::pair(b.begin_bytes, b.end_bytes);
            });
  int64_t covered = 0;
  for (const SafetensorsEntry& entry : entries) {
    if (entry.begin_bytes != covered)
      refuse(name, "there is a hole or an overlap before '" + printable(entry.name) + "'");
    covered = entry.end_bytes;
  }
  if (covered != file_bytes - kLengthBytes - length)
    refuse(name, "its data are longer or shorter than its header says");
  return entries;
}

int64_t safetensors_data_begin(std::string_view file) { return kLengthBytes + header_bytes(file); }

}  // namespace pdl
