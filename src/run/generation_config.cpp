#include "pdl/run/generation_config.h"

#include <array>

#include "pdl/base/error.h"
#include "pdl/base/file.h"
#include "pdl/base/json.h"
#include "pdl/config/config_table.h"

namespace pdl {
namespace {

// Fields that change no text of this program: ids that other files tell, too, or that padding
// needs, how transformers computes, and what its methods return. eos_ids() reads eos_token_id.
constexpr std::array<std::string_view, 15> kWithoutEffect = {"eos_token_id",
                                                             "bos_token_id",
                                                             "pad_token_id",
                                                             "transformers_version",
                                                             "_from_model_config",
                                                             "use_cache",
                                                             "cache_implementation",
                                                             "return_dict_in_generate",
                                                             "output_attentions",
                                                             "output_hidden_states",
                                                             "output_scores",
                                                             "output_logits",
                                                             "decoder_start_token_id",
                                                             "trust_remote_code",
                                                             "_commit_hash"};

// Reads the fields, and notes what becomes of each.
class FieldReader {
 public:
  FieldReader(ObjectReader& file, const std::function<bool(std::string_view)>& is_typed,
              GenerationConfigNotes& notes)
      : file_(file), is_typed_(is_typed), notes_(notes) {}

  void read(std::string_view name, double& option) {
    if (file_.find(name) != nullptr) set(name, option, file_.number(name));
  }
  void read(std::string_view name, int64_t& option) {
    if (file_.find(name) != nullptr) set(name, option, file_.integer(name, 0));
  }

 private:
  template <class Number>
  void set(std::string_view name, Number& option, Number value) {
    const std::string note = std::string(name) + " " + shown(ConfigValue(value));
    if (is_typed_(name)) {
      notes_.overridden.push_back(note);
      return;
    }
    option = value;
    notes_.heeded.push_back(note);
  }

  ObjectReader& file_;
  const std::function<bool(std::string_view)>& is_typed_;
  GenerationConfigNotes& notes_;
};

// null and false ask for nothing.
bool asks_for_nothing(const JsonValue& value) {
  return value.is(JsonValue::Kind::kNull) ||
         (value.is(JsonValue::Kind::kBoolean) && !value.boolean());
}

}  // namespace

GenerationConfigNotes apply_generation_config(
    const std::filesystem::path& model_path,
    const std::function<bool(std::string_view name)>& is_typed, GenerationOptions& options) {
  const std::filesystem::path path = model_path / "generation_config.json";
  const JsonBlame blame = JsonBlame::of<ModelError>("model '" + path.string() + "': ");
  const JsonValue value = parse_json(read_file<ModelError>("model", path), JsonRules{}, blame);
  ObjectReader file(value, blame);
  GenerationConfigNotes notes;
  FieldReader fields(file, is_typed, notes);
  fields.read("max_new_tokens", options.max_new_tokens);
  fields.read("min_new_tokens", options.min_new_tokens);
  fields.read("num_return_sequences", options.num_return_sequences);
  SamplingOptions& sampling = options.sampling;
  fields.read("repetition_penalty", sampling.repetition_penalty);
  fields.read("no_repeat_ngram_size", sampling.no_repeat_ngram_size);
  const bool samples = file.boolean_or("do_sample", false);
  notes.heeded.push_back(samples ? "do_sample true" : "do_sample false");
  if (samples) {
    if (!is_typed("temperature")) sampling.temperature = 1;  // unless the file names one
    fields.read("temperature", sampling.temperature);
    fields.read("top_k", sampling.top_k);
    fields.read("top_p", sampling.top_p);
    fields.read("min_p", sampling.min_p);
  } else {
    for (const char* name : {"temperature", "top_k", "top_p", "min_p"}) file.ignore(name);
  }
  for (const std::string_view name : kWithoutEffect) file.ignore(name);
  for (const auto& [name, member] : file.unasked()) {
    if (!asks_for_nothing(*member)) notes.unknown.push_back(name);
  }
  return notes;
}

}  // namespace pdl
