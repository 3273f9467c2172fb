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

// A folder of a run or of a model must not be replaced by mistake.
void require_new(const fs::path& output) {
  std::error_code error;
  const bool is_free = !fs::exists(output, error) || fs::is_empty(output, error);
  if (!is_free || error) {
    throw ConfigError("--output: '" + output.string() +
                      "' is there and not empty; choose a new folder");
  }
}

// "model/" has no name of its own.
fs::path without_slash(const fs::path& folder) {
  return folder.has_filename() ? folder : folder.parent_path();
}

}  // namespace

void export_checkpoint(const fs::path& checkpoint, const fs::path& output,
                       const fs::path& model_path) {
  const std::string damage = find_damage(checkpoint);
  if (!damage.empty()) throw CheckpointError("checkpoint '" + checkpoint.string() + "': " + damage);
  const auto [state, identity] = load_trainer_state(checkpoint);
  RunConfig config = load_config_text(identity.config_json, "config of the checkpoint");
  if (!model_path.empty()) config.model_path = model_path;
  require_new(output);
  const auto model = load_language_model(config.model_path, model_options(config, {}));
  if (model->info().sha256 != identity.model_sha256) {
    throw ModelError("model '" + config.model_path.string() +
                     "' is not the one that the run of the checkpoint began with; give that with "
                     "--model_path");
  }
  load_checkpoint_model(checkpoint, whole_slices(model->parameters().all()));
  model->push_buffers();
  model->export_to(without_slash(output));
  log_info("wrote the model of step " + std::to_string(state.step) + " to " + output.string());
}

void merge_adapter(const fs::path& adapter, const fs::path& model_path, const fs::path& output) {
  require_new(output);
  const auto model = load_language_model(model_path, {.lora = {.adapter = without_slash(adapter)}});
  model->export_to(without_slash(output));
  log_info("wrote the merged model to " + output.string());
}

}  // namespace pdl
