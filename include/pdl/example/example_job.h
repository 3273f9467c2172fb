// Makes a complete job from nothing: corpus, tokenizer, model and run.json. This is `pdl-train
// init`.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace pdl {

// The size of the example.
enum class ExamplePreset {
  kTiny,    // trains in about a second: for tests and CI
  kSmall,   // trains in less than a minute on two slow cores; the loss visibly falls
  kNative,  // kSmall with a Hugging Face folder instead of a TorchScript file
};

// Which example is written, and where.
struct ExampleJobOptions {
  std::filesystem::path folder;  // created if it does not exist; else empty
  ExamplePreset preset = ExamplePreset::kSmall;
  int64_t seed = 42;  // >= 0; for language, parameters and training
};

// Writes train.txt, eval.txt (other text in the same language), tokenizer.model, model.pt and,
// last, run.json; of kNative the folder `model` with its tokenizer instead of the two in between.
// The first line of run.json is the command that runs it; its output_dir is `run` beside it. Every
// byte depends on preset, seed and the installed SentencePiece and LibTorch alone, except that
// run.json's first line depends on `folder` too. Returns the path of run.json.
//
// A new folder appears whole or not at all. In one that is there already run.json is the last file
// to appear. What a process that died has left, `.tmp-init` in the folder or `.tmp-init-NAME`
// beside it, does not hinder and is removed.
//
// Throws ConfigError if the folder is not empty or not a folder, StorageError if it cannot be
// written.
std::filesystem::path write_example_job(const ExampleJobOptions& options);

// Returns `text` as one word of a POSIX shell, quoted only if necessary. Control characters, line
// feeds included, stay as they are.
std::string shell_word(const std::string& text);

}  // namespace pdl
