// What the commands share that read FILE… instead of a run.json.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "pdl/config/load_config.h"
#include "pdl/text/tokenizer.h"

namespace pdl {

struct FileJob {
  TextOptions text;
  std::unique_ptr<Tokenizer> tokenizer;
  std::vector<std::string> files;  // globs expanded
};

// Checks the flags, and the files as those of pdl_reference_files, and loads the tokenizer. Throws
// ConfigError, e.g. for a kind of file that is not supported, and ModelError.
FileJob load_file_job(std::vector<FlagSetting> settings, const std::vector<std::string>& files);

}  // namespace pdl
