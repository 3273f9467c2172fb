// Folders of made-up runs, as compare_runs() reads them.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "pdl/base/random.h"
#include "pdl/config/load_config.h"
#include "pdl/metrics/document_figures.h"
#include "support/temp_folder.h"

namespace pdl {

struct MadeRun {
  double alpha = 0;
  int64_t seed = 1;
  double learning_rate = 1e-3;
  double ce = 3;  // mean over the documents at the best tau, -alpha
};

inline DocumentTable made_documents(const MadeRun& run, size_t count = 8) {
  DocumentTable table{.taus = {-1, -0.5, 0, 0.5, 1}, .documents = {}};
  Random noise(static_cast<uint64_t>(run.seed), static_cast<uint64_t>(100 * run.alpha));
  for (size_t i = 0; i < count; ++i) {
    DocumentFigures& document = table.documents.emplace_back();
    for (size_t band = 0; band < kFrequencyBands.size(); ++band) {
      BandSums& sums = document.bands[band];
      sums.tokens = static_cast<int64_t>(10 + 3 * i + band);
      document.tokens += sums.tokens;
      const double level = run.ce + 0.01 * noise.uniform();
      for (const double tau : table.taus) {
        const double bend = (tau - run.alpha) * (tau - run.alpha) / 10;
        sums.ce_sum.push_back(static_cast<double>(sums.tokens) * (level + bend));
      }
    }
    document.ce_sum.resize(table.taus.size());
    for (const BandSums& sums : document.bands) {
      for (size_t tau = 0; tau < table.taus.size(); ++tau) {
        document.ce_sum[tau] += sums.ce_sum[tau];
      }
    }
  }
  return table;
}

inline std::string made_config(const MadeRun& run) {
  RunConfig config;
  config.train_files = {"/data/train.txt"};
  config.eval_files = {"/data/eval.txt"};
  config.weights.pdl_alpha = run.alpha;
  config.training.seed = run.seed;
  config.schedule.learning_rate = run.learning_rate;
  return config_to_json(config);
}

// Writes a run into the folder `name` and returns its path.
inline std::filesystem::path write_run(const TempFolder& folder, const std::string& name,
                                       const MadeRun& run) {
  folder.file(name + "/config.json", made_config(run));
  folder.file(name + "/summary.json", R"({"status": "finished"})");
  folder.file(name + "/documents.jsonl", to_jsonl(made_documents(run)));
  return folder / name;
}

// Sets a key of a run's config.json.
inline void set_key(const std::filesystem::path& run, const std::string& key,
                    const nlohmann::json& value) {
  auto config = nlohmann::ordered_json::parse(file_content(run / "config.json"));
  config[key] = value;
  std::ofstream(run / "config.json") << config.dump(2) << "\n";
}

}  // namespace pdl
