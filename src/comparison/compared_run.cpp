#include "compared_run.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <string_view>

#include "pdl/base/error.h"
#include "pdl/base/file.h"
#include "pdl/metrics/metrics.h"

namespace pdl {
namespace {

namespace fs = std::filesystem;

constexpr const char* kConfigFile = "config.json";
constexpr const char* kSummaryFile = "summary.json";
constexpr const char* kDocumentsFile = "documents.jsonl";
constexpr int64_t kMaxJsonBytes = int64_t{64} << 20;
// Far beyond any loss, and small enough that squares of sums stay finite.
constexpr double kMaxCeSum = 1e100;

JsonBlame blame_of(const fs::path& file) {
  return JsonBlame::of<DataError>("file '" + file.string() + "' cannot be used: ");
}

JsonValue read_json_file(const fs::path& file) {
  return parse_json(read_file<DataError>("file", file, kMaxJsonBytes), {}, blame_of(file));
}

void require_finished(const fs::path& folder) {
  const fs::path file = folder / kSummaryFile;
  const std::string advice = "; go on with it by the command that began it, until it is complete";
  std::error_code error;
  if (!fs::exists(file, error)) {
    throw ConfigError("run '" + folder.string() + "' has not finished: it has no " + kSummaryFile +
                      advice);
  }
  const JsonValue summary = read_json_file(file);
  const std::string status = ObjectReader(summary, blame_of(file)).string("status");
  if (status == name_of(RunStatus::kFinished) || status == name_of(RunStatus::kEarlyStopped)) {
    return;
  }
  throw ConfigError("run '" + folder.string() + "' has not finished: its status is \"" + status +
                    "\"" + advice);
}

DocumentTable load_run_documents(const fs::path& folder) {
  const fs::path file = folder / kDocumentsFile;
  std::error_code error;
  if (!fs::exists(file, error)) {
    throw DataError("run '" + folder.string() + "' has no " + kDocumentsFile +
                    "; train with eval_files and an eval_bias_grid");
  }
  return load_documents(file);
}

bool is_loss(double ce_sum) { return std::abs(ce_sum) <= kMaxCeSum; }  // false for NaN

void require_losses(const RunDocuments& documents, const fs::path& folder) {
  for (size_t i = 0; i < documents.sums.size(); ++i) {
    const CeSums& sums = documents.sums[i];
    if (std::all_of(sums.ce.begin(), sums.ce.end(), is_loss) &&
        std::all_of(sums.rare_ce.begin(), sums.rare_ce.end(), is_loss)) {
      continue;
    }
    throw DataError("document " + std::to_string(i) + " in '" + (folder / kDocumentsFile).string() +
                    "' has a ce_sum that is not finite, or beyond 1e100: such a model cannot be "
                    "compared");
  }
}

void require_two_halves(const RunDocuments& documents, const fs::path& folder) {
  for (const size_t parity : {size_t{0}, size_t{1}}) {
    if (sum_half(documents, parity).tokens > 0) continue;
    throw DataError("run '" + folder.string() + "' was evaluated on no target in documents with " +
                    (parity == 0 ? "even" : "odd") +
                    " numbers, but one half is for the choice of tau; give eval_files of more "
                    "documents, or a text_document \"paragraph\"");
  }
}

}  // namespace

RunDocuments to_run_documents(const DocumentTable& table) {
  RunDocuments documents;
  documents.taus = table.taus;
  for (const DocumentFigures& document : table.documents) {
    CeSums& sums = documents.sums.emplace_back();
    sums.tokens = document.tokens;
    sums.ce = document.ce_sum;
    sums.rare_ce.resize(table.taus.size());
    auto& band_tokens = documents.band_tokens.emplace_back();
    for (size_t band = 0; band < kFrequencyBands.size(); ++band) {
      const BandSums& of_band = document.bands[band];
      band_tokens[band] = of_band.tokens;
      if (kFrequencyBands[band].min_count >= kRareBelow) continue;
      sums.rare_tokens += of_band.tokens;
      for (size_t tau = 0; tau < table.taus.size(); ++tau) {
        sums.rare_ce[tau] += of_band.ce_sum[tau];
      }
    }
  }
  return documents;
}

CeSums sum_half(const RunDocuments& documents, size_t parity) {
  const size_t num_taus = documents.taus.size();
  CeSums half{.ce = std::vector<double>(num_taus), .rare_ce = std::vector<double>(num_taus)};
  for (size_t i = parity; i < documents.sums.size(); i += 2) {
    const CeSums& document = documents.sums[i];
    half.tokens += document.tokens;
    half.rare_tokens += document.rare_tokens;
    for (size_t tau = 0; tau < num_taus; ++tau) {
      half.ce[tau] += document.ce[tau];
      half.rare_ce[tau] += document.rare_ce[tau];
    }
  }
  return half;
}

ComparedRun load_compared_run(const fs::path& folder) {
  ComparedRun run;
  run.folder = folder;
  const fs::path file = folder / kConfigFile;
  run.config = read_json_file(file);
  ObjectReader config(run.config, blame_of(file));
  run.alpha = config.number("pdl_alpha");
  run.seed = config.integer("seed");
  run.learning_rate = config.number("learning_rate");
  require_finished(folder);
  run.documents = to_run_documents(load_run_documents(folder));
  require_losses(run.documents, folder);
  require_two_halves(run.documents, folder);
  return run;
}

}  // namespace pdl
