#include "pdl/metrics/jsonl_sink.h"

#include <cmath>
#include <nlohmann/json.hpp>
#include <string_view>

#include "pdl/base/error.h"
#include "pdl/base/json.h"
#include "pdl/base/log.h"
#include "pdl/metrics/fields.h"

namespace pdl {
namespace {

// Keeps the order in which fields are set, because people read the lines too.
using Json = nlohmann::ordered_json;

// A tokenizer's piece need not be UTF-8, but JSON text must be.
std::string to_text(const Json& object, int indent = -1) {
  return object.dump(indent, ' ', false, Json::error_handler_t::replace);
}

// Sets fields of `object`; nlohmann writes a non-finite number as null.
struct FieldSetter {
  Json& object;
  std::string prefix;

  template <class Number>
  void operator()(const char* name, Number value) const {
    object[prefix + name] = value;
  }
  void operator()(const char* name, const std::optional<double>& value) const {
    object[prefix + name] = value.has_value() ? Json(*value) : Json(nullptr);
  }
};

template <class Metrics>
void add_fields(Json& object, const Metrics& metrics) {
  for_each_field(metrics, FieldSetter{object, ""});
}

void add_fields(Json& object, const StepMetrics& step) {
  for_each_field(step, FieldSetter{object, ""});
  if (!step.peak_memory_gb.has_value()) {
    object.erase("peak_memory_gb");  // on the CPU the line lacks the field
  }
}

void add_fields(Json& object, const EvalMetrics& eval) {
  for_each_field(eval, FieldSetter{object, "eval_"});
  Json bands = Json::object();
  for (size_t i = 0; i < kFrequencyBands.size(); ++i) {
    Json& band = bands[std::string(kFrequencyBands[i].name)];
    add_fields(band, eval.eval_bands[i]);
  }
  object["eval_bands"] = std::move(bands);
  if (eval.best_tau) {
    object["best_tau"] = *eval.best_tau;
    object["detilted_ce"] = eval.detilted_ce.value_or(NAN);  // NaN is null
  }
  if (eval.eval_nonfinite_tokens > 0) object["eval_nonfinite_tokens"] = eval.eval_nonfinite_tokens;
}

void add_fields(Json& object, const WeightStatistics& weights) {
  for_each_field(weights, FieldSetter{object, ""});
  for (size_t i = 0; i < kFrequencyBands.size(); ++i) {
    add_fields(object["weight_bands"][std::string(kFrequencyBands[i].name)],
               weights.weight_bands[i]);
  }
  object["cap"] = nullptr;
  if (weights.cap.has_value()) {
    add_fields(object["cap"], *weights.cap);
  }
  object["top_tokens"] = Json::array();
  for (const TokenShare& token : weights.top_tokens) {
    Json item;
    item["id"] = token.id;
    item["piece"] = token.piece;
    item["count"] = token.count;
    item["weight"] = token.weight;
    item["weight_share"] = token.weight_share;
    object["top_tokens"].push_back(std::move(item));
  }
}

Json new_event(const char* event) {
  Json line;
  line["event"] = event;
  return line;
}

Json new_event(const char* event, int64_t step) {
  Json line = new_event(event);
  line["step"] = step;
  return line;
}

void add_summary(Json& object, const RunSummary& summary) {
  object["status"] = name_of(summary.status);
  object["exit_code"] = summary.exit_code;
  object["steps"] = summary.steps;
  object["num_tokens"] = summary.num_tokens;
  object["wall_seconds"] = summary.wall_seconds;
  Json last = Json::object();
  if (summary.final_eval.has_value()) {
    last["step"] = summary.final_eval->step;
  }
  if (summary.final_train.has_value()) {
    last["step"] = summary.final_train->step;
    add_fields(last, *summary.final_train);
  }
  if (summary.final_eval.has_value()) {
    add_fields(last, *summary.final_eval);
  }
  object["final"] = std::move(last);
  Json best(nullptr);
  if (summary.best_eval.has_value()) {
    best["step"] = summary.best_eval->step;
    add_fields(best, *summary.best_eval);
  }
  object["best"] = std::move(best);
  object["compute"] = {{"device", summary.compute.device},
                       {"kernels", summary.compute.kernels},
                       {"num_threads", summary.compute.num_threads}};
  Json versions = Json::object();
  for (const auto& [component, version] : summary.versions) {
    versions[component] = version;
  }
  object["versions"] = std::move(versions);
  object["git_hash"] = summary.git_hash;
  for (const PhaseTime& phase : summary.profile) {
    Json& entry = object["profile"][phase.name];
    entry = {{"seconds", phase.seconds}, {"calls", phase.calls}};
    if (phase.floor_seconds) entry["floor_seconds"] = *phase.floor_seconds;
  }
}

void append_line(AppendFile& file, const Json& line) { file.append(to_text(line) + '\n'); }

// A file that a resumed run appends to.
struct LineFile {
  std::filesystem::path path;
  bool has_events;  // else each line is a sample
};

// What decides whether a line is kept.
struct LineFields {
  std::string event;
  std::optional<int64_t> step;
};

// Throws DataError, with the file and the line's number, for what is not a line of such a file.
LineFields read_fields(std::string_view line, const LineFile& file, int64_t line_number) {
  const JsonBlame blame = JsonBlame::of<DataError>(file.path.filename().string() + ": line " +
                                                   std::to_string(line_number) + ": ");
  const JsonValue root = parse_json(line, {}, blame);
  ObjectReader object(root, blame);
  LineFields fields{.event = "sample", .step = {}};
  if (file.has_events) fields.event = object.string("event");
  if (object.has("step")) fields.step = object.integer("step");
  return fields;
}

// What an evaluation writes, which is written again where one is still due.
bool is_of_evaluation(const std::string& event) { return event == "eval" || event == "sample"; }

struct KeptLines {
  std::string text;
  bool has_start_line = false;
};

// Drops an incomplete last line too.
KeptLines lines_known_at(std::string_view content, const LineFile& file,
                         const ResumePoint& resumed) {
  KeptLines kept;
  int64_t line_number = 0;
  for (size_t end = content.find('\n'); end != std::string_view::npos; end = content.find('\n')) {
    const std::string_view line = content.substr(0, end + 1);
    content.remove_prefix(end + 1);
    ++line_number;
    try {
      const LineFields fields = read_fields(line, file, line_number);
      const bool is_start = fields.event == "start";
      const bool is_repeated =
          resumed.evaluation_due && fields.step == resumed.step && is_of_evaluation(fields.event);
      const bool is_known = fields.step && *fields.step <= resumed.step && !is_repeated;
      if (is_start || is_known) kept.text += line;
      kept.has_start_line = kept.has_start_line || is_start;
    } catch (const DataError& problem) {
      log_warning(std::string(problem.what()) + "; it is dropped");
    }
  }
  return kept;
}

// Cuts the file back to what the run will append to. Returns true if it holds a start line.
bool prepare_file(const LineFile& file, std::optional<ResumePoint> resumed) {
  std::error_code ignored;
  if (!resumed.has_value() || !std::filesystem::exists(file.path, ignored)) {
    write_file_durably(file.path, "");
    return false;
  }
  const std::string content = read_file<StorageError>("file of a run", file.path);
  const KeptLines kept = lines_known_at(content, file, *resumed);
  if (kept.text != content) {
    write_file_durably(file.path, kept.text);
  }
  return kept.has_start_line;
}

}  // namespace

JsonlSink::JsonlSink(const std::filesystem::path& path, std::optional<ResumePoint> resumed)
    : has_start_line_(prepare_file({path, /*has_events=*/true}, resumed)), file_(path) {}

void JsonlSink::on_start(const StartMetrics& start) {
  if (has_start_line_) {
    return;
  }
  Json line = new_event("start");
  line["parameters"] = start.parameters;
  line["trainable_parameters"] = start.trainable_parameters;
  line["num_tokens"] = start.num_tokens;
  line["steps"] = start.steps;
  line["rows"] = start.rows;
  line["documents"] = start.documents;
  line["empty_documents"] = start.empty_documents;
  add_fields(line, start.weights);
  append_line(file_, line);
  has_start_line_ = true;
}

void JsonlSink::on_resume(int64_t step) { append_line(file_, new_event("resume", step)); }

void JsonlSink::on_step(const StepMetrics& step) {
  Json line = new_event("train", step.step);
  add_fields(line, step);
  append_line(file_, line);
}

void JsonlSink::on_skip(const SkipMetrics& skip) {
  Json line = new_event("skip", skip.step);
  line["rows"] = skip.rows;
  line["reason"] = skip.reason;
  append_line(file_, line);
}

void JsonlSink::on_spike(const SpikeMetrics& spike) {
  Json line = new_event("spike", spike.step);
  line["rows"] = spike.rows;
  line["ce"] = spike.ce;
  line["z_score"] = spike.z_score;
  append_line(file_, line);
}

void JsonlSink::on_eval(const EvalMetrics& eval) {
  Json line = new_event("eval", eval.step);
  add_fields(line, eval);
  append_line(file_, line);
}

void JsonlSink::on_sample(const SampleMetrics& sample) {
  Json line = new_event("sample", sample.step);
  line["prompt_index"] = sample.sample.prompt_index;
  line["text"] = sample.sample.text;
  append_line(file_, line);
}

void JsonlSink::on_end(const RunSummary& summary) {
  Json line = new_event("end");
  add_summary(line, summary);
  append_line(file_, line);
}

SampleSink::SampleSink(const std::filesystem::path& path, std::optional<ResumePoint> resumed)
    : file_((prepare_file({path, /*has_events=*/false}, resumed), path)) {}

void SampleSink::on_sample(const SampleMetrics& sample) {
  const std::string members = to_json(sample.sample, sample.prompt, sample.seed).substr(1);
  file_.append("{\"step\":" + std::to_string(sample.step) + "," + members + "\n");
}

std::string eval_metrics_json(const EvalMetrics& eval) {
  Json object;
  add_fields(object, eval);
  return to_text(object);
}

std::string run_summary_json(const RunSummary& summary) {
  Json object;
  add_summary(object, summary);
  return to_text(object, 2) + '\n';
}

}  // namespace pdl
