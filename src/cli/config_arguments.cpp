#include "cli/config_arguments.h"

#include <array>

#include "cli/config_flags.h"

namespace pdl {

std::shared_ptr<ConfigArguments> add_config_arguments(CLI::App& command,
                                                      std::span<const std::string_view> keys) {
  auto arguments = std::make_shared<ConfigArguments>();
  command.add_option("--config", arguments->file, "the run.json")->type_name("FILE");
  add_config_flags(command, keys, arguments->settings);
  return arguments;
}

std::span<const std::string_view> text_keys() {
  static constexpr std::array<std::string_view, 12> kKeys = {
      "tokenizer_path",   "text_document",        "text_field",    "prompt_field",
      "completion_field", "messages_field",       "chat_template", "chat_date",
      "add_bos",          "completion_only_loss", "add_eos",       "num_threads"};
  return kKeys;
}

}  // namespace pdl
