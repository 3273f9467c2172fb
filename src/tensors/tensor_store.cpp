#include "pdl/tensors/tensor_store.h"

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <set>
#include <span>
#include <utility>

#include "pdl/base/error.h"
#include "pdl/base/unicode.h"
#include "pdl/safetensors/index.h"
#include "safetensors_dtype.h"

#ifndef _OPENMP
#error "at::parallel_for runs in one thread in a file that is compiled without -fopenmp"
#endif

namespace pdl {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kIndexEnding = ".index.json";
// Threads read pieces of this size. Elements that are cast or copied to a device pass through a
// buffer of it, which for a cast stays in a near cache.
constexpr int64_t kPieceBytes = int64_t{1} << 18;
constexpr int64_t kDevicePieceBytes = int64_t{1} << 22;

std::string in_quotes(std::string_view name) { return "'" + printable(name) + "'"; }

std::span<char> bytes_of(const at::Tensor& tensor) {
  return {static_cast<char*>(tensor.mutable_data_ptr()), tensor.nbytes()};
}

}  // namespace

std::string describe(const TensorInfo& info) {
  std::string shape;
  for (const int64_t size : info.shape) shape += (shape.empty() ? "" : ", ") + std::to_string(size);
  return std::string(safetensors_dtype(info.dtype)) + " [" + shape + "]";
}

TensorStore::TensorStore(const fs::path& path, Thrower thrower)
    : thrower_(thrower), name_(path.string()) {
  if (name_.ends_with(kIndexEnding)) {
    add_index(path);
  } else {
    add_file(path, [](const std::string&) { return true; });
  }
  require_whole_tensors();
}

TensorStore::TensorStore(const std::vector<fs::path>& paths, Thrower thrower) : thrower_(thrower) {
  for (const fs::path& path : paths) add_file(path, [](const std::string&) { return true; });
  name_ = files_.front().name;
  if (files_.size() > 1) name_ += " to " + paths.back().filename().string();
  require_whole_tensors();
}

void TensorStore::fail(const std::string& message) const {
  thrower_(message);
  throw Error(ExitCode::kInternal, message);  // not reached
}

void TensorStore::add_index(const fs::path& path) {
  SafetensorsIndex index;
  const std::string problem = try_read_safetensors_index(path, index);
  if (!problem.empty()) fail("'" + name_ + "' " + problem);
  std::set<std::string> files;
  for (const auto& [tensor, file] : index.weight_map) files.insert(file);
  for (const std::string& file : files) {
    add_file(path.parent_path() / file, [&](const std::string& tensor) {
      const auto found = index.weight_map.find(tensor);
      return found != index.weight_map.end() && found->second == file;
    });
  }
  for (const auto& [tensor, file] : index.weight_map) {
    if (!contains(tensor)) {
      fail("'" + name_ + "' says that " + in_quotes(tensor) + " is in '" + file +
           "', where it is not");
    }
  }
}

void TensorStore::add_file(const fs::path& path,
                           const std::function<bool(const std::string& tensor)>& is_wanted) {
  File& file = files_.emplace_back(File{path.string(), {}});
  SafetensorsHeader header;
  std::string problem = file.content.try_open(path);
  if (problem.empty()) problem = try_read_safetensors_header(file.content, header);
  if (!problem.empty()) {
    const bool is_of_index = name_.ends_with(kIndexEnding);
    fail("'" + file.name + "' " + problem + (is_of_index ? "; '" + name_ + "' names it" : ""));
  }
  for (const SafetensorsEntry& entry : header.entries) {
    if (is_wanted(entry.name)) add_entry(entry, header.data_begin);
  }
}

void TensorStore::add_entry(const SafetensorsEntry& entry, int64_t data_begin) {
  const TensorInfo info{scalar_type_of(entry.dtype), entry.shape};
  const auto [found, is_new] = tensors_.try_emplace(entry.name, Stored{info, {}});
  Stored& stored = found->second;
  if (stored.info != info) {
    fail("'" + files_.back().name + "' has " + in_quotes(entry.name) + " as " + describe(info) +
         ", and '" + files_[stored.parts.front().file].name + "' as " + describe(stored.info));
  }
  stored.parts.push_back(
      {.file = files_.size() - 1,
       .elements = entry.part.value_or(ElementRange{0, num_elements(entry.shape)}),
       .begin_bytes = data_begin + entry.begin_bytes});
}

void TensorStore::require_whole_tensors() {
  for (auto& [tensor, stored] : tensors_) {
    std::vector<Part>& parts = stored.parts;
    std::sort(parts.begin(), parts.end(), [](const Part& a, const Part& b) {
      return std::pair(a.elements.begin, a.elements.end) <
             std::pair(b.elements.begin, b.elements.end);
    });
    int64_t covered = 0;
    for (const Part& part : parts) {
      if (part.elements.begin == part.elements.end) continue;
      if (part.elements.begin != covered) {
        const bool twice = part.elements.begin < covered;
        fail("'" + files_[part.file].name + "' has elements of " + in_quotes(tensor) + " from " +
             std::to_string(part.elements.begin) + " on, but those before it " +
             (twice ? "overlap with it" : "end at " + std::to_string(covered)));
      }
      covered = part.elements.end;
    }
    if (covered != num_elements(stored.info.shape)) {
      fail("'" + name_ + "' has " + std::to_string(covered) + " elements of " + in_quotes(tensor) +
           ", which is " + describe(stored.info));
    }
  }
}

std::vector<std::string> TensorStore::names() const {
  std::vector<std::string> names;
  for (const auto& [name, stored] : tensors_) names.push_back(name);
  return names;
}

std::vector<std::string> TensorStore::files() const {
  std::vector<std::string> paths;
  for (const File& file : files_) paths.push_back(file.name);
  return paths;
}

const TensorStore::Stored& TensorStore::find(std::string_view name) const {
  const auto found = tensors_.find(name);
  if (found == tensors_.end()) fail("'" + name_ + "' has no tensor " + in_quotes(name));
  return found->second;
}

TensorInfo TensorStore::info(std::string_view name) const { return find(name).info; }

void TensorStore::require_fit(const Stored& stored, const TensorSlice& slice) const {
  const TensorInfo wanted{slice.tensor.scalar_type(), slice.global_shape};
  const bool is_cast = at::isFloatingType(wanted.dtype) && at::isFloatingType(stored.info.dtype);
  if (stored.info.shape != wanted.shape || (stored.info.dtype != wanted.dtype && !is_cast)) {
    fail("'" + name_ + "' has " + in_quotes(slice.name) + " as " + describe(stored.info) +
         ", which cannot be read as " + describe(wanted));
  }
  if (slice.begin < 0 || slice.begin > num_elements(wanted.shape) - slice.tensor.numel()) {
    fail("elements " + std::to_string(slice.begin) + " to " +
         std::to_string(slice.begin + slice.tensor.numel()) + " of " + in_quotes(slice.name) +
         " are not inside " + describe(wanted));
  }
}

void TensorStore::read(const TensorSlice& into) const {
  const Stored& stored = find(into.name);
  require_fit(stored, into);
  const at::NoGradGuard no_grad;
  const at::Tensor target = into.tensor.detach();
  const bool lies_in_order = target.is_contiguous();
  const at::Tensor flat =
      lies_in_order ? target.view(-1) : at::empty({target.numel()}, target.options());
  for (const Part& part : stored.parts) {
    const ElementRange common{std::max(part.elements.begin, into.begin),
                              std::min(part.elements.end, into.begin + flat.numel())};
    if (common.begin >= common.end) continue;
    read_elements(part, common, stored.info.dtype,
                  flat.narrow(0, common.begin - into.begin, common.end - common.begin));
  }
  if (!lies_in_order) target.copy_(flat.view(target.sizes()));
}

// Copies `elements`, which are all in `part`, into a flat tensor.
void TensorStore::read_elements(const Part& part, ElementRange elements, at::ScalarType dtype,
                                const at::Tensor& to) const {
  const File& file = files_[part.file];
  const auto element_bytes = static_cast<int64_t>(c10::elementSize(dtype));
  const int64_t begin_bytes =
      part.begin_bytes + (elements.begin - part.elements.begin) * element_bytes;
  const bool is_read_in_place = to.is_cpu() && to.scalar_type() == dtype;
  const int64_t piece = (to.is_cpu() ? kPieceBytes : kDevicePieceBytes) / element_bytes;
  const int64_t num_pieces = (to.numel() + piece - 1) / piece;
  at::parallel_for(0, num_pieces, /*grain_size=*/1, [&](int64_t first, int64_t end) {
    at::Tensor staging;
    if (!is_read_in_place) staging = at::empty({std::min(piece, to.numel())}, at::dtype(dtype));
    for (int64_t i = first; i < end; ++i) {
      const int64_t size = std::min(piece, to.numel() - i * piece);
      const at::Tensor target = to.narrow(0, i * piece, size);
      const at::Tensor read = is_read_in_place ? target : staging.narrow(0, 0, size);
      const std::string problem =
          file.content.try_read(begin_bytes + i * piece * element_bytes, bytes_of(read));
      if (!problem.empty()) fail("'" + file.name + "' " + problem);
      if (!is_read_in_place) target.copy_(read);
    }
  });
}

}  // namespace pdl
