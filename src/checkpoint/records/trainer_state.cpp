#include "pdl/checkpoint/records/trainer_state.h"

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "pdl/base/error.h"
#include "pdl/base/json.h"
#include "pdl/metrics/fields.h"

namespace pdl {
namespace {

using Json = nlohmann::ordered_json;

// The config of a state is written again by recursion.
constexpr JsonRules kRules = {.max_depth = 16, .byte_order_mark = true};

// Reads a field of its name. A non-finite number is null in JSON; all integers are counts.
void get(ObjectReader& reader, const char* name, double& number) {
  const bool is_null = reader.required(name).is(JsonValue::Kind::kNull);
  number = is_null ? std::numeric_limits<double>::quiet_NaN() : reader.number(name);
}
void get(ObjectReader& reader, const char* name, std::optional<double>& number) {
  const bool is_null = reader.required(name).is(JsonValue::Kind::kNull);
  number = is_null ? std::nullopt : std::optional(reader.number(name));
}
void get(ObjectReader& reader, const char* name, int64_t& count) {
  count = reader.integer(name, 0);
}
void get(ObjectReader& reader, const char* name, bool& flag) { flag = reader.boolean(name); }
void get(ObjectReader& reader, const char* name, std::vector<double>& numbers) {
  numbers = reader.numbers(name);
}
void get(ObjectReader& reader, const char* name, std::string& text) { text = reader.string(name); }

Json put(double number) { return number; }
Json put(int64_t number) { return number; }
Json put(const std::optional<double>& number) { return number ? Json(*number) : Json(); }

template <class Metrics>
Json fields_to_json(const Metrics& metrics) {
  Json object;
  for_each_field(metrics, [&](const char* name, const auto& field) { object[name] = put(field); });
  return object;
}

template <class Metrics>
void read_fields(ObjectReader& reader, Metrics& metrics) {
  for_each_field(metrics, [&](const char* name, auto& field) { get(reader, name, field); });
}

Json to_object(const StepMetrics& metrics) {
  Json object = fields_to_json(metrics);
  object["step"] = metrics.step;
  return object;
}

Json to_object(const EvalMetrics& metrics) {
  Json object = fields_to_json(metrics);
  object["step"] = metrics.step;
  object["bands"] = Json::array();
  for (const BandMetrics& band : metrics.eval_bands)
    object["bands"].push_back(fields_to_json(band));
  object["best_tau"] = put(metrics.best_tau);
  object["detilted_ce"] = put(metrics.detilted_ce);
  object["nonfinite_tokens"] = metrics.eval_nonfinite_tokens;
  return object;
}

void read_metrics(ObjectReader& reader, StepMetrics& metrics) {
  read_fields(reader, metrics);
  get(reader, "step", metrics.step);
}

void read_metrics(ObjectReader& reader, EvalMetrics& metrics) {
  read_fields(reader, metrics);
  get(reader, "step", metrics.step);
  const std::vector<JsonValue>& bands = reader.required("bands", JsonValue::Kind::kArray).items();
  if (bands.size() < metrics.eval_bands.size()) reader.fail_at("bands", "has too few bands");
  for (size_t band = 0; band < metrics.eval_bands.size(); ++band) {
    ObjectReader fields(bands[band], reader.blame(), element_place(reader.place_of("bands"), band));
    read_fields(fields, metrics.eval_bands[band]);
  }
  // Checkpoints of earlier versions have no grid.
  if (!reader.has("best_tau")) return;
  get(reader, "best_tau", metrics.best_tau);
  get(reader, "detilted_ce", metrics.detilted_ce);
  if (metrics.best_tau && !metrics.detilted_ce) metrics.detilted_ce = NAN;
  get(reader, "nonfinite_tokens", metrics.eval_nonfinite_tokens);
}

template <class Metrics>
Json optional_to_object(const std::optional<Metrics>& metrics) {
  return metrics ? to_object(*metrics) : Json();
}

template <class Metrics>
void read_optional(ObjectReader& reader, const char* name, std::optional<Metrics>& metrics) {
  if (reader.required(name).is(JsonValue::Kind::kNull)) return;
  ObjectReader object = reader.object(name);
  read_metrics(object, metrics.emplace());
}

// Visits the plain fields of state, sums and identity under their names, so that writing and
// reading cannot disagree.
template <class Sums, class Visit>
void visit_sums(Sums& sums, const Visit& visit) {
  visit("weighted_sum", sums.weighted_sum);
  visit("ce_sum", sums.ce_sum);
  visit("weight_sum", sums.weight_sum);
  visit("square_sum", sums.square_sum);
  visit("num_tokens", sums.num_tokens);
  visit("steps", sums.steps);
}

template <class State, class Visit>
void visit_state(State& state, const Visit& visit) {
  visit("step", state.step);
  visit("num_tokens", state.ledger.num_tokens);
  visit("skipped_steps", state.ledger.skipped_steps);
  visit("bad_steps_in_a_row", state.ledger.bad_steps_in_a_row);
  visit("learning_rate", state.ledger.learning_rate);
  visit("grad_norm", state.ledger.grad_norm);
  visit("ce_history", state.ledger.ce_history);
  visit("evaluation_due", state.evaluation_due);
  visit("evaluations_without_improvement", state.selection.evaluations_without_improvement);
  visit("stopped_early", state.selection.stopped_early);
}

template <class Identity, class Visit>
void visit_identity(Identity& identity, const Visit& visit) {
  visit("model_sha256", identity.model_sha256);
  visit("tokenizer_sha256", identity.tokenizer_sha256);
  visit("train_sha256", identity.train_sha256);
  visit("eval_sha256", identity.eval_sha256);
  visit("frequency_sha256", identity.frequency_sha256);
}

}  // namespace

std::string to_json(const TrainerState& state, const RunIdentity& identity) {
  Json root;
  const auto set = [&](const char* name, const auto& field) { root[name] = field; };
  visit_state(state, set);
  visit_sums(state.ledger.pending,
             [&](const char* name, const auto& field) { root["pending"][name] = field; });
  root["last_train"] = optional_to_object(state.last_train);
  root["last_eval"] = optional_to_object(state.last_eval);
  root["best_eval"] = optional_to_object(state.selection.best_eval);
  visit_identity(identity, set);
  root["config"] = Json::parse(identity.config_json);
  root["versions"] = Json::object();
  for (const auto& [component, version] : identity.versions) root["versions"][component] = version;
  return root.dump(1) + "\n";
}

std::pair<TrainerState, RunIdentity> parse_trainer_state(const std::string& text,
                                                         const std::string& name) {
  const auto blame =
      JsonBlame::of<CheckpointError>("'" + name + "' is not a trainer state of this version: ");
  const JsonValue value = parse_json(text, kRules, blame);
  ObjectReader root(value, blame);
  TrainerState state;
  RunIdentity identity;
  const auto read = [&](const char* key, auto& field) { get(root, key, field); };
  visit_state(state, read);
  ObjectReader pending = root.object("pending");
  visit_sums(state.ledger.pending, [&](const char* key, auto& field) { get(pending, key, field); });
  read_optional(root, "last_train", state.last_train);
  read_optional(root, "last_eval", state.last_eval);
  read_optional(root, "best_eval", state.selection.best_eval);
  visit_identity(identity, read);
  root.required("config");
  // The guards have let the text pass. An object that keeps its order would compare each name with
  // all before.
  identity.config_json = nlohmann::json::parse(text).at("config").dump(1) + "\n";
  const JsonValue& versions = root.required("versions", JsonValue::Kind::kObject);
  for (size_t i = 0; i < versions.keys().size(); ++i) {
    if (!versions.items()[i].is_string()) root.fail_at("versions", "holds one that is no string");
    identity.versions.emplace_back(versions.keys()[i], versions.items()[i].text());
  }
  return {state, identity};
}

}  // namespace pdl
