#include "pdl/tensors/write_tensors.h"

#include <condition_variable>
#include <deque>
#include <future>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "pdl/base/file.h"
#include "pdl/base/sha256.h"
#include "pdl/safetensors/header.h"
#include "safetensors_dtype.h"

namespace pdl {
namespace {

// Hashes pieces in the order of add() on another thread, while this one waits for the disk.
class BackgroundSha256 {
 public:
  BackgroundSha256() : digest_(std::async(std::launch::async, [this] { return run(); })) {}
  // Drops pieces that are not hashed yet.
  ~BackgroundSha256() {
    const std::lock_guard lock(mutex_);
    pieces_.clear();
    no_more_ = true;
    changed_.notify_all();
  }
  BackgroundSha256(const BackgroundSha256&) = delete;
  BackgroundSha256& operator=(const BackgroundSha256&) = delete;

  // The bytes must stay valid until wait() or finish() has returned.
  void add(std::string_view bytes) {
    const std::lock_guard lock(mutex_);
    pieces_.push_back(bytes);
    changed_.notify_all();
  }
  // Waits until no piece is needed any more.
  void wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return failed_ || (pieces_.empty() && !is_hashing_); });
  }
  std::string finish() {
    {
      const std::lock_guard lock(mutex_);
      no_more_ = true;
      changed_.notify_all();
    }
    return digest_.get();
  }

 private:
  std::string run();
  std::optional<std::string_view> next();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::string_view> pieces_;
  bool is_hashing_ = false;
  bool no_more_ = false;
  bool failed_ = false;
  std::future<std::string> digest_;  // last: its thread uses the other members
};

std::string BackgroundSha256::run() {
  try {
    Sha256 hash;
    while (const auto piece = next()) hash.update(*piece);
    return hash.finish();
  } catch (...) {
    const std::lock_guard lock(mutex_);
    failed_ = true;
    changed_.notify_all();
    throw;
  }
}

// Waits for the next piece; returns none after the last.
std::optional<std::string_view> BackgroundSha256::next() {
  std::unique_lock lock(mutex_);
  is_hashing_ = false;
  changed_.notify_all();
  changed_.wait(lock, [this] { return no_more_ || !pieces_.empty(); });
  if (pieces_.empty()) return std::nullopt;
  const std::string_view piece = pieces_.front();
  pieces_.pop_front();
  is_hashing_ = true;
  return piece;
}

SafetensorsEntry entry_of(const TensorSlice& slice) {
  SafetensorsEntry entry{slice.name, safetensors_dtype(slice.tensor.scalar_type()),
                         slice.global_shape};
  const int64_t size = slice.tensor.numel();
  if (size != num_elements(slice.global_shape)) {
    entry.part = ElementRange{slice.begin, slice.begin + size};
  }
  return entry;
}

// tensor_of(i) gives the elements of entry i.
template <class TensorOf>
FileDigest write_file(const std::filesystem::path& path, std::vector<SafetensorsEntry> entries,
                      const TensorOf& tensor_of) {
  const std::string header = encode_safetensors_header(entries);
  at::Tensor host;  // outlives the thread that hashes it
  BackgroundSha256 hash;
  FileDigest digest;
  NewFile file(path);
  const auto write = [&](std::string_view bytes) {
    hash.add(bytes);
    file.write(bytes);
    digest.size += std::ssize(bytes);
  };
  write(header);
  for (size_t i = 0; i < entries.size(); ++i) {
    host = tensor_of(i).cpu().contiguous();
    write({static_cast<const char*>(host.const_data_ptr()), host.nbytes()});
    // The next tensor may reuse the memory of this one.
    if (host.use_count() == 1 && host.storage().use_count() == 1) hash.wait();
  }
  file.close();
  digest.sha256 = hash.finish();
  return digest;
}

}  // namespace

bool can_be_saved(const at::Tensor& tensor) {
  return tensor.layout() == at::kStrided && has_safetensors_dtype(tensor.scalar_type());
}

FileDigest write_tensors(const std::filesystem::path& path, std::span<const TensorSlice> slices) {
  std::vector<SafetensorsEntry> entries;
  for (const TensorSlice& slice : slices) entries.push_back(entry_of(slice));
  return write_file(path, std::move(entries), [&](size_t i) { return slices[i].tensor.detach(); });
}

FileDigest write_tensors(const std::filesystem::path& path, std::span<const TensorSource> sources) {
  std::vector<SafetensorsEntry> entries;
  for (const TensorSource& source : sources)
    entries.push_back({source.name, safetensors_dtype(source.dtype), source.shape});
  return write_file(path, std::move(entries), [&](size_t i) { return sources[i].make(); });
}

}  // namespace pdl
