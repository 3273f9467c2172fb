#include "pdl/run/resume/require_same_run.h"

#include <algorithm>
#include <string>
#include <vector>

#include "pdl/base/error.h"
#include "pdl/base/log.h"
#include "pdl/config/load_config.h"

namespace pdl {

namespace fs = std::filesystem;

void require_same_run(const RunIdentity& before, const RunIdentity& now,
                      const fs::path& checkpoint) {
  const std::string source = "'" + checkpoint.string() + "'";
  const RunConfig old_config = load_config_text(before.config_json, checkpoint.string());
  const RunConfig new_config = load_config_text(now.config_json, "config");
  std::vector<std::string> allowed;
  std::string refused;
  for (const std::string& key : changed_keys(old_config, new_config)) {
    if (may_change_on_resume(key)) {
      allowed.push_back(key);
    } else {
      refused += (refused.empty() ? "" : ", ") + key;
    }
  }
  if (!refused.empty()) {
    throw ConfigError("cannot resume from " + source + " with another " + refused +
                      "; put it back or choose another output_dir");
  }
  for (const std::string& key : allowed)
    log_info("resuming with another " + key + " than " + source);
  for (const auto& [component, version] : now.versions) {
    const auto old = std::find_if(before.versions.begin(), before.versions.end(),
                                  [&](const auto& other) { return other.first == component; });
    if (old == before.versions.end() || old->second != version) {
      log_warning(source + " was written with another version of " + component +
                  ": the run goes on, but rounding may differ");
    }
  }
  const std::string changed =
      "' has changed since " + source + "; put it back or choose another output_dir";
  if (before.model_sha256 != now.model_sha256)
    throw ModelError("model '" + new_config.model_path.string() + changed);
  if (before.tokenizer_sha256 != now.tokenizer_sha256) {
    throw ModelError("tokenizer, chat template or chat_date of '" +
                     new_config.tokenizer_path.string() + changed);
  }
  if (before.train_sha256 != now.train_sha256) throw DataError("a file of 'train_files" + changed);
  if (before.eval_sha256 != now.eval_sha256) throw DataError("a file of 'eval_files" + changed);
  if (before.frequency_sha256 != now.frequency_sha256)
    throw DataError("the 'frequency table" + changed);
}

}  // namespace pdl
