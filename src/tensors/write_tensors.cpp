#include "pdl/tensors/tensor_file.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/from_blob.h>

#include <future>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "pdl/base/error.h"
#include "pdl/base/file.h"
#include "pdl/base/sha256.h"
#include "pdl/safetensors/header.h"

namespace pdl {
namespace {

const char* dtype_name(at::ScalarType type) {
  switch (type) {
    case at::kBool:
      return "BOOL";
    case at::kByte:
      return "U8";
    case at::kChar:
      return "I8";
    case at::kShort:
      return "I16";
    case at::kInt:
      return "I32";
    case at::kLong:
      return "I64";
    case at::kHalf:
      return "F16";
    case at::kBFloat16:
      return "BF16";
    case at::kFloat:
      return "F32";
    case at::kDouble:
      return "F64";
    default:
      throw ModelError(std::string("a tensor of dtype ") + c10::toString(type) +
                       " cannot be saved as safetensors");
  }
}

SafetensorsEntry entry_of(const NamedTensor& named) {
  return {named.name, dtype_name(named.tensor.scalar_type()), named.tensor.sizes().vec()};
}

}  // namespace

FileDigest save_tensors(const std::filesystem::path& path,
                        const std::vector<NamedTensor>& tensors) {
  std::vector<SafetensorsEntry> entries;
  std::vector<at::Tensor> data;
  for (const NamedTensor& named : tensors) {
    entries.push_back(entry_of(named));
    data.push_back(named.tensor.detach().cpu().contiguous());
  }
  std::vector<std::string_view> pieces;
  const std::string header = encode_safetensors_header(entries);
  pieces.emplace_back(header);
  for (const at::Tensor& tensor : data)
    pieces.emplace_back(static_cast<const char*>(tensor.const_data_ptr()), tensor.nbytes());
  // The disk is waited for while another thread hashes.
  std::future<std::string> sha256 = std::async(std::launch::async, [&pieces] {
    Sha256 hash;
    for (const std::string_view piece : pieces) hash.update(piece);
    return hash.finish();
  });
  FileDigest digest;
  NewFile file(path);
  for (const std::string_view piece : pieces) {
    file.write(piece);
    digest.size += static_cast<int64_t>(piece.size());
  }
  file.close();
  digest.sha256 = sha256.get();
  return digest;
}

void load_tensors(const std::filesystem::path& path, const std::vector<NamedTensor>& tensors,
                  std::string_view ignored_prefix) {
  std::string content = read_file<CheckpointError>("checkpoint file", path);
  std::map<std::string, SafetensorsEntry> stored;
  for (SafetensorsEntry& entry : decode_safetensors_header(content, path.string())) {
    if (!ignored_prefix.empty() && entry.name.starts_with(ignored_prefix)) continue;
    stored.emplace(entry.name, std::move(entry));
  }
  for (const NamedTensor& named : tensors) {
    const auto found = stored.find(named.name);
    const SafetensorsEntry wanted = entry_of(named);
    if (found == stored.end() || found->second.dtype != wanted.dtype ||
        found->second.shape != wanted.shape) {
      throw CheckpointError("'" + path.string() + "' does not fit the model: it lacks '" +
                            named.name + "' in this shape and dtype");
    }
  }
  if (stored.size() != tensors.size()) {
    throw CheckpointError("'" + path.string() + "' does not fit the model: it holds " +
                          std::to_string(stored.size()) + " tensors instead of " +
                          std::to_string(tensors.size()));
  }
  const at::NoGradGuard no_grad;
  char* data = content.data() + safetensors_data_begin(content);
  for (const NamedTensor& named : tensors) {
    const SafetensorsEntry& entry = stored.at(named.name);
    named.tensor.copy_(at::from_blob(data + entry.begin_bytes, entry.shape,
                                     at::dtype(named.tensor.scalar_type())));
  }
}

}  // namespace pdl
