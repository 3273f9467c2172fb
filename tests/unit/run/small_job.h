// A job in a temporary folder: a script model, token ids, and the config that names them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "pdl/base/random.h"
#include "pdl/config/run_config.h"
#include "support/script_model.h"
#include "support/temp_folder.h"

namespace pdl {

// A NumPy file (format 1.0) of uint16 ids.
inline std::string npy_of(const std::vector<uint16_t>& ids) {
  std::string header =
      "{'descr': '<u2', 'fortran_order': False, 'shape': (" + std::to_string(ids.size()) + ",), }";
  header.append(63 - (10 + header.size()) % 64, ' ');
  header += '\n';
  std::string file = "\x93NUMPY\x01";
  file += '\0';
  file += static_cast<char>(header.size() & 0xff);
  file += static_cast<char>(header.size() >> 8);
  file += header;
  for (const uint16_t id : ids) {
    file += static_cast<char>(id & 0xff);
    file += static_cast<char>(id >> 8);
  }
  return file;
}

inline std::vector<uint16_t> random_ids(size_t count, uint64_t seed) {
  Random random(seed);
  std::vector<uint16_t> ids;
  for (size_t i = 0; i < count; ++i) ids.push_back(static_cast<uint16_t>(random.below(kTestVocab)));
  return ids;
}

struct SmallJob {
  explicit SmallJob(const char* source = kCausalSource) {
    script_module(source).save((folder / "model.pt").string());
    config.model_path = folder / "model.pt";
    config.train_files = {folder.file("train.npy", npy_of(random_ids(300, 1)))};
    config.eval_files = {folder.file("eval.npy", npy_of(random_ids(60, 2)))};
    config.output_dir = folder / "out";
    config.sequences.max_length = 10;
    config.training.max_steps = 6;
    config.training.per_device_train_batch_size = 3;
    config.training.logging_steps = 2;
    config.schedule.learning_rate = 0.01;
    config.checkpoint.save_steps = 2;
    config.evaluation.eval_steps = 3;
    config.device = "cpu";
    config.tensorboard = false;
  }

  TempFolder folder;
  RunConfig config;
};

}  // namespace pdl
