// What a file of a corpus holds, told by its name alone.
#pragma once

#include <string>

namespace pdl {

enum class CorpusFileKind {
  kText,    // .txt, also .txt.gz and .txt.zst; "-" is standard input, which is text too
  kJsonl,   // .jsonl, also .jsonl.gz and .jsonl.zst: a record a line (corpus/jsonl.h)
  kTokens,  // .npy: token ids (src/corpus/npy.h)
};

// The kind of `file`. Throws ConfigError for any other ending, .npy.gz and .npy.zst among them;
// endings are in lower case.
CorpusFileKind corpus_file_kind(const std::string& file);

}  // namespace pdl
