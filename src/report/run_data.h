// What the files of a run's folder say, as far as they can be read.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "biased_ce.h"
#include "pdl/frequency/bands.h"

namespace pdl::report {

// A line of metrics.jsonl with "train".
struct TrainPoint {
  int64_t step = 0;
  std::optional<double> loss;
  std::optional<double> ce;
};

struct BandFigures {
  std::optional<int64_t> tokens;
  std::optional<double> ce;
  std::optional<double> predicted_mass;
};

// A line of metrics.jsonl with "eval".
struct EvalPoint {
  int64_t step = 0;
  std::optional<double> ce;
  std::array<BandFigures, kFrequencyBands.size()> bands;
};

struct BandShare {
  std::optional<int64_t> tokens;
  std::optional<double> weight_share;
};

struct TopToken {
  std::string piece;
  std::optional<int64_t> count;
  std::optional<double> weight;
  std::optional<double> weight_share;
};

// The line of metrics.jsonl with "start".
struct StartFigures {
  std::optional<int64_t> parameters, trainable_parameters;
  std::optional<double> w_min, w_mean, w_max, n_eff;
  std::array<BandShare, kFrequencyBands.size()> bands;
  std::vector<TopToken> top_tokens;
};

struct SampleText {
  int64_t prompt_index = 0;
  int64_t sample = 0;
  std::string prompt;
  std::string text;
};

// A metric of text_quality.json, of what the model wrote, of what people wrote in its place, and of
// other human text of the same size.
struct TextMetric {
  std::string name;
  std::optional<double> generated;
  std::optional<double> human;
  std::optional<double> floor;
};

struct RunData {
  std::filesystem::path folder;  // absolute
  std::string name;              // of the folder, for people
  std::optional<double> alpha;
  std::optional<int64_t> seed;
  std::vector<std::pair<std::string, std::string>> config;  // key and value as text, in its order

  std::string status = "unfinished";
  std::optional<int64_t> steps;
  std::optional<int64_t> num_tokens;
  std::optional<double> wall_seconds;
  std::string compute;
  std::vector<std::pair<std::string, std::string>> versions;  // with git_hash as the last one

  std::optional<StartFigures> start;
  std::vector<TrainPoint> train;
  std::vector<EvalPoint> evals;
  std::optional<BiasedSums> documents;

  int64_t sample_step = 0;
  std::vector<SampleText> samples;       // of the last evaluation
  std::vector<TextMetric> text_quality;  // empty without the file

  std::vector<std::pair<std::string, std::string>> hashes;  // file name, SHA-256
  std::vector<std::string> notes;                           // what is missing or damaged
};

// Reads a run's folder. Throws DataError if `folder` is none, or no run's.
RunData read_run(const std::filesystem::path& folder);

// Reads metrics.jsonl into `run`, with notes for lines that cannot be read.
void read_metrics(const std::filesystem::path& path, RunData& run);

// Reads samples.jsonl and text_quality.json, which a run need not have.
void read_texts(const std::filesystem::path& samples, const std::filesystem::path& text_quality,
                RunData& run);

}  // namespace pdl::report
