// A complete job made from nothing: corpus, tokenizer, model and run.json. `pdl-train init`.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace pdl {

enum class ExamplePreset {
  kTiny,   // trains in about a second: for tests and CI
  kSmall,  // trains well within a minute on two slow cores, and the loss visibly falls
};

struct ExampleJobOptions {
  std::filesystem::path folder;  // made if need be; must be empty
  ExamplePreset preset = ExamplePreset::kSmall;
  int64_t seed = 42;  // >= 0; of language, parameters and training
};

// Writes train.txt, eval.txt (other text in the same language), tokenizer.model, model.pt and, last
// of all, run.json, whose first line is the command that runs it; its output_dir is `run` beside
// it. Every byte depends on preset, seed and the installed SentencePiece and LibTorch alone,
// run.json's first line also on `folder`. Returns the path of run.json.
//
// Throws ConfigError if the folder is not empty or is no folder, StorageError if it cannot be
// written.
std::filesystem::path write_example_job(const ExampleJobOptions& options);

// `text` as one word of a POSIX shell, quoted only if need be. A line feed or another control
// character stays as it is.
std::string shell_word(const std::string& text);

}  // namespace pdl
