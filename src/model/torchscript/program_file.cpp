#include "program_file.h"

#include <caffe2/serialize/inline_container.h>

#include <string_view>

#include "pdl/base/error.h"
#include "pdl/base/file.h"
#include "pdl/base/sha256.h"

namespace pdl {
namespace {

constexpr std::string_view kExtraFilePrefix = "extra/";

}  // namespace

std::string hash_program_file(const std::filesystem::path& path) {
  const std::string quoted = "model '" + path.string() + "' ";
  Sha256 hash;
  std::string head;
  const std::string problem = try_read_pieces(path, [&](std::string_view bytes) {
    if (head.empty()) head = bytes.substr(0, 4);
    hash.update(bytes);
  });
  if (!problem.empty()) throw ModelError(quoted + problem);
  if (head.empty()) throw ModelError(quoted + "is empty");
  if (head != std::string_view("PK\x03\x04", 4)) {
    throw ModelError(
        quoted +
        "is not a TorchScript file; make one with torch.jit.save or scripts/export_model.py");
  }
  return hash.finish();
}

torch::jit::ExtraFilesMap extra_file_names(const std::filesystem::path& path) {
  caffe2::serialize::PyTorchStreamReader reader(path.string());
  torch::jit::ExtraFilesMap files;
  for (const std::string& record : reader.getAllRecords()) {
    if (record.starts_with(kExtraFilePrefix)) files[record.substr(kExtraFilePrefix.size())] = "";
  }
  return files;
}

}  // namespace pdl
