#include "pdl/example/example_folder.h"

#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>

#include "pdl/base/random.h"
#include "pdl/model/families/read_decoder_spec.h"
#include "pdl/safetensors/header.h"

namespace pdl {
namespace {

std::string config_json(const ExampleModelSizes& sizes) {
  nlohmann::ordered_json config;
  config["architectures"] = {"LlamaForCausalLM"};
  config["model_type"] = "llama";
  config["vocab_size"] = sizes.vocab_size;
  config["hidden_size"] = sizes.width;
  config["intermediate_size"] = 3 * sizes.width;
  config["num_hidden_layers"] = sizes.layers;
  config["num_attention_heads"] = sizes.heads;
  config["num_key_value_heads"] = sizes.heads / 2;
  config["max_position_embeddings"] = 1024;
  config["rms_norm_eps"] = 1e-5;
  config["rope_parameters"] = {{"rope_type", "default"}, {"rope_theta", 10000.0}};
  config["hidden_act"] = "silu";
  config["tie_word_embeddings"] = true;
  config["bos_token_id"] = 1;
  config["eos_token_id"] = 2;
  config["dtype"] = "float32";
  return config.dump(2) + "\n";
}

bool ends_with(const std::string& name, const std::string& ending) {
  return name.size() >= ending.size() && name.ends_with(ending);
}

// The standard deviation of a matrix's values. The sum of the 2·layers additions to the residual
// stream keeps the size of one addition.
double deviation_of(const TensorSpec& tensor, int64_t layers) {
  if (ends_with(tensor.name, "embed_tokens.weight")) return 0.02;
  const bool adds =
      ends_with(tensor.name, "o_proj.weight") || ends_with(tensor.name, "down_proj.weight");
  const double scale = adds ? 1 / std::sqrt(static_cast<double>(2 * layers)) : 1;
  return scale / std::sqrt(static_cast<double>(tensor.shape[1]));
}

// Norms are ones. Matrices are uniform, by operations that IEEE 754 rounds exactly, so that every
// machine gets the same bits.
std::string values_of(const TensorSpec& tensor, int64_t layers, Random& random) {
  const auto count = static_cast<size_t>(num_elements(tensor.shape));
  std::vector<float> values(count, 1);
  if (tensor.shape.size() == 2) {
    const double bound = std::sqrt(3.0) * deviation_of(tensor, layers);
    for (float& value : values) value = static_cast<float>((2 * random.uniform() - 1) * bound);
  }
  std::string bytes(count * sizeof(float), '\0');
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

std::string weights_file(const DecoderSpec& spec, uint64_t seed) {
  Random random(seed);
  std::vector<SafetensorsEntry> entries;
  std::string data;
  for (const TensorSpec& tensor : list_tensors(spec)) {
    entries.push_back({.name = tensor.name, .dtype = "F32", .shape = tensor.shape});
    data += values_of(tensor, std::ssize(spec.layers), random);
  }
  return encode_safetensors_header(entries) + data;
}

}  // namespace

std::vector<std::pair<std::string, std::string>> make_example_folder(const ExampleModelSizes& sizes,
                                                                     uint64_t seed) {
  const std::string config = config_json(sizes);
  const FamilyConfig family = read_decoder_spec(config, "example");
  return {{"config.json", config},
          {"generation_config.json", "{\n  \"bos_token_id\": 1,\n  \"eos_token_id\": 2\n}\n"},
          {"model.safetensors", weights_file(family.spec, seed)}};
}

}  // namespace pdl
