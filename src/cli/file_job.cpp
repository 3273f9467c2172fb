#include "cli/file_job.h"

namespace pdl {

FileJob load_file_job(std::vector<FlagSetting> settings, const std::vector<std::string>& files) {
  settings.push_back({"pdl_reference_files", files});
  const RunConfig config = load_config("", settings, {"tokenizer_path"});
  return {config.text, load_tokenizer(config.tokenizer_path), config.pdl_reference_files};
}

}  // namespace pdl
