#include "pdl/run/export_run.h"

#include <string>
#include <system_error>

#include "pdl/base/error.h"
#include "pdl/base/log.h"
#include "pdl/checkpoint/checkpoint.h"
#include "pdl/config/load_config.h"
#include "pdl/model/load_model.h"
#include "pdl/run/job.h"

namespace pdl {
namespace {

namespace fs = std::filesystem;

// "model/" and "model/." have no name of their own.
fs::path named(const fs::path& folder) {
  const fs::path path = fs::absolute(folder).lexically_normal();
  return path.has_filename() ? path : path.parent_path();
}

// Returns the path of a new folder: one of a run or of a model must not be replaced by mistake, and
// the working directory cannot be.
fs::path require_new(const fs::path& output) {
  std::error_code error;
  const bool is_free = !fs::exists(output, error) || fs::is_empty(output, error);
  if (!is_free || error) {
    throw ConfigError("--output: '" + output.string() +
                      "' is there and not empty; choose a new folder");
  }
  const fs::path folder = named(output);
  if (folder == named(fs::current_path()))
    throw ConfigError("--output: '" + output.string() +
                      "' is the working directory; choose another folder");
  return folder;
}

}  // namespace

void export_checkpoint(const fs::path& checkpoint, const fs::path& output,
                       const fs::path& model_path, const fs::path& adapter_path) {
  const fs::path folder = require_new(output);
  const std::string damage = find_damage(checkpoint);
  if (!damage.empty()) throw CheckpointError("checkpoint '" + checkpoint.string() + "': " + damage);
  const auto [state, identity] = load_trainer_state(checkpoint);
  RunConfig config = load_config_text(identity.config_json, "config of the checkpoint");
  if (!model_path.empty()) config.model_path = model_path;
  if (!adapter_path.empty()) config.adapter.adapter_path = adapter_path;
  LoadOptions options = model_options(config, {});
  options.hashes = true;
  const auto model = load_language_model(config.model_path, options);
  if (model->sha256() != identity.model_sha256) {
    throw ModelError("model '" + config.model_path.string() +
                     "' is not the one that the run of the checkpoint began with; give that with "
                     "--model_path");
  }
  load_checkpoint_model(checkpoint, whole_slices(model->parameters().all()));
  model->push_buffers();
  model->export_to(folder);
  log_info("wrote the model of step " + std::to_string(state.step) + " to " + output.string());
}

void merge_adapter(const fs::path& adapter, const fs::path& model_path, const fs::path& output) {
  const fs::path folder = require_new(output);
  const auto model = load_language_model(model_path, {.lora = {.adapter = named(adapter)}});
  model->export_to(folder);
  log_info("wrote the merged model to " + output.string());
}

}  // namespace pdl
