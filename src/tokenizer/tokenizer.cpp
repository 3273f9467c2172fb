#include "pdl/tokenizer/tokenizer.h"

#include <system_error>

#include "pdl/base/error.h"
#include "sentencepiece/sentencepiece_tokenizer.h"
#include "tokenizer_json/json_tokenizer.h"

namespace pdl {
namespace {

namespace fs = std::filesystem;

// Of a folder, the file that transformers reads, too.
fs::path tokenizer_file(const fs::path& path) {
  std::error_code ignored;
  if (!fs::is_directory(path, ignored)) return path;
  for (const char* name : {"tokenizer.json", "tokenizer.model"}) {
    if (fs::exists(path / name, ignored)) return path / name;
  }
  throw ModelError(
      "tokenizer '" + path.string() +
      "': the folder has no tokenizer.json and no tokenizer.model; give tokenizer_path");
}

}  // namespace

std::unique_ptr<Tokenizer> load_tokenizer(const fs::path& path_or_folder) {
  const fs::path path = tokenizer_file(path_or_folder);
  return path.extension() == ".json" ? load_json_tokenizer(path)
                                     : load_sentencepiece_tokenizer(path);
}

}  // namespace pdl
