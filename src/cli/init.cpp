#include <charconv>
#include <cstdint>
#include <memory>
#include <string>
#include <system_error>

#include "cli/commands.h"
#include "cli/output.h"
#include "pdl/base/unicode.h"
#include "pdl/example/example_job.h"

namespace pdl {
namespace {

// Stricter than CLI11, which turns a number that is too large into the largest one.
std::string seed_problem(const std::string& text) {
  int64_t seed = -1;
  const char* const text_end = text.data() + text.size();
  const auto [end, error] = std::from_chars(text.data(), text_end, seed);
  const bool is_good = error == std::errc() && end == text_end && seed >= 0;
  return is_good ? "" : text + " is no integer from 0 to 9223372036854775807";
}

void run_init(const ExampleJobOptions& options) {
  const std::filesystem::path config = write_example_job(options);
  const std::string word = printable(shell_word(config.string()), SIZE_MAX);
  write_result("", "ready; next: pdl-train --config " + word + "\n");
}

}  // namespace

void add_init_command(CLI::App& app) {
  CLI::App* command = app.add_subcommand(
      "init", "Write a self-contained example: corpus, tokenizer, model and run.json");
  auto options = std::make_shared<ExampleJobOptions>();
  command->add_option("DIR", options->folder, "folder to write to; new or empty")->required();
  command
      ->add_option_function<std::string>(
          "--preset",
          [options](const std::string& name) {
            options->preset = name == "tiny"    ? ExamplePreset::kTiny
                              : name == "small" ? ExamplePreset::kSmall
                                                : ExamplePreset::kNative;
          },
          "tiny trains in about a second, small in about half a minute, native as small with a "
          "Hugging Face folder (default small)")
      ->type_name("tiny|small|native")
      ->check(CLI::IsMember({"tiny", "small", "native"}).description(""));
  command->add_option("--seed", options->seed, "of language, parameters and training (default 42)")
      ->type_name("N")
      ->check(CLI::Validator(seed_problem, ""));
  command->callback([options] { run_init(*options); });
}

}  // namespace pdl
