#include "pdl/safetensors/header.h"

#include <gtest/gtest.h>

#include <cstring>

#include "support/temp_folder.h"

namespace pdl {
namespace {

std::string file_of(const std::string& json, size_t data_bytes) {
  const uint64_t length = json.size();
  std::string file(8, '\0');
  std::memcpy(file.data(), &length, 8);
  return file + json + std::string(data_bytes, '\x01');
}

// Returns "" if the file is accepted; reading the header from memory and from disk must agree.
std::string problem_of(const std::string& file) {
  SafetensorsHeader header;
  const std::string problem = try_decode_safetensors_header(file, std::ssize(file), header);
  static const TempFolder folder;
  InputFile stored;
  EXPECT_EQ(stored.try_open(folder.file("f", file)), "");
  SafetensorsHeader again;
  EXPECT_EQ(try_read_safetensors_header(stored, again), problem);
  EXPECT_EQ(again.entries.size(), header.entries.size());
  EXPECT_EQ(again.data_begin, header.data_begin);
  return problem;
}

std::string good_file() {
  std::vector<SafetensorsEntry> entries = {
      {"a", "F32", {2, 3}}, {"b", "U8", {5}}, {"scalar", "I64", {}}, {"none", "F32", {0, 4}}};
  return encode_safetensors_header(entries) + std::string(24 + 5 + 8, '\x02');
}

TEST(SafetensorsTest, ReadsWhatItWrites) {
  const std::string file = good_file();
  SafetensorsHeader header;
  ASSERT_EQ(try_decode_safetensors_header(file, std::ssize(file), header), "");
  const std::vector<SafetensorsEntry>& entries = header.entries;
  ASSERT_EQ(entries.size(), 4U);
  EXPECT_EQ(entries[0].name, "a");
  EXPECT_EQ(entries[0].shape, (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(entries[1].begin_bytes, 24);
  EXPECT_EQ(entries[1].end_bytes, 29);
  EXPECT_EQ(header.data_begin % 8, 0);
  EXPECT_EQ(header.data_begin + 37, std::ssize(file));
}

TEST(SafetensorsTest, RefusesEveryTruncation) {
  const std::string file = good_file();
  for (size_t length = 0; length < file.size(); ++length) {
    EXPECT_NE(problem_of(file.substr(0, length)), "") << length;
  }
  EXPECT_EQ(problem_of(file), "");
  EXPECT_NE(problem_of(file + "x"), "");
}

TEST(SafetensorsTest, RefusesWhatTheFormatForbids) {
  const auto entry = [](const std::string& dtype, const std::string& shape,
                        const std::string& offsets) {
    return "{\"dtype\":\"" + dtype + "\",\"shape\":" + shape + ",\"data_offsets\":" + offsets + "}";
  };
  const std::string good = entry("F32", "[1]", "[0,4]");
  EXPECT_EQ(problem_of(file_of("{\"a\":" + good + "}", 4)), "");
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
      "{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]"
      "}}",  // twice
      "{}",  // data that no entry covers
      "\xef\xbb\xbf{\"a\":" + good + "}",
      "{\"a\":" + good + "}" + std::string(1, '\0') + "hidden",
  };
  for (const std::string& json : bad) {
    EXPECT_NE(problem_of(file_of(json, 4)), "") << json;
  }
  EXPECT_NE(problem_of(std::string(16, '\xff')), "");
  EXPECT_NE(problem_of(file_of(std::string(100000, '['), 0)), "");
}

TEST(SafetensorsTest, AnEntryMayBeAPartOfATensor) {
  std::vector<SafetensorsEntry> entries = {{"whole", "F32", {2}, {}},
                                           {"part", "I16", {4, 3}, ElementRange{5, 8}},
                                           {"empty part", "F64", {2, 2}, ElementRange{4, 4}}};
  const std::string file = encode_safetensors_header(entries) + std::string(8 + 6, '\x01');
  SafetensorsHeader header;
  ASSERT_EQ(try_decode_safetensors_header(file, std::ssize(file), header), "");
  ASSERT_EQ(header.entries.size(), 3U);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(header.entries[i].name, entries[i].name);
    EXPECT_EQ(header.entries[i].shape, entries[i].shape);
    EXPECT_EQ(header.entries[i].part, entries[i].part);
  }
  // Other readers see what the file holds.
  EXPECT_NE(file.find(R"("part":{"dtype":"I16","shape":[3],"data_offsets":[8,14]})"),
            std::string::npos);
}

TEST(SafetensorsTest, RefusesAPartThatIsNotInsideItsTensor) {
  const auto file_with = [](const std::string& parts, const std::string& shape = "[2]") {
    return file_of(R"({"__metadata__":{"pdl.parts":)" + parts + R"(},"a":{"dtype":"U8","shape":)" +
                       shape + R"(,"data_offsets":[0,2]}})",
                   2);
  };
  EXPECT_EQ(problem_of(file_with(R"("{\"a\":{\"shape\":[2,2],\"begin\":2}}")")), "");
  EXPECT_EQ(problem_of(file_with(R"("{}")")), "");
  const std::vector<std::string> bad = {
      R"("{\"a\":{\"shape\":[2,2],\"begin\":3}}")",  // ends after the tensor
      R"("{\"a\":{\"shape\":[2,2],\"begin\":-1}}")",
      R"("{\"a\":{\"shape\":[2,2],\"begin\":9223372036854775807}}")",
      R"("{\"a\":{\"shape\":[4294967296,4294967296],\"begin\":0}}")",  // overflow
      R"("{\"a\":{\"shape\":[2,-2],\"begin\":0}}")",
      R"("{\"a\":{\"shape\":4,\"begin\":0}}")",
      R"("{\"a\":{\"shape\":[4]}}")",
      R"("{\"a\":{\"shape\":[4],\"begin\":0,\"end\":2}}")",
      R"("{\"a\":{\"shape\":[4],\"begin\":0},\"a\":{\"shape\":[4],\"begin\":2}}")",
      R"("{\"b\":{\"shape\":[4],\"begin\":0}}")",  // no such tensor
      R"("[]")",
      R"("")",
      R"({"a":{"shape":[4],"begin":0}})",  // not a text, as all metadata are
  };
  for (const std::string& parts : bad) EXPECT_NE(problem_of(file_with(parts)), "") << parts;
  EXPECT_NE(problem_of(file_with(R"("{\"a\":{\"shape\":[2,2],\"begin\":2}}")", "[2,1]")), "");
}

}  // namespace
}  // namespace pdl
