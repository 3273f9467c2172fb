#include "corpus/byte_stream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include <csignal>
#include <thread>

#include "pdl/base/error.h"
#include "pdl/base/random.h"
#include "pdl/base/sha256.h"
#include "support/temp_folder.h"

namespace pdl {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

// Text of which half is hard to compress and half is repeated.
std::string sample(size_t size, uint64_t seed = 1) {
  Random random(seed);
  std::string text;
  while (text.size() < size) {
    text += static_cast<char>(random.below(256));
    if (text.size() > 100 && random.below(50) == 0) text += text.substr(text.size() - 90, 80);
  }
  return text.substr(0, size);
}

// Makes one member, with the header fields that gzip(1) writes or the optional ones.
std::string gzip(const std::string& text, bool all_header_fields = false) {
  z_stream state{};
  constexpr int kGzip = 16;
  deflateInit2(&state, 6, Z_DEFLATED, MAX_WBITS + kGzip, 8, Z_DEFAULT_STRATEGY);
  std::string extra = "extra";
  std::string name = "name";
  gz_header header{};
  header.extra = reinterpret_cast<Bytef*>(extra.data());
  header.extra_len = static_cast<uInt>(extra.size());
  header.name = reinterpret_cast<Bytef*>(name.data());
  header.comment = reinterpret_cast<Bytef*>(name.data());
  header.hcrc = 1;
  if (all_header_fields) deflateSetHeader(&state, &header);
  std::string input = text;
  std::string stored(deflateBound(&state, text.size()) + 200, '\0');
  state.next_in = reinterpret_cast<Bytef*>(input.data());
  state.avail_in = static_cast<uInt>(input.size());
  state.next_out = reinterpret_cast<Bytef*>(stored.data());
  state.avail_out = static_cast<uInt>(stored.size());
  EXPECT_EQ(deflate(&state, Z_FINISH), Z_STREAM_END);
  stored.resize(state.total_out);
  deflateEnd(&state);
  return stored;
}

// One frame with a checksum.
std::string zstd(const std::string& text, int window_log = 0) {
  ZSTD_CCtx* const state = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(state, ZSTD_c_checksumFlag, 1);
  if (window_log != 0) {
    // Without the size of the content the frame needs the whole window.
    ZSTD_CCtx_setParameter(state, ZSTD_c_windowLog, window_log);
  }
  std::string stored(ZSTD_compressBound(text.size()) + 100, '\0');
  ZSTD_outBuffer out{stored.data(), stored.size(), 0};
  ZSTD_inBuffer in{text.data(), text.size(), 0};
  ZSTD_compressStream2(state, &out, &in, ZSTD_e_continue);
  EXPECT_EQ(ZSTD_compressStream2(state, &out, &in, ZSTD_e_end), 0U);
  stored.resize(out.pos);
  ZSTD_freeCCtx(state);
  return stored;
}

std::string skippable_frame(const std::string& content) {
  return std::string("\x5a\x2a\x4d\x18", 4) + static_cast<char>(content.size()) +
         std::string(3, '\0') + content;
}

std::string compress(const std::string& ending, const std::string& text) {
  return ending == ".gz" ? gzip(text) : ending == ".zst" ? zstd(text) : text;
}

std::string read_all(const std::string& file, size_t step = size_t{1} << 16,
                     StoredBytesObserver observer = {}) {
  const std::unique_ptr<ByteStream> stream = open_byte_stream(file, std::move(observer));
  std::string all;
  std::string piece(step, '\0');
  while (const size_t got = stream->read(piece.data(), step)) {
    EXPECT_LE(got, step);
    all.append(piece, 0, got);
  }
  EXPECT_EQ(stream->read(piece.data(), step), 0U);  // the end stays the end
  return all;
}

// Bytes read before the error must be a prefix of `text`, if that is given.
void expect_data_error(const std::string& file, const std::string& what,
                       const std::string& text = "") {
  std::string all;
  try {
    const std::unique_ptr<ByteStream> stream = open_byte_stream(file);
    char piece[1000];
    while (const size_t got = stream->read(piece, sizeof(piece))) all.append(piece, got);
    ADD_FAILURE() << "no error for " << file << ": " << what;
  } catch (const DataError& problem) {
    EXPECT_THAT(problem.what(), AllOf(HasSubstr(file), HasSubstr(what)));
    EXPECT_LT(std::string_view(problem.what()).size(), 300 + file.size());
  }
  if (text.empty()) return;
  EXPECT_TRUE(text.starts_with(all)) << file;
}

const std::vector<std::string> kEndings = {".txt", ".gz", ".zst"};

TEST(ByteStreamTest, GivesBackWhatWasCompressed) {
  const TempFolder folder;
  for (const std::string& ending : kEndings) {
    for (const size_t size : {0, 1, 999, 131072, 131073, 400000}) {
      const std::string text = sample(size);
      const std::string file = folder.file("a" + ending, compress(ending, text));
      for (const size_t step : {size_t{7}, size_t{4096}, size_t{1} << 20}) {
        if (size / step > 50000) continue;
        EXPECT_EQ(read_all(file, step), text) << ending << size << " " << step;
      }
    }
  }
}

TEST(ByteStreamTest, ShowsEveryStoredByteOnceInOrder) {
  const TempFolder folder;
  for (const std::string& ending : kEndings) {
    const std::string stored = compress(ending, sample(300000)) + compress(ending, sample(10, 2));
    const std::string file = folder.file("a" + ending, stored);
    std::string seen;
    Sha256 hash;
    read_all(file, 1000, [&](std::string_view bytes) {
      seen += bytes;
      hash.update(bytes);
    });
    EXPECT_EQ(seen, stored) << ending;
    EXPECT_EQ(hash.finish(), sha256(stored));
  }
}

TEST(ByteStreamTest, ReadsMembersAndFramesOneAfterTheOther) {
  const TempFolder folder;
  const std::string a = sample(200000, 1);
  const std::string b = sample(50, 2);
  EXPECT_EQ(read_all(folder.file("a.gz", gzip(a) + gzip("") + gzip(b, true) + gzip(""))), a + b);
  EXPECT_EQ(read_all(folder.file("b.gz", gzip(b, true) + gzip(a))), b + a);
  const std::string skipped = skippable_frame("skip me");
  EXPECT_EQ(read_all(folder.file(
                "a.zst", skipped + zstd(a) + skipped + skipped + zstd("") + zstd(b) + skipped)),
            a + b);
  EXPECT_EQ(read_all(folder.file("b.zst", skipped)), "");
}

TEST(ByteStreamTest, ManyEmptyMembersEnd) {
  const TempFolder folder;
  const std::string member = gzip("");
  const std::string frame = zstd("");
  std::string members;
  std::string frames;
  for (int i = 0; i < 20000; ++i) {
    members += member;
    frames += frame;
  }
  EXPECT_EQ(read_all(folder.file("a.gz", members + gzip("x"))), "x");
  EXPECT_EQ(read_all(folder.file("a.zst", frames + zstd("x"))), "x");
}

TEST(ByteStreamTest, WhatExpandsAThousandfoldNeedsNoMoreMemory) {
  const TempFolder folder;
  const std::string text(size_t{64} << 20, 'x');
  for (const std::string ending : {".gz", ".zst"}) {
    const std::string file = folder.file("a" + ending, compress(ending, text));
    const std::unique_ptr<ByteStream> stream = open_byte_stream(file);
    size_t size = 0;
    std::string piece(1 << 16, '\0');
    while (const size_t got = stream->read(piece.data(), piece.size())) size += got;
    EXPECT_EQ(size, text.size());
  }
}

TEST(ByteStreamTest, EveryTruncationIsAnError) {
  const TempFolder folder;
  const std::string text = sample(300);
  for (const std::string ending : {".gz", ".zst"}) {
    const std::string stored = compress(ending, text);
    for (size_t size = 0; size < stored.size(); ++size) {
      const std::string file = folder.file("a" + ending, stored.substr(0, size));
      expect_data_error(file, "is truncated", text);
      expect_data_error(file, "at byte " + std::to_string(size) + ";");
      // After a whole member, no bytes are a valid end.
      if (size == 0) continue;
      expect_data_error(folder.file("b" + ending, stored + stored.substr(0, size)), "is truncated",
                        text + text);
    }
  }
}

TEST(ByteStreamTest, LongTextsLoseNothingBeforeATruncation) {
  const TempFolder folder;
  const std::string text(size_t{3} << 20, 'x');  // much output from the last stored bytes
  for (const std::string ending : {".gz", ".zst"}) {
    const std::string stored = compress(ending, text);
    expect_data_error(folder.file("a" + ending, stored.substr(0, stored.size() - 1)),
                      "is truncated", text);
  }
}

// No checksum covers some fields of gzip's header: time, operating system and text flag.
TEST(ByteStreamTest, NoChangedByteGivesAnotherText) {
  const TempFolder folder;
  const std::string text = sample(300);
  for (const std::string ending : {".gz", ".zst"}) {
    const std::string stored = compress(ending, text);
    int num_errors = 0;
    for (size_t at = 0; at < stored.size(); ++at) {
      for (const int flip : {1, 16, 128, 255}) {
        std::string changed = stored;
        changed[at] = static_cast<char>(changed[at] ^ flip);
        const std::string file = folder.file("a" + ending, changed);
        try {
          EXPECT_EQ(read_all(file), text) << ending << " byte " << at;
        } catch (const DataError& problem) {
          EXPECT_THAT(problem.what(), AllOf(HasSubstr(file), HasSubstr("at byte ")));
          ++num_errors;
        }
      }
    }
    EXPECT_GT(num_errors, static_cast<int>(stored.size()) * 4 - 60);
  }
}

TEST(ByteStreamTest, WhatFollowsTheDataIsAnError) {
  const TempFolder folder;
  const std::string text = sample(1000);
  for (const std::string ending : {".gz", ".zst"}) {
    const std::string stored = compress(ending, text);
    for (const std::string& garbage : {std::string("\n"), std::string("garbage"),
                                       std::string(5, '\0'), std::string(200000, 'x')}) {
      expect_data_error(folder.file("a" + ending, stored + garbage),
                        "something else after its " +
                            std::string(ending == ".gz" ? "gzip" : "Zstandard") +
                            " data, at byte " + std::to_string(stored.size()),
                        text);
    }
  }
}

TEST(ByteStreamTest, AnotherFormatIsNamed) {
  const TempFolder folder;
  expect_data_error(folder.file("a.gz", "plain text"),
                    "is not a gzip file: no gzip header at byte 0");
  expect_data_error(folder.file("b.gz", zstd("x")), "is not a gzip file");
  expect_data_error(folder.file("c.gz",
                                "\x1f\x8c"
                                "1234567890"),
                    "is not a gzip file");
  expect_data_error(folder.file("a.zst", "plain text"),
                    "is not a Zstandard file: no Zstandard frame at byte 0");
  expect_data_error(folder.file("b.zst", gzip("x")), "is not a Zstandard file");
  expect_data_error(folder.file("c.zst",
                                "\x28\xb5\x2f\xfc"
                                "1234567890"),
                    "is not a Zstandard file");
  // A frame of Zstandard 0.7, which the library may accept.
  expect_data_error(folder.file("d.zst",
                                "\x27\xb5\x2f\xfd"
                                "1234567890"),
                    "is not a Zstandard file");
  EXPECT_EQ(read_all(folder.file("gz", "plain text")), "plain text");
}

TEST(ByteStreamTest, AWrongCheckIsNamed) {
  const TempFolder folder;
  std::string stored = gzip("hello");
  stored[stored.size() - 8] ^= 1;
  expect_data_error(folder.file("a.gz", stored), "is damaged: incorrect data check at byte");
  stored = gzip("hello");
  stored.back() ^= 1;
  expect_data_error(folder.file("a.gz", stored), "is damaged: incorrect length check at byte");
  stored = zstd("hello");
  stored.back() ^= 1;
  expect_data_error(folder.file("a.zst", stored),
                    "is damaged: Restored data doesn't match checksum at byte");
}

TEST(ByteStreamTest, AFrameThatHoldsLessThanItDeclaresIsDamagedHoweverItIsRead) {
  const TempFolder folder;
  // 17,640 bytes are declared; a block of 9,184 zeros and an empty one follow.
  const std::string file = folder.file(
      "a.zst", std::string("\x28\xb5\x2f\xfd\x60\xe8\x43\x02\x1f\x01\x00\x01\x00\x00", 14));
  expect_data_error(file,
                    "is damaged: its Zstandard frame does not hold what it declares, at byte 14");
  EXPECT_THROW(read_all(file, size_t{1} << 16), DataError);  // at once
}

TEST(ByteStreamTest, AWindowIsAtMost128MiB) {
  const TempFolder folder;
  EXPECT_EQ(read_all(folder.file("a.zst", zstd("hello", 27))), "hello");
  expect_data_error(folder.file("b.zst", zstd("hello", 28)), "window of more than 128 MiB");
  // A header alone that demands the largest possible window, 3.75 TiB.
  expect_data_error(
      folder.file("c.zst", zstd("x") + std::string("\x28\xb5\x2f\xfd\x00\xff\x01\x00\x00", 9)),
      "window of more than 128 MiB (zstd --long) at byte " + std::to_string(zstd("x").size()));
}

TEST(ByteStreamTest, WhatIsNoReadableFileIsNamed) {
  const TempFolder folder;
  for (const std::string& ending : kEndings) {
    expect_data_error((folder / ("none" + ending)).string(), "does not exist");
    std::filesystem::create_directory(folder / ("folder" + ending));
    expect_data_error((folder / ("folder" + ending)).string(), "is a folder, not a file");
    const std::string fifo = (folder / ("fifo" + ending)).string();
    ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
    expect_data_error(fifo, "is not a regular file");
  }
  expect_data_error(folder.file("a.txt", "x") + "/b.txt", "cannot be opened: Not a directory");
}

TEST(ByteStreamTest, AFileThatShrinksIsAnErrorAndOneThatGrowsIsNot) {
  const TempFolder folder;
  const std::string file = folder.file("a.txt", "0123456789");
  char piece[4];
  const std::unique_ptr<ByteStream> stream = open_byte_stream(file);
  ASSERT_EQ(stream->read(piece, 4), 4U);
  std::filesystem::resize_file(file, 6);
  EXPECT_EQ(stream->read(piece, 4), 2U);
  EXPECT_THROW(stream->read(piece, 4), DataError);

  const std::unique_ptr<ByteStream> other = open_byte_stream(file);
  folder.file("a.txt", "0123456789");
  std::string all;
  while (const size_t got = other->read(piece, 4)) all.append(piece, got);
  EXPECT_EQ(all, "012345");
}

// Replaces standard input while this object lives.
class StandardInput {
 public:
  explicit StandardInput(int descriptor) : saved_(::dup(STDIN_FILENO)) {
    ::dup2(descriptor, STDIN_FILENO);
    ::close(descriptor);
  }
  ~StandardInput() {
    ::dup2(saved_, STDIN_FILENO);
    ::close(saved_);
  }
  StandardInput(const StandardInput&) = delete;
  StandardInput& operator=(const StandardInput&) = delete;

 private:
  int saved_;
};

void ignore_signal(int) {}

TEST(ByteStreamTest, ReadsStandardInputInShortPiecesAndThroughSignals) {
  struct sigaction interrupting {};
  struct sigaction before {};
  interrupting.sa_handler = ignore_signal;  // without SA_RESTART
  ASSERT_EQ(::sigaction(SIGUSR1, &interrupting, &before), 0);
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const StandardInput input(ends[0]);
  const pthread_t reader = ::pthread_self();
  std::thread writer([&] {
    for (int i = 0; i < 50; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
      ::pthread_kill(reader, SIGUSR1);
      if (::write(ends[1], "abc", 3) != 3) break;
    }
    ::close(ends[1]);
  });
  std::string seen;
  std::string all = read_all("-", 1000, [&](std::string_view bytes) { seen += bytes; });
  writer.join();
  ::sigaction(SIGUSR1, &before, nullptr);
  std::string expected;
  for (int i = 0; i < 50; ++i) expected += "abc";
  EXPECT_EQ(all, expected);
  EXPECT_EQ(seen, expected);
}

TEST(ByteStreamTest, StandardInputIsTakenAsItIs) {
  const TempFolder folder;
  std::FILE* const file = std::fopen(folder.file("a.gz", gzip("x")).c_str(), "rb");
  const StandardInput input(::dup(::fileno(file)));
  std::fclose(file);
  EXPECT_EQ(read_all("-"), gzip("x"));
}

TEST(ByteStreamTest, StandardInputThatCannotBeReadIsNamed) {
  std::FILE* const folder = std::fopen("/", "rb");
  ASSERT_NE(folder, nullptr);
  const StandardInput input(::dup(::fileno(folder)));
  std::fclose(folder);
  try {
    read_all("-");
    FAIL();
  } catch (const DataError& problem) {
    EXPECT_STREQ(problem.what(), "standard input cannot be read: Is a directory");
  }
}

}  // namespace
}  // namespace pdl
