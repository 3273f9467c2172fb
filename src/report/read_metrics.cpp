#include <functional>
#include <string_view>

#include "lenient_json.h"
#include "pdl/base/file.h"
#include "run_data.h"

namespace pdl::report {
namespace {

// Calls read(line) for each line that is a JSON object and notes the others. A last line without a
// line feed is what a run that was killed, or still writes, has left.
void for_each_object(const std::filesystem::path& path, RunData& run,
                     const std::function<void(const JsonValue& line)>& read) {
  const std::string file = path.filename().string();
  std::string content;
  if (const std::string problem = try_read_file(path, content); !problem.empty()) {
    run.notes.push_back(file + " " + problem);
    return;
  }
  std::string_view rest = content;
  size_t damaged = 0;
  for (size_t end = rest.find('\n'); end != std::string_view::npos; end = rest.find('\n')) {
    JsonValue line;
    const bool is_json = !try_parse_json(rest.substr(0, end), {}, line);
    rest.remove_prefix(end + 1);
    if (is_json && line.is(JsonValue::Kind::kObject)) {
      read(line);
    } else {
      ++damaged;
    }
  }
  if (!rest.empty()) run.notes.push_back(file + ": its last line is cut, and left out");
  if (damaged > 0) {
    run.notes.push_back(file + ": " + std::to_string(damaged) +
                        (damaged == 1 ? " line is" : " lines are") +
                        " no JSON object, and left out");
  }
}

void read_start(const JsonValue& line, StartFigures& start) {
  start.parameters = integer(line, "parameters");
  start.trainable_parameters = integer(line, "trainable_parameters");
  start.w_min = number(line, "w_min");
  start.w_mean = number(line, "w_mean");
  start.w_max = number(line, "w_max");
  start.n_eff = number(line, "n_eff");
  if (const JsonValue* bands = find(line, "weight_bands")) {
    for (size_t i = 0; i < kFrequencyBands.size(); ++i) {
      const JsonValue* band = find(*bands, kFrequencyBands[i].name);
      if (band == nullptr) continue;
      start.bands[i] = {.tokens = integer(*band, "tokens"),
                        .weight_share = number(*band, "weight_share")};
    }
  }
  const JsonValue* tokens = find(line, "top_tokens");
  if (tokens == nullptr) return;
  for (const JsonValue& token : tokens->items()) {
    start.top_tokens.push_back({.piece = text(token, "piece"),
                                .count = integer(token, "count"),
                                .weight = number(token, "weight"),
                                .weight_share = number(token, "weight_share")});
  }
}

void read_eval(const JsonValue& line, EvalPoint& eval) {
  eval.ce = number(line, "eval_ce");
  const JsonValue* bands = find(line, "eval_bands");
  if (bands == nullptr) return;
  for (size_t i = 0; i < kFrequencyBands.size(); ++i) {
    const JsonValue* band = find(*bands, kFrequencyBands[i].name);
    if (band == nullptr) continue;
    eval.bands[i] = {.tokens = integer(*band, "tokens"),
                     .ce = number(*band, "ce"),
                     .predicted_mass = number(*band, "predicted_mass")};
  }
}

void read_line(const JsonValue& line, RunData& run) {
  const std::string event = text(line, "event");
  if (event == "start") return read_start(line, run.start.emplace());
  const std::optional<int64_t> step = integer(line, "step");
  if (!step) return;
  if (event == "train") {
    run.train.push_back({.step = *step, .loss = number(line, "loss"), .ce = number(line, "ce")});
  } else if (event == "eval") {
    run.evals.push_back({.step = *step, .ce = {}, .bands = {}});
    read_eval(line, run.evals.back());
  }
}

void read_sample(const JsonValue& line, RunData& run) {
  const std::optional<int64_t> step = integer(line, "step");
  const std::optional<int64_t> prompt_index = integer(line, "prompt_index");
  if (!step || !prompt_index || *step < run.sample_step) return;
  if (*step > run.sample_step) run.samples.clear();
  run.sample_step = *step;
  run.samples.push_back({.prompt_index = *prompt_index,
                         .sample = integer(line, "sample").value_or(0),
                         .prompt = text(line, "prompt"),
                         .text = text(line, "text")});
}

// The metrics of `human`, which are those of the other two.
void read_text_quality(const std::filesystem::path& path, RunData& run) {
  std::string content;
  JsonValue root;
  std::string problem = try_read_file(path, content);
  if (problem.empty()) problem = try_parse_json(content, {}, root).phrase();
  if (!problem.empty()) {
    run.notes.push_back(path.filename().string() + " " + problem);
    return;
  }
  const JsonValue* nested = find(root, "text_quality");  // as eval prints it
  const JsonValue& quality = nested != nullptr ? *nested : root;
  const JsonValue* generated = find(quality, "generated");
  if (generated == nullptr) return;
  const auto of = [&](const char* source, const std::string& name) {
    const JsonValue* object = find(quality, source);
    return object == nullptr ? std::nullopt : number(*object, name);
  };
  for (const std::string& name : generated->keys()) {
    run.text_quality.push_back({.name = name,
                                .generated = number(*generated, name),
                                .human = of("human", name),
                                .floor = of("floor", name)});
  }
}

}  // namespace

void read_metrics(const std::filesystem::path& path, RunData& run) {
  for_each_object(path, run, [&](const JsonValue& line) { read_line(line, run); });
}

void read_texts(const std::filesystem::path& samples, const std::filesystem::path& text_quality,
                RunData& run) {
  std::error_code ignored;
  if (std::filesystem::exists(samples, ignored)) {
    for_each_object(samples, run, [&](const JsonValue& line) { read_sample(line, run); });
  }
  if (std::filesystem::exists(text_quality, ignored)) read_text_quality(text_quality, run);
}

}  // namespace pdl::report
