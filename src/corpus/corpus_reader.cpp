#include "pdl/corpus/corpus_reader.h"

#include <sys/stat.h>

#include <algorithm>

#include "byte_stream.h"
#include "npy.h"
#include "pdl/base/error.h"
#include "pdl/corpus/jsonl.h"
#include "wide_encoding.h"

namespace pdl {
namespace {

constexpr size_t kBlockBytes = size_t{1} << 20;
constexpr size_t kPieceBytes = size_t{1} << 18;
constexpr int64_t kBlockIds = int64_t{1} << 18;
// A place where a document may be cut is recognised by this many bytes around it. A blank line with
// more spaces than that is missed, and the next one is used.
constexpr size_t kContextBytes = 256;

int64_t size_on_disk(const std::string& file) {
  struct stat status {};
  return ::stat(file.c_str(), &status) == 0 && S_ISREG(status.st_mode) ? status.st_size : 0;
}

// Returns the place after the first blank line at or after `from` that has a line before it.
size_t find_blank_line(std::string_view text, size_t from) {
  for (size_t end = text.find('\n', from); end != std::string_view::npos;
       end = text.find('\n', end + 1)) {
    const size_t next = text.find_first_not_of(" \t\r", end + 1);
    if (next == std::string_view::npos) return next;
    if (text[next] == '\n') return next + 1;
  }
  return std::string_view::npos;
}

}  // namespace

CorpusReader::CorpusReader(const std::vector<std::string>& files, TextDocument document,
                           const Tokenizer* tokenizer)
    : files_(files), document_(document), tokenizer_(tokenizer) {
  for (const std::string& file : files) total_bytes_ += size_on_disk(file);
}

CorpusReader::~CorpusReader() = default;

bool CorpusReader::next(CorpusBlock& block) {
  while (file_ < files_.size()) {
    if (!stream_ && !array_) open_file();
    block = {};
    block.index = next_index_;
    block.file = file_;
    block.kind = kind_;
    block.first_byte = next_byte_;
    block.first_line = next_line_;
    if (array_ ? next_of_array(block) : next_of_text(block)) {
      ++next_index_;
      return true;
    }
    close_file();
  }
  if (sha256_.empty()) sha256_ = corpus_hash_.finish();
  return false;
}

void CorpusReader::open_file() {
  const std::string& file = files_[file_];
  kind_ = corpus_file_kind(file);
  file_hash_ = Sha256();
  buffer_.clear();
  at_end_ = false;
  next_byte_ = 0;
  next_line_ = 1;
  if (kind_ == CorpusFileKind::kTokens) {
    array_ = std::make_unique<TokenFile>(file);
    return;
  }
  stream_ = open_byte_stream(file, [this](std::string_view stored) {
    file_hash_.update(stored);
    bytes_read_ += static_cast<int64_t>(stored.size());
  });
}

void CorpusReader::close_file() {
  if (next_byte_ == 0) {
    throw DataError((array_ ? "token file '" : "text file '") + files_[file_] + "' is empty");
  }
  if (array_) {
    file_hash_.update(array_->stored_bytes());
    bytes_read_ += static_cast<int64_t>(array_->stored_bytes().size());
  }
  corpus_hash_.update(file_hash_.finish() + "\n");
  stream_.reset();
  array_.reset();
  ++file_;
}

bool CorpusReader::next_of_array(CorpusBlock& block) {
  const int64_t begin = next_byte_;  // counts ids here
  if (begin == array_->size()) return false;
  const int64_t end = std::min(array_->size(), begin + kBlockIds);
  block.ids.resize(static_cast<size_t>(end - begin));
  array_->copy(begin, block.ids);
  block.begins_document = begin == 0;
  block.ends_document = end == array_->size();
  next_byte_ = end;
  return true;
}

bool CorpusReader::next_of_text(CorpusBlock& block) {
  const size_t cut = find_cut();
  if (cut == 0) return false;
  if (kind_ == CorpusFileKind::kText && document_ == TextDocument::kFile) {
    block.begins_document = next_byte_ == 0;
    block.ends_document = cut == buffer_.size() && at_end_;
  }
  block.text.swap(buffer_);
  buffer_.assign(block.text, cut);
  block.text.resize(cut);
  next_byte_ += static_cast<int64_t>(cut);
  next_line_ += std::count(block.text.begin(), block.text.end(), '\n');
  return true;
}

// Fills the buffer as far as necessary to find where the next block ends in it.
size_t CorpusReader::find_cut() {
  size_t from = kBlockBytes;
  while (true) {
    while (!at_end_ && buffer_.size() < from + kContextBytes) read_piece();
    const size_t cut = buffer_.size() > kBlockBytes ? find_cut_from(from) : std::string::npos;
    if (cut != std::string::npos) return cut;
    if (at_end_) return buffer_.size();
    if (kind_ == CorpusFileKind::kJsonl) require_short_line();
    from = buffer_.size() - kContextBytes;
    read_piece();
  }
}

size_t CorpusReader::find_cut_from(size_t from) const {
  if (kind_ == CorpusFileKind::kJsonl || document_ == TextDocument::kLine) {
    const size_t end = buffer_.find('\n', from);
    return end == std::string::npos ? end : end + 1;
  }
  if (document_ == TextDocument::kParagraph) return find_blank_line(buffer_, from);
  return tokenizer_->has_words() ? tokenizer_->find_cut(buffer_, from) : std::string::npos;
}

// The last line in the buffer is not complete yet.
void CorpusReader::require_short_line() const {
  const size_t begin = buffer_.rfind('\n') + 1;  // npos + 1 is 0
  if (buffer_.size() - begin <= kMaxRecordBytes) return;
  const int64_t line = next_line_ + std::count(buffer_.begin(), buffer_.end(), '\n');
  throw DataError("'" + files_[file_] + "', line " + std::to_string(line) + ": has more than " +
                  std::to_string(kMaxRecordBytes >> 20) + " MB");
}

// Reads the same number of bytes every time, except at the end, so that blocks do not depend on how
// a pipe is filled.
void CorpusReader::read_piece() {
  const size_t before = buffer_.size();
  buffer_.resize(before + kPieceBytes);
  size_t size = before;
  while (size < buffer_.size()) {
    const size_t got = stream_->read(buffer_.data() + size, buffer_.size() - size);
    if (got == 0) break;
    size += got;
  }
  at_end_ = size < buffer_.size();
  buffer_.resize(size);
  if (next_byte_ == 0 && before == 0) require_utf8();
}

// Text of two or four bytes a character would be taken for UTF-8 with a NUL beside each letter.
void CorpusReader::require_utf8() const {
  const std::string encoding(wide_encoding_of(buffer_));
  if (encoding.empty()) return;
  throw DataError("text file '" + files_[file_] + "' looks like " + encoding +
                  "; convert it to UTF-8, e.g. with iconv -f " + encoding + " -t UTF-8");
}

}  // namespace pdl
