#include "pdl/run/chat_date.h"

#include <cstdio>
#include <ctime>
#include <string>

#include "pdl/base/error.h"
#include "pdl/base/file.h"
#include "pdl/config/load_config.h"
#include "pdl/run/run_folder.h"

namespace pdl {
namespace {

constexpr int64_t kMaxConfigBytes = int64_t{1} << 20;

std::string today() {
  const std::time_t now = std::time(nullptr);
  std::tm local{};
  ::localtime_r(&now, &local);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%d", &local);
  return text;
}

// Empty: no run began there. What is wrong with its files is said by those who resume it.
std::string date_of_run(const std::filesystem::path& output_dir) {
  if (output_dir.empty()) return "";
  std::string text;
  if (!try_read_file(RunFolder(output_dir).config(), text, kMaxConfigBytes).empty()) return "";
  try {
    return load_config_text(text, "config.json").text.chat_date;
  } catch (const ConfigError&) {
    return "";
  }
}

}  // namespace

RunConfig with_chat_date(RunConfig config) {
  if (!config.text.chat_date.empty()) return config;
  config.text.chat_date = date_of_run(config.output_dir);
  if (config.text.chat_date.empty()) config.text.chat_date = today();
  return config;
}

}  // namespace pdl
