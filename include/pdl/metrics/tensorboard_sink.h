// Writes TensorBoard event files, encoded by hand: TFRecords that each hold an `Event` protocol
// buffer. Scalars:
//
//   train/<field>              every field of StepMetrics: train/loss, train/ce, …
//   eval/<field>               eval/loss, eval/ce, eval/ppl, eval/tokens, eval/accuracy
//   eval_bands/<band>/<field>  tokens, ce, accuracy, predicted_mass of one band of training count
//
// Values are float32, as TensorBoard stores scalars; a value that does not exist (the ce of a band
// without targets) has no point. Source of the format: tensorflow/core/util/event.proto and
// lib/io/record_writer.h.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

#include "pdl/base/file.h"
#include "pdl/metrics/observer.h"

namespace pdl {

// Not thread-safe. Every function throws StorageError if the file cannot be written.
class TensorBoardSink : public RunObserver {
 public:
  // Creates `folder` if necessary, and in it a new event file, which sorts after those of earlier
  // starts of the run. Its first event makes TensorBoard forget the points after `resumed_step`
  // (without one, all points), so that repeated steps are shown once.
  TensorBoardSink(const std::filesystem::path& folder, std::optional<int64_t> resumed_step);

  void on_step(const StepMetrics& step) override;
  void on_eval(const EvalMetrics& eval) override;
  void on_sample(const SampleMetrics& sample) override;

 private:
  AppendFile file_;
};

}  // namespace pdl
