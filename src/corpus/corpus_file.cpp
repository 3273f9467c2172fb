#include "pdl/corpus/corpus_file.h"

#include <string_view>

#include "pdl/base/error.h"

namespace pdl {

CorpusFileKind corpus_file_kind(const std::string& file) {
  if (file == "-") return CorpusFileKind::kText;
  std::string_view name = file;
  if (name.ends_with(".npy")) return CorpusFileKind::kTokens;
  for (const std::string_view compression : {".gz", ".zst"}) {
    if (name.ends_with(compression)) {
      name.remove_suffix(compression.size());
      break;
    }
  }
  if (name.ends_with(".txt")) return CorpusFileKind::kText;
  if (name.ends_with(".jsonl")) return CorpusFileKind::kJsonl;
  throw ConfigError("file '" + file +
                    "' is not supported by this version; use .txt or .jsonl, each also with .gz or "
                    ".zst after it, or .npy");
}

}  // namespace pdl
