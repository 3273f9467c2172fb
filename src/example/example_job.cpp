#include "pdl/example/example_job.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "pdl/base/error.h"
#include "pdl/base/file.h"
#include "pdl/base/unicode.h"
#include "pdl/example/example_folder.h"
#include "pdl/example/example_model.h"
#include "pdl/example/grammar/grammar_corpus.h"
#include "pdl/tokenizer/sentencepiece_trainer.h"

namespace pdl {
namespace {

namespace fs = std::filesystem;

struct Preset {
  LexiconSizes lexicon;
  int64_t train_bytes;
  int64_t eval_bytes;
  ExampleModelSizes model;
  std::string_view settings;  // the part of run.json that depends on the sizes
};

const Preset& preset_values(ExamplePreset preset) {
  static const Preset tiny = {
      .lexicon =
          {.nouns = 120, .verbs = 60, .adjectives = 50, .adverbs = 20, .names = 20, .topics = 8},
      .train_bytes = 80'000,
      .eval_bytes = 8'000,
      .model = {.vocab_size = 384, .width = 32, .layers = 2, .heads = 2},
      .settings = R"(  "max_length": 32,
  "per_device_train_batch_size": 8,
  "per_device_eval_batch_size": 32,
  "max_steps": 60,
  "learning_rate": 0.01,
  "logging_steps": 10,
  "eval_steps": 30,
  "save_steps": 30,
)"};
  static const Preset small = {.lexicon = {},
                               .train_bytes = 1'200'000,
                               .eval_bytes = 60'000,
                               .model = {.vocab_size = 1024, .width = 64, .layers = 3, .heads = 4},
                               .settings = R"(  "max_length": 64,
  "per_device_train_batch_size": 16,
  "per_device_eval_batch_size": 32,
  "max_steps": 400,
  "learning_rate": 0.005,
  "logging_steps": 20,
  "eval_steps": 100,
  "save_steps": 100,
)"};
  return preset == ExamplePreset::kTiny ? tiny : small;  // kNative has the sizes of kSmall
}

// The tokenizer is trained with one paragraph as one sentence.
std::vector<std::string> paragraphs_of(std::string_view text) {
  std::vector<std::string> paragraphs;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    if (end > 0) {
      paragraphs.emplace_back(text.substr(0, end));
    }
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return paragraphs;
}

// Escapes the path in the first line, which is a comment and must stay one line.
std::string path_for_comment(const fs::path& path) {
  const std::string text = path.string();
  const bool has_control = std::any_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
  });
  const bool is_text = !has_control && find_invalid_utf8(text) == std::string_view::npos;
  return is_text ? shell_word(text) : path.filename().string();
}

// The keys of the model. A Hugging Face folder holds its tokenizer.
std::string_view model_keys(ExamplePreset preset) {
  if (preset == ExamplePreset::kNative)
    return R"(  "model_path": "model",
)";
  return R"(  "model_path": "model.pt",
  "tokenizer_path": "tokenizer.model",
)";
}

std::string run_json(const fs::path& path, const ExampleJobOptions& options) {
  return "// pdl-train --config " + path_for_comment(path) + "\n{\n" +
         std::string(model_keys(options.preset)) + R"(  "train_files": "train.txt",
  "eval_files": "eval.txt",
  "text_document": "paragraph",
  "output_dir": "run",

  // The loss weight of a token is 1 / (count + pdl_epsilon)^pdl_alpha; 0 is plain cross-entropy.
  "pdl_alpha": 0.25,
  "pdl_epsilon": 1.0,

)" + std::string(preset_values(options.preset).settings) +
         R"(  "lr_scheduler_type": "cosine",
  "warmup_steps": 0.1,

  // A model this small gains little from more threads.
  "num_threads": 1,
  "seed": )" +
         std::to_string(options.seed) + "\n}\n";
}

using Files = std::vector<std::pair<std::string, std::string>>;  // name, content

// What an init that was killed has left of its work.
constexpr std::string_view kUnfinished = ".tmp-init";

// True for a folder that holds nothing but what a killed init has left in it. run.json, the last
// file, ends its work.
bool is_free(const fs::path& folder, std::error_code& error) {
  constexpr std::array<std::string_view, 5> kNames = {"train.txt", "eval.txt", "tokenizer.model",
                                                      "model.pt", "model"};
  const bool is_unfinished = fs::exists(folder / kUnfinished, error);
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    const bool is_own = std::find(kNames.begin(), kNames.end(), name) != kNames.end();
    if (name != kUnfinished && !(is_unfinished && is_own)) return false;
  }
  return !error;
}

void check_folder(const fs::path& folder) {
  if (folder.empty()) {
    throw ConfigError("the folder of the example has no name");
  }
  std::error_code error;
  const fs::file_status status = fs::status(folder, error);
  if (!fs::exists(status)) {
    return;
  }
  if (!fs::is_directory(status)) {
    throw ConfigError("'" + folder.string() + "' is no folder; name a new one");
  }
  const bool is_empty = is_free(folder, error);
  if (error) {
    throw ConfigError("folder '" + folder.string() + "' cannot be read: " + error.message());
  }
  if (!is_empty) {
    throw ConfigError("folder '" + folder.string() + "' is not empty; name a new one");
  }
}

// Calls `write`, which makes `folder`; if it throws, nothing is left of that.
template <class Write>
void make_or_remove(const fs::path& folder, const Write& write) {
  remove_durably(folder);  // of a killed init
  try {
    make_folder(folder);
    write();
  } catch (...) {
    std::error_code ignored;
    fs::remove_all(folder, ignored);
    throw;
  }
}

void write_files(const fs::path& folder, const Files& files) {
  for (const auto& [name, content] : files) {
    const fs::path path = folder / name;
    if (path.parent_path() != folder) make_folder(path.parent_path());
    write_file_durably(path, content);
  }
}

// A new folder appears whole, by one rename. Files get into one that is there already, which may be
// the working directory, one after the other, the last of `files` last; until then the folder holds
// kUnfinished.
void write_whole(const fs::path& folder, const Files& files) {
  std::error_code error;
  if (fs::exists(folder, error)) {
    const fs::path unfinished = folder / kUnfinished;
    make_or_remove(unfinished, [&] { write_files(unfinished, files); });
    for (const auto& [name, content] : files) {
      const fs::path first = *fs::path(name).begin();  // a folder goes as a whole
      if (fs::exists(unfinished / first)) rename_durably(unfinished / first, folder / first);
    }
    remove_durably(unfinished);
    return;
  }
  fs::path name = fs::absolute(folder).lexically_normal();  // "new/." is the folder "new"
  if (!name.has_filename()) name = name.parent_path();
  const fs::path unfinished =
      name.parent_path() / (std::string(kUnfinished) + "-" + name.filename().string());
  make_or_remove(unfinished, [&] {
    write_files(unfinished, files);
    rename_durably(unfinished, name);
  });
}

}  // namespace

std::string shell_word(const std::string& text) {
  constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-+,:@%=";
  if (!text.empty() && text.find_first_not_of(kPlain) == std::string::npos) {
    return text;
  }
  std::string word = "'";
  for (const char c : text) {
    word += c == '\'' ? std::string("'\\''") : std::string(1, c);
  }
  return word + "'";
}

fs::path write_example_job(const ExampleJobOptions& options) {
  check_folder(options.folder);
  const Preset& preset = preset_values(options.preset);
  const auto seed = static_cast<uint64_t>(options.seed);

  const GrammarCorpus language(seed, preset.lexicon);
  const std::string train_text = language.text(preset.train_bytes, 0);
  const std::string eval_text = language.text(preset.eval_bytes, 1);
  const std::string tokenizer =
      train_sentencepiece_bpe(paragraphs_of(train_text), preset.model.vocab_size);
  fs::path config = options.folder / "run.json";
  Files files = {{"train.txt", train_text}, {"eval.txt", eval_text}};
  if (options.preset == ExamplePreset::kNative) {
    for (auto& [name, content] : make_example_folder(preset.model, seed))
      files.emplace_back("model/" + name, std::move(content));
    files.emplace_back("model/tokenizer.model", tokenizer);
  } else {
    files.emplace_back("tokenizer.model", tokenizer);
    files.emplace_back("model.pt", make_example_model(preset.model, seed));
  }
  files.emplace_back("run.json", run_json(config, options));
  write_whole(options.folder, files);
  return config;
}

}  // namespace pdl
