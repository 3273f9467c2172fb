#include "npy.h"

#include <sys/mman.h>
#include <unistd.h>

#include <bit>
#include <cerrno>
#include <cstring>
#include <new>
#include <utility>

#include "npy_header.h"
#include "pdl/base/error.h"
#include "pdl/base/file.h"
#include "pdl/base/unicode.h"

namespace pdl {
namespace {

static_assert(std::endian::native == std::endian::little, "the file is used as it lies in memory");

std::string shape_text(const std::vector<int64_t>& shape) {
  std::string text;
  for (const int64_t length : shape) text += (text.empty() ? "" : ", ") + std::to_string(length);
  return "(" + text + (shape.size() == 1 ? ",)" : ")");
}

// The file `stored` must be exactly as long as `header` says.
template <class Token>
TokenView view_of(std::string_view stored, const NpyHeader& header) {
  const std::string_view data = stored.substr(header.data_offset);
  const auto length = static_cast<uint64_t>(header.shape[0]);
  if (data.size() % sizeof(Token) != 0 || data.size() / sizeof(Token) != length) {
    throw DataError("has " + std::to_string(data.size()) + " bytes after its header, where " +
                    std::to_string(length) + " tokens of " + std::to_string(sizeof(Token)) +
                    " bytes should be; write it anew");
  }
  // The format pads the header to 64 bytes, in older versions to 16.
  if (header.data_offset % sizeof(Token) != 0) {
    throw DataError("has its array at byte " + std::to_string(header.data_offset) +
                    ", no multiple of " + std::to_string(sizeof(Token)) +
                    "; write it anew with numpy.save");
  }
  return std::span<const Token>(reinterpret_cast<const Token*>(data.data()), length);
}

TokenView parse(std::string_view stored) {
  const NpyHeader header = read_npy_header(stored);
  if (header.shape.size() != 1) {
    throw DataError("has the shape " + shape_text(header.shape) +
                    "; token ids are a one-dimensional array");
  }
  if (header.descr == "<u2") return view_of<uint16_t>(stored, header);
  if (header.descr == "<u4") return view_of<uint32_t>(stored, header);
  if (header.descr == "<i4") return view_of<int32_t>(stored, header);
  throw DataError("has the dtype '" + printable(header.descr) +
                  "'; use little-endian uint16, uint32 or int32 ('<u2', '<u4', '<i4')");
}

}  // namespace

TokenFile::TokenFile(const std::string& file) : file_(file) {
  try {
    map();
    tokens_ = parse(stored_);
  } catch (const DataError& problem) {
    unmap();
    throw DataError("file '" + file + "' " + problem.what());
  }
}

TokenFile::~TokenFile() { unmap(); }

void TokenFile::map() {
  int descriptor = -1;
  int64_t size = 0;
  const std::string problem = try_open_file(file_, descriptor, size);
  if (!problem.empty()) throw DataError(problem);
  const auto num_bytes = static_cast<size_t>(size);
  void* const memory =
      num_bytes == 0 ? nullptr : ::mmap(nullptr, num_bytes, PROT_READ, MAP_PRIVATE, descriptor, 0);
  const int error_number = errno;
  ::close(descriptor);
  if (memory == nullptr) throw DataError("is empty");
  if (memory == MAP_FAILED && error_number == ENOMEM) throw std::bad_alloc();
  if (memory == MAP_FAILED) {
    throw DataError(std::string("cannot be mapped into memory: ") + std::strerror(error_number));
  }
  stored_ = std::string_view(static_cast<const char*>(memory), num_bytes);
}

void TokenFile::unmap() noexcept {
  if (!stored_.empty()) ::munmap(const_cast<char*>(stored_.data()), stored_.size());
  stored_ = {};
}

int64_t TokenFile::size() const {
  return std::visit([](auto tokens) { return static_cast<int64_t>(tokens.size()); }, tokens_);
}

void TokenFile::copy(int64_t begin, std::span<int32_t> to) const {
  const auto copy_from = [&](auto tokens) {
    const auto from = tokens.subspan(static_cast<size_t>(begin), to.size());
    for (size_t i = 0; i < from.size(); ++i) {
      if (!std::in_range<int32_t>(from[i]) || from[i] < 0) {
        throw DataError("file '" + file_ + "': token " +
                        std::to_string(begin + static_cast<int64_t>(i)) + " is " +
                        std::to_string(from[i]) + ", no token id from 0 to 2147483647");
      }
      to[i] = static_cast<int32_t>(from[i]);
    }
  };
  std::visit(copy_from, tokens_);
}

}  // namespace pdl
