#include "pdl/safetensors/header.h"

#include <gtest/gtest.h>

#include <cstring>

#include "pdl/base/error.h"

namespace pdl {
namespace {

std::string file_of(const std::string& json, size_t data_bytes) {
  const uint64_t length = json.size();
  std::string file(8, '\0');
  std::memcpy(file.data(), &length, 8);
  return file + json + std::string(data_bytes, '\x01');
}

std::string good_file() {
  std::vector<SafetensorsEntry> entries = {
      {"a", "F32", {2, 3}}, {"b", "U8", {5}}, {"scalar", "I64", {}}, {"none", "F32", {0, 4}}};
  return encode_safetensors_header(entries) + std::string(24 + 5 + 8, '\x02');
}

TEST(SafetensorsTest, ReadsWhatItWrites) {
  const std::string file = good_file();
  const std::vector<SafetensorsEntry> entries = decode_safetensors_header(file, "f");
  ASSERT_EQ(entries.size(), 4U);
  EXPECT_EQ(entries[0].name, "a");
  EXPECT_EQ(entries[0].shape, (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(entries[1].begin_bytes, 24);
  EXPECT_EQ(entries[1].end_bytes, 29);
  EXPECT_EQ(safetensors_data_begin(file) % 8, 0);
  EXPECT_EQ(safetensors_data_begin(file) + 37, static_cast<int64_t>(file.size()));
}

TEST(SafetensorsTest, RefusesEveryTruncation) {
  const std::string file = good_file();
  for (size_t length = 0; length < file.size(); ++length) {
    EXPECT_THROW(decode_safetensors_header(file.substr(0, length), "f"), CheckpointError) << length;
  }
  EXPECT_THROW(decode_safetensors_header(file + "x", "f"), CheckpointError);
}

TEST(SafetensorsTest, RefusesWhatTheFormatForbids) {
  const auto entry = [](const std::string& dtype, const std::string& shape,
                        const std::string& offsets) {
    return "{\"dtype\":\"" + dtype + "\",\"shape\":" + shape + ",\"data_offsets\":" + offsets + "}";
  };
  const std::string good = entry("F32", "[1]", "[0,4]");
  EXPECT_NO_THROW(decode_safetensors_header(file_of("{\"a\":" + good + "}", 4), "f"));
  const std::vector<std::string> bad = {
      "[]",
      "{",
      "{\"a\":1}",
      "{\"a\":" + good + ",\"a\":" + good + "}",                           // twice
      "{\"a\":" + entry("F32", "[1]", "[0,5]") + "}",                      // length against shape
      "{\"a\":" + entry("F32", "[1]", "[4,0]") + "}",                      // reversed
      "{\"a\":" + entry("F99", "[1]", "[0,4]") + "}",                      // unknown dtype
      "{\"a\":" + entry("U8", "[2]", "[2,4]") + "}",                       // hole
      "{\"a\":" + good + ",\"b\":" + entry("U8", "[2]", "[2,4]") + "}",    // overlap
      "{\"a\":" + entry("F32", "[-1]", "[0,4]") + "}",                     // negative size
      "{\"a\":" + entry("F32", "[1.0]", "[0,4]") + "}",                    // no integer
      "{\"a\":" + entry("F32", "[4294967296,4294967296]", "[0,4]") + "}",  // overflow
      "{\"a\":" + entry("U8", "[4611686018427387905,4]", "[0,4]") + "}",   // overflow to 4
      "{\"a\":" + entry("F32", "[1]", "[0,18446744073709551615]") + "}",
      "{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}",
      "{\"a\":{\"x\":[[[[[1]]]]]}}",
      "{}",  // data that no entry covers
      "\xef\xbb\xbf{\"a\":" + good + "}",
      "{\"a\":" + good + "}" + std::string(1, '\0') + "hidden",
  };
  for (const std::string& json : bad) {
    EXPECT_THROW(decode_safetensors_header(file_of(json, 4), "f"), CheckpointError) << json;
  }
  EXPECT_THROW(decode_safetensors_header(std::string(16, '\xff'), "f"), CheckpointError);
  EXPECT_THROW(decode_safetensors_header(file_of(std::string(100000, '['), 0), "f"),
               CheckpointError);
}

}  // namespace
}  // namespace pdl
