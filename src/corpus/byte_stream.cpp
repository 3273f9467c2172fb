#include "byte_stream.h"

#define ZLIB_CONST  // makes zlib's input const
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include <algorithm>
#include <cstdint>
#include <new>
#include <string>
#include <utility>

#include "stored_bytes.h"

namespace pdl {
namespace {

constexpr size_t kPieceBytes = size_t{1} << 17;

class PlainStream final : public ByteStream {
 public:
  PlainStream(const std::string& file, StoredBytesObserver observer)
      : stored_(file, std::move(observer)) {}

  size_t read(char* to, size_t size) override { return stored_.read(to, size); }

 private:
  StoredBytes stored_;
};

// A piece of the compressed file, and how much of it has been decompressed.
class CompressedInput {
 public:
  CompressedInput(const std::string& file, StoredBytesObserver observer)
      : stored_(file, std::move(observer)), piece_(kPieceBytes, '\0') {}

  // Returns the bytes that are not yet consumed; none if the file has ended.
  std::string_view fill() {
    if (at_ == end_) {
      piece_offset_ += static_cast<int64_t>(end_);
      at_ = 0;
      end_ = stored_.read(piece_.data(), piece_.size());
    }
    return std::string_view(piece_).substr(at_, end_ - at_);
  }
  void consume(size_t size) { at_ += size; }
  // The offset of the next byte in the compressed file.
  int64_t offset() const { return piece_offset_ + static_cast<int64_t>(at_); }

  [[noreturn]] void fail(const std::string& problem, int64_t offset) const {
    stored_.fail(problem + " at byte " + std::to_string(offset) +
                 "; compress the original again or fetch the file anew");
  }

 private:
  StoredBytes stored_;
  std::string piece_;
  size_t at_ = 0;
  size_t end_ = 0;
  int64_t piece_offset_ = 0;
};

class GzipStream final : public ByteStream {
 public:
  GzipStream(const std::string& file, StoredBytesObserver observer)
      : input_(file, std::move(observer)) {
    constexpr int kGzipOnly = 16;
    if (::inflateInit2(&state_, MAX_WBITS + kGzipOnly) != Z_OK) throw std::bad_alloc();
  }
  ~GzipStream() override { ::inflateEnd(&state_); }

  size_t read(char* to, size_t size) override {
    state_.next_out = reinterpret_cast<Bytef*>(to);
    state_.avail_out = static_cast<uInt>(std::min(size, kMaxStepBytes));
    const uInt room = state_.avail_out;
    while (state_.avail_out == room) {
      const std::string_view stored = input_.fill();
      if (stored.empty()) {
        if (!in_member_ && num_members_ > 0) return 0;
        input_.fail("is truncated: its gzip data end early,", input_.offset());
      }
      if (!in_member_) begin_member(stored);
      inflate(stored);
    }
    return room - state_.avail_out;
  }

 private:
  static constexpr size_t kMaxStepBytes = size_t{1} << 30;  // zlib counts in 32 bits
  static constexpr int64_t kHeaderBytes = 10;

  void begin_member(std::string_view stored) {
    constexpr char kFirstMagicByte = 0x1f;
    member_offset_ = input_.offset();
    if (stored.front() != kFirstMagicByte) fail_no_member();
    ::inflateReset(&state_);
    in_member_ = true;
  }

  void inflate(std::string_view stored) {
    state_.next_in = reinterpret_cast<const Bytef*>(stored.data());
    state_.avail_in = static_cast<uInt>(stored.size());
    const int status = ::inflate(&state_, Z_NO_FLUSH);
    input_.consume(stored.size() - state_.avail_in);
    if (status == Z_MEM_ERROR) throw std::bad_alloc();
    if (status == Z_STREAM_END) {
      in_member_ = false;
      ++num_members_;
    } else if (status != Z_OK && status != Z_BUF_ERROR) {
      fail_damaged(status);
    }
  }

  [[noreturn]] void fail_no_member() const {
    input_.fail(num_members_ == 0 ? "is not a gzip file: no gzip header"
                                  : "has something else after its gzip data,",
                member_offset_);
  }

  [[noreturn]] void fail_damaged(int status) const {
    if (input_.offset() - member_offset_ < kHeaderBytes) fail_no_member();
    const std::string reason = state_.msg != nullptr ? state_.msg : ::zError(status);
    input_.fail("is damaged: " + reason, input_.offset());
  }

  CompressedInput input_;
  z_stream state_{};
  bool in_member_ = false;
  int64_t num_members_ = 0;  // that ended
  int64_t member_offset_ = 0;
};

class ZstdStream final : public ByteStream {
 public:
  ZstdStream(const std::string& file, StoredBytesObserver observer)
      : input_(file, std::move(observer)), state_(::ZSTD_createDCtx()) {
    if (!state_) throw std::bad_alloc();
    ::ZSTD_DCtx_setParameter(state_.get(), ZSTD_d_windowLogMax, kMaxWindowLog);
  }

  size_t read(char* to, size_t size) override {
    ZSTD_outBuffer out{to, size, 0};
    while (out.pos == 0) {
      const std::string_view stored = input_.fill();
      if (stored.empty() && !in_frame_ && num_frames_ > 0) return 0;
      if (!in_frame_) begin_frame(stored);
      decompress(stored, out);
      // Even without input there may be output that did not fit before.
      if (stored.empty() && out.pos == 0 && in_frame_) {
        input_.fail("is truncated: its Zstandard data end early,", input_.offset());
      }
    }
    return out.pos;
  }

 private:
  static constexpr size_t kMaxFrameHeaderBytes = 18;
  static constexpr int kMaxWindowLog = 27;  // 128 MiB, the limit of `zstd -d`

  // The library also accepts the formats before Zstandard 1.0, which ignore the window limit. They
  // differ in the first byte.
  void begin_frame(std::string_view stored) {
    frame_offset_ = input_.offset();
    frame_header_.clear();
    frame_content_bytes_ = 0;
    if (stored.empty()) return;
    const auto first = static_cast<unsigned char>(stored.front());
    const bool is_frame = first == 0x28;
    const bool is_skippable_frame = (first & 0xf0) == 0x50;
    if (!is_frame && !is_skippable_frame) fail_no_frame();
  }

  void decompress(std::string_view stored, ZSTD_outBuffer& out) {
    ZSTD_inBuffer in{stored.data(), stored.size(), 0};
    const size_t before = out.pos;
    const size_t status = ::ZSTD_decompressStream(state_.get(), &out, &in);
    input_.consume(in.pos);
    if (::ZSTD_isError(status) != 0) fail_damaged(status);
    frame_header_ +=
        stored.substr(0, std::min(in.pos, kMaxFrameHeaderBytes - frame_header_.size()));
    frame_content_bytes_ += out.pos - before;
    in_frame_ = status != 0;
    if (!in_frame_) end_frame();
  }

  // The library compares a frame's declared size with its content only if all of it fits into the
  // buffer at once.
  void end_frame() {
    const auto declared = ::ZSTD_getFrameContentSize(frame_header_.data(), frame_header_.size());
    const bool is_known =
        declared != ZSTD_CONTENTSIZE_UNKNOWN && declared != ZSTD_CONTENTSIZE_ERROR;
    if (is_known && declared != frame_content_bytes_) {
      input_.fail("is damaged: its Zstandard frame does not hold what it declares,",
                  input_.offset());
    }
    ++num_frames_;
  }

  [[noreturn]] void fail_no_frame() const {
    input_.fail(num_frames_ == 0 ? "is not a Zstandard file: no Zstandard frame"
                                 : "has something else after its Zstandard data,",
                frame_offset_);
  }

  [[noreturn]] void fail_damaged(size_t status) const {
    switch (::ZSTD_getErrorCode(status)) {
      case ZSTD_error_memory_allocation:
        throw std::bad_alloc();
      case ZSTD_error_frameParameter_windowTooLarge:
        input_.fail("needs a window of more than 128 MiB (zstd --long)", frame_offset_);
      case ZSTD_error_prefix_unknown:
        fail_no_frame();
      default:
        input_.fail(std::string("is damaged: ") + ::ZSTD_getErrorName(status), input_.offset());
    }
  }

  struct Free {
    void operator()(ZSTD_DCtx* state) const { ::ZSTD_freeDCtx(state); }
  };

  CompressedInput input_;
  std::unique_ptr<ZSTD_DCtx, Free> state_;
  bool in_frame_ = false;
  int64_t num_frames_ = 0;  // that ended
  int64_t frame_offset_ = 0;
  std::string frame_header_;  // the first bytes of the frame
  uint64_t frame_content_bytes_ = 0;
};

}  // namespace

std::unique_ptr<ByteStream> open_byte_stream(const std::string& file,
                                             StoredBytesObserver on_stored_bytes) {
  if (file.ends_with(".gz")) {
    return std::make_unique<GzipStream>(file, std::move(on_stored_bytes));
  }
  if (file.ends_with(".zst")) {
    return std::make_unique<ZstdStream>(file, std::move(on_stored_bytes));
  }
  return std::make_unique<PlainStream>(file, std::move(on_stored_bytes));
}

}  // namespace pdl
