#include "compared_run.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <string_view>

#include "pdl/base/error.h"
#include "pdl/base/file.h"
#include "pdl/metrics/run_files.h"

namespace pdl {
namespace {

namespace fs = std::filesystem;

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
  const fs::path file = folder / run_files::kSummary;
  const std::string advice = "; go on with it by the command that began it, until it is complete";
  std::error_code error;
  if (!fs::exists(file, error)) {
    throw ConfigError("run '" + folder.string() + "' has not finished: it has no " +
                      run_files::kSummary + advice);
  }
  const JsonValue summary = read_json_file(file);
  const std::string status = ObjectReader(summary, blame_of(file)).string("status");
  if (is_finished(status)) return;
  throw ConfigError("run '" + folder.string() + "' has not finished: its status is \"" + status +
                    "\"" + advice);
}

DocumentTable load_run_documents(const fs::path& folder) {
  const fs::path file = folder / run_files::kDocuments;
  std::error_code error;
  if (!fs::exists(file, error)) {
    throw DataError("run '" + folder.string() + "' has no " + run_files::kDocuments +
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
    throw DataError("document " + std::to_string(i) + " in '" +
                    (folder / run_files::kDocuments).string() +
                    "' has a ce_sum that is not finite, or beyond 1e100: such a model cannot be "
                    "compared");
  }
}

// Both halves need targets.
void require_both(const HalfSums& halves, const fs::path& folder) {
  for (const size_t parity : {size_t{0}, size_t{1}}) {
    if (halves[parity].tokens > 0) continue;
    throw DataError("run '" + folder.string() + "' has no target in documents with " +
                    (parity == 0 ? "even" : "odd") +
                    " numbers, by which the tau of the others is chosen; give eval_files of more "
                    "documents, or a text_document \"paragraph\"");
  }
}

}  // namespace

void require_two_halves(const fs::path& folder) {
  require_both(sum_halves(to_run_documents(load_run_documents(folder))), folder);
}

ComparedRun load_run_config(const fs::path& folder) {
  ComparedRun run;
  run.folder = folder;
  const fs::path file = folder / run_files::kConfig;
  run.config = read_json_file(file);
  ObjectReader config(run.config, blame_of(file));
  run.alpha = config.number("pdl_alpha");
  run.seed = config.integer("seed");
  run.learning_rate = config.number("learning_rate");
  return run;
}

ComparedRun load_compared_run(const fs::path& folder) {
  ComparedRun run = load_run_config(folder);
  require_finished(folder);
  run.documents = to_run_documents(load_run_documents(folder));
  require_losses(run.documents, folder);
  require_both(sum_halves(run.documents), folder);
  return run;
}

}  // namespace pdl
