// Tells from a corpus file's name what the file holds.
#pragma once

#include <string>

namespace pdl {

// What a file of a corpus holds.
enum class CorpusFileKind {
  kText,    // .txt, also .txt.gz and .txt.zst; "-" is standard input, text too
  kJsonl,   // .jsonl, also .jsonl.gz and .jsonl.zst: one record per line (corpus/jsonl.h)
  kTokens,  // .npy: token ids (src/corpus/npy.h)
};

// Returns the kind of `file`. Throws ConfigError for any other ending, e.g. .npy.gz and .npy.zst;
// endings are in lower case.
CorpusFileKind corpus_file_kind(const std::string& file);

}  // namespace pdl
