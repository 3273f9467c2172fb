#include "pdl/checkpoint/records/trainer_state.h"

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "pdl/base/error.h"
#include "pdl/base/unicode.h"
#include "pdl/metrics/fields.h"

namespace pdl {
namespace {

using Json = nlohmann::ordered_json;

// What is read need not keep its order; an object that does compares each new name with all before.
using Parsed = nlohmann::json;

// A non-finite number is null in JSON.
void get(const Parsed& value, double& number) {
  number = value.is_null() ? std::numeric_limits<double>::quiet_NaN() : value.get<double>();
}
void get(const Parsed& value, std::optional<double>& number) {
  number = value.is_null() ? std::nullopt : std::optional(value.get<double>());
}
// All integers are counts. The library would cut what is none to fit.
void get(const Parsed& value, int64_t& count) {
  if (!value.is_number_unsigned() || !std::in_range<int64_t>(value.get<uint64_t>())) {
    throw std::invalid_argument("a count is " + printable(value.dump()));
  }
  count = value.get<int64_t>();
}
void get(const Parsed& value, bool& flag) { flag = value.get<bool>(); }
void get(const Parsed& value, std::vector<double>& numbers) {
  numbers = value.get<std::vector<double>>();
}
void get(const Parsed& value, std::string& text) { text = value.get<std::string>(); }

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
void fields_from_json(const Parsed& object, Metrics& metrics) {
  for_each_field(metrics, [&](const char* name, auto& field) { get(object.at(name), field); });
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
  return object;
}

void from_object(const Parsed& object, StepMetrics& metrics) {
  fields_from_json(object, metrics);
  get(object.at("step"), metrics.step);
}

void from_object(const Parsed& object, EvalMetrics& metrics) {
  fields_from_json(object, metrics);
  get(object.at("step"), metrics.step);
  for (size_t band = 0; band < metrics.eval_bands.size(); ++band) {
    fields_from_json(object.at("bands").at(band), metrics.eval_bands[band]);
  }
}

template <class Metrics>
Json optional_to_object(const std::optional<Metrics>& metrics) {
  return metrics ? to_object(*metrics) : Json();
}

template <class Metrics>
void optional_from_object(const Parsed& object, std::optional<Metrics>& metrics) {
  if (!object.is_null()) from_object(object, metrics.emplace());
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

[[noreturn]] void refuse(const std::string& name, const std::string& why) {
  throw CheckpointError("'" + name + "' is not a trainer state of this version: " + why);
}

// What is nested deeply would be written again on the stack.
Parsed parse(const std::string& text) {
  constexpr int kMaxDepth = 16;
  // The parser takes a NUL byte for the end of the text.
  if (text.find('\0') != std::string::npos) throw std::invalid_argument("it has a NUL byte");
  const Parsed::parser_callback_t limit_depth = [](int depth, Parsed::parse_event_t, Parsed&) {
    if (depth > kMaxDepth) throw std::invalid_argument("it is nested too deeply");
    return true;
  };
  return Parsed::parse(text, limit_depth);
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
  TrainerState state;
  RunIdentity identity;
  try {
    const Parsed root = parse(text);
    const auto read = [&](const char* key, auto& field) { get(root.at(key), field); };
    visit_state(state, read);
    visit_sums(state.ledger.pending,
               [&](const char* key, auto& field) { get(root.at("pending").at(key), field); });
    optional_from_object(root.at("last_train"), state.last_train);
    optional_from_object(root.at("last_eval"), state.last_eval);
    optional_from_object(root.at("best_eval"), state.selection.best_eval);
    visit_identity(identity, read);
    identity.config_json = root.at("config").dump(1) + "\n";
    for (const auto& [component, version] :
         root.at("versions").get_ref<const Parsed::object_t&>()) {
      identity.versions.emplace_back(component, version.get<std::string>());
    }
  } catch (const Parsed::exception& problem) {
    refuse(name, problem.what());
  } catch (const std::invalid_argument& problem) {
    refuse(name, problem.what());
  }
  return {state, identity};
}

}  // namespace pdl
