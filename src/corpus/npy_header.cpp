#include "npy_header.h"

#include <algorithm>
#include <charconv>
#include <set>
#include <system_error>

#include "pdl/base/error.h"
#include "pdl/base/unicode.h"

namespace pdl {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr size_t kVersionBytes = 2;
constexpr size_t kMaxHeaderBytes = size_t{64} << 10;
constexpr size_t kMaxDimensions = 64;  // NumPy's own limit

// Reads the Python literal {'descr': '<u2', 'fortran_order': False, 'shape': (3,), } and the spaces
// after it; nothing else that Python would accept.
class HeaderParser {
 public:
  // `begin` is the offset of `text` in the file.
  HeaderParser(std::string_view text, size_t begin) : text_(text), begin_(begin) {}

  NpyHeader parse() {
    NpyHeader header;
    std::set<std::string> keys;
    expect('{');
    while (!accept('}')) {
      const size_t key_at = at_;
      const std::string key = string();
      if (!keys.insert(key).second) fail_at(key_at, "the key '" + key + "' again");
      expect(':');
      if (key == "descr") {
        header.descr = descr();
      } else if (key == "fortran_order") {
        fortran_order();
      } else if (key == "shape") {
        header.shape = shape();
      } else {
        fail_at(key_at, "the unknown key '" + printable(key) + "'");
      }
      if (!accept(',')) {
        expect('}');
        break;
      }
    }
    skip_blanks();
    if (at_ != text_.size()) fail("something after the dictionary");
    if (keys.size() != 3) fail("no 'descr', 'fortran_order' and 'shape'");
    return header;
  }

 private:
  [[noreturn]] void fail(const std::string& found) const { fail_at(at_, found); }
  [[noreturn]] void fail_at(size_t at, const std::string& found) const {
    throw DataError("is not a NumPy file that can be read: its header has " + found + " at byte " +
                    std::to_string(begin_ + at));
  }

  void skip_blanks() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n')) ++at_;
  }

  bool accept(char wanted) {
    skip_blanks();
    if (at_ == text_.size() || text_[at_] != wanted) return false;
    ++at_;
    return true;
  }

  void expect(char wanted) {
    if (!accept(wanted)) fail("no '" + std::string(1, wanted) + "'");
  }

  // Escapes are not read, because no dtype or key has any.
  std::string string() {
    skip_blanks();
    const char quote = at_ < text_.size() ? text_[at_] : '\0';
    if (quote != '\'' && quote != '"') fail("no string");
    const size_t end = text_.find(quote, at_ + 1);
    if (end == std::string_view::npos) fail("a string without an end");
    std::string value(text_.substr(at_ + 1, end - at_ - 1));
    if (value.find('\\') != std::string::npos) fail("an escape");
    at_ = end + 1;
    return value;
  }

  // The dtype of a structured array is a list.
  std::string descr() {
    skip_blanks();
    if (at_ < text_.size() && text_[at_] == '[') fail("a structured dtype");
    return string();
  }

  void fortran_order() {  // either value: one dimension has one order
    skip_blanks();
    for (const std::string_view word : {"True", "False"}) {
      if (text_.substr(at_).starts_with(word)) {
        at_ += word.size();
        return;
      }
    }
    fail("neither True nor False");
  }

  std::vector<int64_t> shape() {
    std::vector<int64_t> lengths;
    expect('(');
    while (!accept(')')) {
      if (lengths.size() == kMaxDimensions) fail("too many dimensions");
      lengths.push_back(integer());
      if (accept(',')) continue;
      // (3) is a number, not a tuple.
      if (lengths.size() < 2) fail("no ','");
      expect(')');
      break;
    }
    return lengths;
  }

  int64_t integer() {
    skip_blanks();
    const char* const begin = text_.data() + at_;
    const char* const end = text_.data() + text_.size();
    int64_t value = 0;
    const auto result = std::from_chars(begin, end, value);
    if (result.ec == std::errc::result_out_of_range) fail("a length that is too large");
    const bool has_leading_zero = result.ptr - begin > 1 && *begin == '0';
    if (result.ec != std::errc{} || value < 0 || has_leading_zero) fail("no length");
    at_ += static_cast<size_t>(result.ptr - begin);
    return value;
  }

  std::string_view text_;
  size_t begin_;
  size_t at_ = 0;
};

uint64_t little_endian(std::string_view bytes) {
  uint64_t value = 0;
  for (size_t i = bytes.size(); i-- > 0;) {
    value = value << 8 | static_cast<unsigned char>(bytes[i]);
  }
  return value;
}

}  // namespace

NpyHeader read_npy_header(std::string_view bytes) {
  const auto require = [&](size_t size) {
    if (bytes.size() < size) {
      throw DataError("is truncated: its NumPy header needs " + std::to_string(size) +
                      " bytes, the file has " + std::to_string(bytes.size()));
    }
  };
  if (!bytes.starts_with(kMagic.substr(0, std::min(bytes.size(), kMagic.size()))) ||
      bytes.empty()) {
    throw DataError("is not a NumPy file: byte 0 does not begin \\x93NUMPY");
  }
  require(kMagic.size() + kVersionBytes);
  const int major = static_cast<unsigned char>(bytes[kMagic.size()]);
  const int minor = static_cast<unsigned char>(bytes[kMagic.size() + 1]);
  if (major < 1 || major > 3 || minor != 0) {
    throw DataError("is of NumPy format " + std::to_string(major) + "." + std::to_string(minor) +
                    " (byte " + std::to_string(kMagic.size()) + "); use 1.0, 2.0 or 3.0");
  }
  const size_t length_bytes = major == 1 ? 2 : 4;
  const size_t length_at = kMagic.size() + kVersionBytes;
  const size_t header_at = length_at + length_bytes;
  require(header_at);
  const uint64_t length = little_endian(bytes.substr(length_at, length_bytes));
  if (length > kMaxHeaderBytes) {
    throw DataError("is not a token array: its NumPy header of " + std::to_string(length) +
                    " bytes (byte " + std::to_string(length_at) + ") is longer than " +
                    std::to_string(kMaxHeaderBytes));
  }
  const size_t data_offset = header_at + static_cast<size_t>(length);
  require(data_offset);
  NpyHeader header =
      HeaderParser(bytes.substr(header_at, static_cast<size_t>(length)), header_at).parse();
  header.data_offset = data_offset;
  return header;
}

}  // namespace pdl
