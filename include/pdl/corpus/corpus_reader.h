// Reads the files of a corpus in blocks of about a megabyte that can be processed independently.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "pdl/base/sha256.h"
#include "pdl/config/run_config.h"
#include "pdl/corpus/corpus_file.h"
#include "pdl/tokenizer/tokenizer.h"

namespace pdl {

class ByteStream;
class TokenFile;

// A piece of a file of the corpus, and where it is from.
struct CorpusBlock {
  int64_t index = 0;  // in the corpus
  size_t file = 0;    // index of its file
  CorpusFileKind kind = CorpusFileKind::kText;
  int64_t first_byte = 0;  // offset in the file's uncompressed content
  int64_t first_line = 1;
  std::string text;          // of text and JSON Lines; whole documents, except:
  std::vector<int32_t> ids;  // of .npy, >= 0
  // Whether the first document begins in this block and the last one ends in it. False where a file
  // that is one document spans several blocks.
  bool begins_document = true;
  bool ends_document = true;
};

// Gives the same blocks whenever a corpus is read: they depend on the files, the options and the
// tokenizer alone. Holds one block in memory, and as much of a file as is needed to find the next
// place where it may be cut. For one thread.
class CorpusReader {
 public:
  // `tokenizer` may be null if all files are .npy. `files` and `tokenizer` must outlive the reader.
  CorpusReader(const std::vector<std::string>& files, TextDocument document,
               const Tokenizer* tokenizer);
  ~CorpusReader();
  CorpusReader(const CorpusReader&) = delete;
  CorpusReader& operator=(const CorpusReader&) = delete;

  // Returns false after the last block. Throws DataError with file and byte or line for a file that
  // is missing, unreadable, empty, a damaged archive, looks like UTF-16 or UTF-32 instead of UTF-8,
  // or has a line of JSON Lines that is too long.
  bool next(CorpusBlock& block);

  // The SHA-256 of the lines "<SHA-256 of the file>\n", as `sha256sum FILES | cut -c1-64 |
  // sha256sum` prints it. Set after the last block.
  const std::string& sha256() const { return sha256_; }

  // Bytes of the files as stored, i.e. compressed: those read so far, and all that are known
  // beforehand.
  int64_t bytes_read() const { return bytes_read_; }
  int64_t total_bytes() const { return total_bytes_; }

 private:
  void open_file();
  void close_file();
  bool next_of_text(CorpusBlock& block);
  bool next_of_array(CorpusBlock& block);
  void read_piece();
  size_t find_cut();
  size_t find_cut_from(size_t from) const;
  void require_short_line() const;
  void require_utf8() const;

  const std::vector<std::string>& files_;
  TextDocument document_;
  const Tokenizer* tokenizer_;
  int64_t bytes_read_ = 0;
  int64_t total_bytes_ = 0;
  int64_t next_index_ = 0;
  Sha256 corpus_hash_;
  std::string sha256_;

  // Index of the open file.
  size_t file_ = 0;
  CorpusFileKind kind_ = CorpusFileKind::kText;
  std::unique_ptr<ByteStream> stream_;
  std::unique_ptr<TokenFile> array_;
  Sha256 file_hash_;
  std::string buffer_;  // read and not yet in a block
  bool at_end_ = false;
  int64_t next_byte_ = 0;
  int64_t next_line_ = 1;
};

}  // namespace pdl
