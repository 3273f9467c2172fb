#include "corpus/npy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <thread>

#include "pdl/base/error.h"
#include "pdl/base/random.h"
#include "pdl/base/sha256.h"
#include "support/temp_folder.h"

namespace pdl {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

std::string little_endian(uint64_t value, size_t size) {
  std::string bytes;
  for (size_t i = 0; i < size; ++i) bytes += static_cast<char>(value >> (8 * i) & 0xff);
  return bytes;
}

// Makes a file with exactly this header text.
std::string npy_of(const std::string& header, const std::string& data, int major = 1) {
  return "\x93NUMPY" + std::string(1, static_cast<char>(major)) + std::string(1, '\0') +
         little_endian(header.size(), major == 1 ? 2 : 4) + header + data;
}

// Pads the header as NumPy does.
std::string npy(const std::string& dictionary, const std::string& data, int major = 1) {
  const size_t before = major == 1 ? 10 : 12;
  std::string header = dictionary;
  while ((before + header.size() + 1) % 64 != 0) header += ' ';
  return npy_of(header + "\n", data, major);
}

std::string dictionary(const std::string& descr, const std::string& shape) {
  return "{'descr': '" + descr + "', 'fortran_order': False, 'shape': " + shape + ", }";
}

std::vector<int32_t> all_of(const TokenFile& file) {
  std::vector<int32_t> ids(static_cast<size_t>(file.size()));
  file.copy(0, ids);
  return ids;
}

std::vector<int32_t> read_all(const TempFolder& folder, const std::string& content) {
  return all_of(TokenFile(folder.file("a.npy", content)));
}

void expect_data_error(const std::string& file, const std::string& what) {
  try {
    const TokenFile tokens(file);
    ADD_FAILURE() << "no error, but " << tokens.size() << " tokens: " << what;
  } catch (const DataError& problem) {
    EXPECT_THAT(problem.what(), AllOf(StartsWith("file '" + file + "' "), HasSubstr(what)));
    EXPECT_LT(std::string_view(problem.what()).size(), 250 + file.size());
  }
}

void expect_data_error(const TempFolder& folder, const std::string& content,
                       const std::string& what) {
  expect_data_error(folder.file("a.npy", content), what);
}

// numpy.save(file, numpy.array([1, 2, 65535], '<u2')) of NumPy 2.
TEST(NpyTest, ReadsWhatNumPyWrites) {
  const TempFolder folder;
  const std::string content = std::string("\x93NUMPY\x01\0v\0", 10) +
                              "{'descr': '<u2', 'fortran_order': False, 'shape': (3,), }           "
                              "                             "
                              "                    \n" +
                              std::string("\x01\0\x02\0\xff\xff", 6);
  ASSERT_EQ(content.size(), 128U + 6U);
  EXPECT_THAT(read_all(folder, content), ElementsAre(1, 2, 65535));
}

TEST(NpyTest, ReadsAllVersionsAndTypes) {
  const TempFolder folder;
  for (const int major : {1, 2, 3}) {
    for (const auto& [descr, size] :
         {std::pair("<u2", 2), std::pair("<u4", 4), std::pair("<i4", 4)}) {
      std::string data;
      for (const uint64_t id : {7, 0, 65535}) data += little_endian(id, static_cast<size_t>(size));
      EXPECT_THAT(read_all(folder, npy(dictionary(descr, "(3,)"), data, major)),
                  ElementsAre(7, 0, 65535));
      EXPECT_THAT(read_all(folder, npy(dictionary(descr, "(0,)"), "", major)), IsEmpty());
    }
  }
}

TEST(NpyTest, TokensAreAViewOfTheirType) {
  const TempFolder folder;
  const std::string data = little_endian(7, 4) + little_endian(0xffffffff, 4);
  const TokenFile unsigned_file(folder.file("a.npy", npy(dictionary("<u4", "(2,)"), data)));
  EXPECT_THAT(std::get<std::span<const uint32_t>>(unsigned_file.tokens()),
              ElementsAre(7U, 0xffffffffU));
  const TokenFile signed_file(folder.file("b.npy", npy(dictionary("<i4", "(2,)"), data)));
  EXPECT_THAT(std::get<std::span<const int32_t>>(signed_file.tokens()), ElementsAre(7, -1));
  const TokenFile short_file(folder.file("c.npy", npy(dictionary("<u2", "(4,)"), data)));
  EXPECT_THAT(std::get<std::span<const uint16_t>>(short_file.tokens()),
              ElementsAre(7, 0, 0xffff, 0xffff));
}

TEST(NpyTest, StoredBytesAreTheFile) {
  const TempFolder folder;
  const std::string content = npy(dictionary("<u2", "(1,)"), "ab");
  EXPECT_EQ(TokenFile(folder.file("a.npy", content)).stored_bytes(), content);
}

TEST(NpyTest, CopiesAnyPart) {
  const TempFolder folder;
  std::string data;
  for (uint64_t id = 0; id < 100; ++id) data += little_endian(id * 3, 2);
  const TokenFile file(folder.file("a.npy", npy(dictionary("<u2", "(100,)"), data)));
  for (int64_t begin = 0; begin <= 100; ++begin) {
    for (int64_t end = begin; end <= 100; ++end) {
      std::vector<int32_t> ids(static_cast<size_t>(end - begin), -1);
      file.copy(begin, ids);
      for (int64_t i = begin; i < end; ++i) EXPECT_EQ(ids[static_cast<size_t>(i - begin)], i * 3);
    }
  }
}

TEST(NpyTest, ValuesThatAreNoIdsAreNamedWhenTheyAreCopied) {
  const TempFolder folder;
  const auto error_of = [&](const std::string& descr, uint64_t value) -> std::string {
    const std::string data =
        little_endian(0x7fffffff, 4) + little_endian(1, 4) + little_endian(value, 4);
    const TokenFile file(folder.file("a.npy", npy(dictionary(descr, "(3,)"), data)));
    std::vector<int32_t> ids(2);
    file.copy(0, ids);
    EXPECT_THAT(ids, ElementsAre(0x7fffffff, 1));
    try {
      file.copy(1, ids);
    } catch (const DataError& problem) {
      return problem.what();
    }
    return "";
  };
  EXPECT_THAT(error_of("<u4", 0x80000000),
              AllOf(HasSubstr("a.npy': token 2 is 2147483648, no token id")));
  EXPECT_THAT(error_of("<u4", 0xffffffff), HasSubstr("token 2 is 4294967295"));
  EXPECT_THAT(error_of("<i4", 0xffffffff), HasSubstr("token 2 is -1"));
  EXPECT_THAT(error_of("<i4", 0x80000000), HasSubstr("token 2 is -2147483648"));
  EXPECT_EQ(error_of("<i4", 0), "");
}

TEST(NpyTest, ManyThreadsMayRead) {
  const TempFolder folder;
  std::string data;
  for (uint64_t id = 0; id < 10000; ++id) data += little_endian(id, 4);
  const TokenFile file(folder.file("a.npy", npy(dictionary("<u4", "(10000,)"), data)));
  std::vector<std::thread> threads;
  std::vector<int64_t> sums(4);
  for (size_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (const int32_t id : all_of(file)) sums[t] += id;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(sums, testing::Each(9999 * 10000 / 2));
}

TEST(NpyTest, OtherTypesAreNamed) {
  const TempFolder folder;
  for (const std::string descr :
       {"|u1", ">u2", ">i4", "<i2", "<i8", "<u8", "<f4", "=u2", "u2", "", "<U5", "|O"}) {
    expect_data_error(folder, npy(dictionary(descr, "(1,)"), "12345678"),
                      "has the dtype '" + descr + "'");
  }
  expect_data_error(folder,
                    npy("{'descr': [('a', '<u2')], 'fortran_order': False, 'shape': (1,), }", "ab"),
                    "a structured dtype at byte 20");
}

TEST(NpyTest, OtherShapesAreNamed) {
  const TempFolder folder;
  expect_data_error(folder, npy(dictionary("<u2", "()"), "ab"),
                    "has the shape (); token ids are a one-dim");
  expect_data_error(folder, npy(dictionary("<u2", "(2, 1)"), "abcd"), "has the shape (2, 1);");
  expect_data_error(folder, npy(dictionary("<u2", "(1, 2, 1,)"), "abcd"),
                    "has the shape (1, 2, 1);");
}

TEST(NpyTest, TheSizeMustBeThatOfTheShape) {
  const TempFolder folder;
  for (const std::string data : {"", "a", "abc", "abcde", "abcdef"}) {
    expect_data_error(
        folder, npy(dictionary("<u2", "(2,)"), data),
        "has " + std::to_string(data.size()) + " bytes after its header, where 2 tokens of 2");
  }
  expect_data_error(folder, npy(dictionary("<u4", "(0,)"), "abcd"), "has 4 bytes after");
  // Products that overflow.
  for (const std::string length :
       {"9223372036854775807", "4611686018427387904", "4611686018427387905"}) {
    expect_data_error(folder, npy(dictionary("<u4", "(" + length + ",)"), "abcd"),
                      "where " + length + " tokens");
  }
  expect_data_error(folder, npy(dictionary("<u4", "(9223372036854775808,)"), "abcd"),
                    "a length that is too large");
}

TEST(NpyTest, TheHeaderIsReadAsPythonWould) {
  const TempFolder folder;
  for (const std::string header :
       {"{'descr': '<u2', 'fortran_order': False, 'shape': (1,)}",
        "{\"shape\": (1,), \"fortran_order\": True, \"descr\": \"<u2\"}",
        "  {  'shape' : ( 1 , ) , 'descr' : '<u2' ,'fortran_order':False , } ",
        "{'shape':(1,),'descr':'<u2',\n'fortran_order':True}"}) {
    EXPECT_THAT(read_all(folder, npy(header, "ab")), ElementsAre('a' + 256 * 'b')) << header;
  }
}

TEST(NpyTest, AnyOtherHeaderIsRefused) {
  const TempFolder folder;
  for (const std::string header :
       {"",
        "{",
        "{}",
        "}",
        "[]",
        "{'descr': '<u2'}",
        "{'descr': '<u2', 'fortran_order': False, 'shape': (1,), } x",
        "{'descr': '<u2', 'fortran_order': False, 'shape': (1,), }}",
        "{'descr': '<u2', 'fortran_order': False, 'shape': (1,), 'more': 1}",
        "{'descr': '<u2', 'descr': '<u2', 'fortran_order': False, 'shape': (1,)}",
        "{'descr': '<u2', 'shape': (1,), 'shape': (1,)}",
        "{'descr': '<u2' 'fortran_order': False, 'shape': (1,)}",
        "{'descr': '<u2', 'fortran_order': False, 'shape': (1,),,}",
        "{,'descr': '<u2', 'fortran_order': False, 'shape': (1,)}",
        "{'descr': '<u2', 'fortran_order': 0, 'shape': (1,)}",
        "{'descr': '<u2', 'fortran_order': Falsehood, 'shape': (1,)}",
        "{'descr': '<u2', 'fortran_order': False, 'shape': (1)}",
        "{'descr': '<u2', 'fortran_order': False, 'shape': 1}",
        "{'descr': '<u2', 'fortran_order': False, 'shape': [1]}",
        "{'descr': '<u2', 'fortran_order': False, 'shape': (-1,)}",
        "{'descr': '<u2', 'fortran_order': False, 'shape': (+1,)}",
        "{'descr': '<u2', 'fortran_order': False, 'shape': (1.0,)}",
        "{'descr': '<u2', 'fortran_order': False, 'shape': (1L,)}",
        "{'descr': '<u2', 'fortran_order': False, 'shape': (0x1,)}",
        "{'descr': '<u2', 'fortran_order': False, 'shape': (01,)}",
        "{'descr': '<u2', 'fortran_order': False, 'shape': (,)}",
        "{'descr': '<u2', 'fortran_order': False, 'shape': (1,,)}",
        "{'descr': '<u2', 'fortran_order': False, 'shape': (1,",
        "{'descr': '<u2', 'fortran_order': False, 'shape': (1 1,)}",
        "{'descr': '<u2\", 'fortran_order': False, 'shape': (1,)}",
        "{'descr': '\\x3cu2', 'fortran_order': False, 'shape': (1,)}",
        "{'descr': u'<u2', 'fortran_order': False, 'shape': (1,)}",
        "{'descr': <u2, 'fortran_order': False, 'shape': (1,)}",
        "{'descr': None, 'fortran_order': False, 'shape': (1,)}",
        "{'descr': '<u2', 'fortran_order': False, 'shape': (1,), # comment\n}"}) {
    expect_data_error(folder, npy(header, "ab"), "its header has ");
    expect_data_error(folder, npy(header, "ab"), " at byte ");
  }
  std::string many = "(";
  for (int i = 0; i < 1000; ++i) many += "1, ";
  expect_data_error(folder, npy(dictionary("<u2", many + ")"), "ab"), "too many dimensions");
}

TEST(NpyTest, EveryTruncationIsAnError) {
  const TempFolder folder;
  for (const int major : {1, 2}) {
    const std::string content = npy(dictionary("<u2", "(2,)"), "abcd", major);
    for (size_t size = 0; size < content.size(); ++size) {
      expect_data_error(folder, content.substr(0, size),
                        size == 0                   ? "is empty"
                        : size < content.size() - 4 ? "is truncated: its NumPy header needs "
                                                    : "bytes after its header");
    }
  }
}

TEST(NpyTest, OtherFilesAndVersionsAreNamed) {
  const TempFolder folder;
  expect_data_error(folder, "1 2 3\n", "is not a NumPy file: byte 0 does not begin \\x93NUMPY");
  expect_data_error(folder, "\x93NUMPX", "is not a NumPy file");
  for (const std::string& version : {std::string("\0\0", 2), std::string("\4\0", 2),
                                     std::string("\1\1", 2), std::string("\xff\0", 2)}) {
    std::string content = npy(dictionary("<u2", "(1,)"), "ab");
    content.replace(6, 2, version);
    expect_data_error(folder, content, "(byte 6); use 1.0, 2.0 or 3.0");
  }
}

TEST(NpyTest, ALongHeaderIsRefused) {
  const TempFolder folder;
  std::string header = dictionary("<u2", "(1,)");
  header.resize(65536 - 12 - 1, ' ');
  EXPECT_EQ(read_all(folder, npy_of(header + "\n", "ab", 2)).size(), 1U);
  header.resize(65536, ' ');
  EXPECT_EQ(read_all(folder, npy_of(header, "ab", 2)).size(), 1U);
  expect_data_error(folder, npy_of(header + " ", "ab", 2), "NumPy header of 65537 bytes (byte 8)");
  expect_data_error(folder, std::string("\x93NUMPY\x02\0\xff\xff\xff\xff", 12) + header,
                    "of 4294967295 bytes");
}

TEST(NpyTest, AnArrayThatIsNotAlignedIsRefused) {
  const TempFolder folder;
  const std::string header = dictionary("<u2", "(1,)");
  for (size_t blanks = 0; blanks < 8; ++blanks) {
    const std::string content = npy_of(header + std::string(blanks, ' '), "ab");
    const size_t offset = 10 + header.size() + blanks;
    if (offset % 2 == 0) {
      EXPECT_EQ(read_all(folder, content).size(), 1U);
    } else {
      expect_data_error(folder, content,
                        "has its array at byte " + std::to_string(offset) + ", no multiple of 2");
    }
  }
}

TEST(NpyTest, WhatIsNoReadableFileIsNamed) {
  const TempFolder folder;
  expect_data_error((folder / "none.npy").string(), "does not exist");
  expect_data_error(folder.path().string(), "is a folder, not a file");
  const std::string fifo = (folder / "fifo.npy").string();
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  expect_data_error(fifo, "is not a regular file");
  expect_data_error(folder.file("a", "x") + "/b.npy", "cannot be opened: Not a directory");
}

TEST(NpyTest, ChangedHeadersGiveTokensOrErrors) {
  const TempFolder folder;
  Random random(1);
  const std::string content = npy(dictionary("<u2", "(2,)"), "abcd");
  const std::string alphabet = "  \n\n'\",:(){}[]<>|=u124i8TrueFalse\\\xff" + std::string(1, '\0');
  int num_arrays = 0;
  for (int i = 0; i < 1000; ++i) {
    std::string changed = content;
    for (uint64_t n = 1 + random.below(2); n > 0; --n) {
      changed[random.below(128)] = alphabet[random.below(alphabet.size())];
    }
    try {
      const TokenFile file(folder.file("a.npy", changed));
      EXPECT_EQ(all_of(file).size() * (changed.find("<u2") < 80 ? 2U : 4U), 4U);
      ++num_arrays;
    } catch (const DataError& problem) {
      EXPECT_THAT(problem.what(), HasSubstr("a.npy'"));
    }
  }
  EXPECT_GT(num_arrays, 10);
}

}  // namespace
}  // namespace pdl
