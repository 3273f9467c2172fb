#include "pdl/checkpoint/checkpoint_saver.h"

#include <chrono>
#include <exception>
#include <string>
#include <utility>

#include "pdl/base/error.h"
#include "pdl/base/file.h"
#include "pdl/base/log.h"

namespace pdl {
namespace {

std::vector<TensorSlice> copies_of(const std::vector<TensorSlice>& tensors) {
  std::vector<TensorSlice> copies = tensors;
  for (TensorSlice& copy : copies) {
    copy.tensor = copy.tensor.detach()
                      .to(copy.tensor.options().device(at::kCPU), /*non_blocking=*/false,
                          /*copy=*/true)
                      .contiguous();
  }
  return copies;
}

}  // namespace

CheckpointSaver::CheckpointSaver(Options options, const RunIdentity& identity)
    : options_(std::move(options)), identity_(identity) {}

CheckpointSaver::~CheckpointSaver() {
  try {
    finish();
  } catch (const std::exception& problem) {
    log_warning(problem.what());  // the run already ends for another reason
  }
}

void CheckpointSaver::start(const CheckpointTensors& tensors, const TrainerState& state,
                            std::optional<int64_t> best_step) {
  finish();
  in_progress_ = std::async(
      std::launch::async,
      [this, copies = CheckpointTensors{copies_of(tensors.model), copies_of(tensors.optimizer)},
       state, best_step] { write(copies, state, best_step); });
}

void CheckpointSaver::save(const CheckpointTensors& tensors, const TrainerState& state,
                           std::optional<int64_t> best_step) {
  finish();
  do {
    write(tensors, state, best_step);
  } while (failures_ > 0);
}

void CheckpointSaver::check() {
  if (in_progress_.valid() &&
      in_progress_.wait_for(std::chrono::seconds(0)) == std::future_status::ready)
    finish();
}

void CheckpointSaver::finish() {
  if (in_progress_.valid()) in_progress_.get();
}

void CheckpointSaver::write(const CheckpointTensors& tensors, const TrainerState& state,
                            std::optional<int64_t> best_step) {
  try {
    for (const auto& companion : options_.companions) sync_file(companion);
    const auto folder = save_checkpoint(options_.output_dir, tensors, state, identity_);
    log_info("saved " + folder.string());
    failures_ = 0;
  } catch (const StorageError& problem) {
    const std::string message =
        "checkpoint of step " + std::to_string(state.step) + " not saved: " + problem.what();
    if (++failures_ == kMaxFailures) {
      throw StorageError(message +
                         "; that was the third time in a row. Older checkpoints are "
                         "whole: start again when the storage works");
    }
    log_warning(message + "; another try follows");
    return;
  }
  try {
    prune_checkpoints(
        options_.output_dir,
        {.limit = options_.save_total_limit, .current_step = state.step, .best_step = best_step});
  } catch (const StorageError& problem) {
    log_warning(std::string("old checkpoints stay: ") + problem.what());
  }
}

}  // namespace pdl
