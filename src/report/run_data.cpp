#include "run_data.h"

#include <algorithm>
#include <system_error>

#include "lenient_json.h"
#include "pdl/base/error.h"
#include "pdl/base/file.h"
#include "pdl/base/sha256.h"
#include "pdl/metrics/document_figures.h"
#include "pdl/metrics/run_files.h"

namespace pdl::report {

namespace fs = std::filesystem;

namespace {

bool has(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

// The value as people read it: strings without quotes.
std::string text_of(const JsonValue& value) {
  switch (value.kind()) {
    case JsonValue::Kind::kNull:
      return "null";
    case JsonValue::Kind::kBoolean:
      return value.boolean() ? "true" : "false";
    case JsonValue::Kind::kInteger:
      return std::to_string(value.integer());
    case JsonValue::Kind::kReal:
    case JsonValue::Kind::kString:
      return value.text();
    case JsonValue::Kind::kArray:
    case JsonValue::Kind::kObject:
      break;
  }
  std::string list;
  for (size_t i = 0; i < value.items().size(); ++i) {
    const std::string name = value.is(JsonValue::Kind::kObject) ? value.keys()[i] + ": " : "";
    list += (i == 0 ? "" : ", ") + name + text_of(value.items()[i]);
  }
  return "[" + list + "]";
}

// Returns false, with a note, if the file cannot be read; `consequence` follows "is missing".
bool read_object(const fs::path& path, const std::string& consequence, JsonValue& root,
                 RunData& run) {
  const std::string file = path.filename().string();
  if (!has(path)) {
    run.notes.push_back(file + " is missing" + consequence);
    return false;
  }
  std::string content;
  std::string problem = try_read_file(path, content);
  if (problem.empty()) problem = try_parse_json(content, {}, root).phrase();
  if (!problem.empty()) run.notes.push_back(file + " " + problem);
  return problem.empty();
}

void read_config(const fs::path& path, RunData& run) {
  JsonValue root;
  if (!read_object(path, ": alpha, seed and options are not known", root, run)) return;
  run.alpha = number(root, "pdl_alpha");
  run.seed = integer(root, "seed");
  for (size_t i = 0; i < root.keys().size(); ++i) {
    run.config.emplace_back(root.keys()[i], text_of(root.items()[i]));
  }
}

void read_summary(const fs::path& path, RunData& run) {
  JsonValue root;
  if (!read_object(path, ": the run is not finished", root, run)) return;
  if (const std::string status = text(root, "status"); !status.empty()) run.status = status;
  run.steps = integer(root, "steps");
  run.num_tokens = integer(root, "num_tokens");
  run.wall_seconds = number(root, "wall_seconds");
  if (const JsonValue* compute = find(root, "compute")) {
    run.compute = text(*compute, "device") + ", " + text(*compute, "kernels");
    if (const auto threads = integer(*compute, "num_threads")) {
      run.compute += ", " + std::to_string(*threads) + (*threads == 1 ? " thread" : " threads");
    }
  }
  if (const JsonValue* versions = find(root, "versions")) {
    for (size_t i = 0; i < versions->keys().size(); ++i) {
      run.versions.emplace_back(versions->keys()[i], text_of(versions->items()[i]));
    }
  }
  if (const JsonValue* hash = find(root, "git_hash")) {
    run.versions.emplace_back("git hash", text_of(*hash));
  }
}

void read_documents(const fs::path& path, RunData& run) {
  if (!has(path)) {
    run.notes.push_back(std::string(run_files::kDocuments) +
                        " is missing: the run takes no part in the figures of documents and bias");
    return;
  }
  try {
    run.documents = biased_sums(load_documents(path));
  } catch (const DataError& problem) {
    run.notes.push_back(problem.what());
  }
}

void add_hash(const fs::path& path, RunData& run) {
  if (!has(path)) return;
  Sha256 hash;
  if (try_read_pieces(path, [&](std::string_view bytes) { hash.update(bytes); }).empty()) {
    run.hashes.emplace_back(path.filename().string(), hash.finish());
  }
}

}  // namespace

RunData read_run(const fs::path& folder) {
  std::error_code error;
  RunData run;
  run.folder = fs::canonical(folder, error);
  if (error || !fs::is_directory(run.folder, error)) {
    throw DataError("run '" + folder.string() + "' is no folder; name the output_dir of a run");
  }
  run.name = run.folder.filename().string();
  const fs::path& path = run.folder;
  if (!has(path / run_files::kConfig) && !has(path / run_files::kMetrics)) {
    throw DataError("run '" + folder.string() + "' has neither " + run_files::kConfig + " nor " +
                    run_files::kMetrics + "; name the output_dir of a run");
  }
  read_config(path / run_files::kConfig, run);
  read_summary(path / run_files::kSummary, run);
  read_metrics(path / run_files::kMetrics, run);
  read_documents(path / run_files::kDocuments, run);
  read_texts(path / run_files::kSamples, path / run_files::kTextQuality, run);
  if (!run.steps && !run.train.empty()) run.steps = run.train.back().step;
  for (const char* file :
       {run_files::kConfig, run_files::kSummary, run_files::kMetrics, run_files::kDocuments,
        run_files::kSamples, run_files::kTextQuality, run_files::kFrequency}) {
    add_hash(path / file, run);
  }
  return run;
}

}  // namespace pdl::report
