// The configs of data/family_configs, and what transformers makes of them.
#include "pdl/model/families/decoder_spec.h"

#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "pdl/model/families/read_decoder_spec.h"

namespace pdl {
namespace {

using Json = nlohmann::json;

Json cases() {
  std::ifstream file(std::string(PDL_TEST_DATA) + "/data/family_configs/expected.json");
  return Json::parse(file).at("cases");
}

std::string name_of(Activation activation) {
  switch (activation) {
    case Activation::kSilu:
      return "silu";
    case Activation::kGelu:
      return "gelu";
    case Activation::kGeluTanh:
      return "gelu_tanh";
    case Activation::kRelu:
      return "relu";
  }
  return "";
}

std::map<std::string, std::vector<int64_t>> tensors_of_first_layer(const DecoderSpec& spec) {
  std::map<std::string, std::vector<int64_t>> tensors;
  std::vector<TensorSpec> all = list_tensors(spec);
  for (const TensorSpec& tensor : list_head_tensors(spec)) {
    if (tensor.shape.size() == 1 || !spec.ties_head) all.push_back(tensor);
  }
  const std::string layers = spec.names.prefix + spec.names.layers;
  for (const TensorSpec& tensor : all) {
    if (!tensor.name.starts_with(layers) || tensor.name.starts_with(layers + "0."))
      tensors[tensor.name] = tensor.shape;
  }
  return tensors;
}

void expect_rotary(const RotarySpec& rotary, const Json& expected) {
  const std::string type = expected.at("type");
  EXPECT_EQ(rotary.type, type == "linear"   ? RotaryType::kLinear
                         : type == "llama3" ? RotaryType::kLlama3
                                            : RotaryType::kDefault);
  EXPECT_EQ(rotary.theta, expected.at("theta"));
  EXPECT_EQ(rotary.dims, expected.at("dims"));
  EXPECT_EQ(rotary.factor, expected.value("factor", 1.0));
  if (type != "llama3") return;
  EXPECT_EQ(rotary.low_freq_factor, expected.at("low_freq_factor"));
  EXPECT_EQ(rotary.high_freq_factor, expected.at("high_freq_factor"));
  EXPECT_EQ(rotary.original_max_positions, expected.at("original_max_position_embeddings"));
}

void expect_sizes(const DecoderSpec& spec, const Json& expected) {
  EXPECT_EQ(spec.vocab_size, expected.at("vocab_size"));
  EXPECT_EQ(spec.hidden_size, expected.at("hidden_size"));
  EXPECT_EQ(spec.num_heads, expected.at("num_heads"));
  EXPECT_EQ(spec.num_kv_heads, expected.at("num_kv_heads"));
  EXPECT_EQ(spec.head_dim, expected.at("head_dim"));
  EXPECT_EQ(spec.max_positions, expected.at("max_positions"));
  if (expected.contains("tensors")) {
    EXPECT_EQ(Json(tensors_of_first_layer(spec)), expected.at("tensors"));
  }
}

void expect_layers(const DecoderSpec& spec, const Json& expected) {
  ASSERT_EQ(spec.layers.size(), expected.at("layers").size());
  for (size_t i = 0; i < spec.layers.size(); ++i) {
    const Json& layer = expected.at("layers")[i];
    EXPECT_EQ(spec.layers[i].window, layer[0]) << "layer " << i;
    EXPECT_EQ(spec.layers[i].rotary != LayerSpec::kNoRotary, layer[1]) << "layer " << i;
    if (spec.rotary.size() == 2) {
      EXPECT_EQ(spec.layers[i].rotary == 0, layer[0] != 0) << "layer " << i;
    }
  }
  ASSERT_EQ(spec.rotary.size(), expected.at("rotary").size());
  for (size_t i = 0; i < spec.rotary.size(); ++i)
    expect_rotary(spec.rotary[i], expected.at("rotary")[i]);
}

void expect_scales(const DecoderSpec& spec, const Json& expected) {
  EXPECT_EQ(spec.norm_eps, expected.at("norm_eps"));
  EXPECT_DOUBLE_EQ(spec.attention_scale, expected.at("attention_scale"));
  EXPECT_EQ(spec.attention_softcap, expected.at("attention_softcap"));
  EXPECT_EQ(spec.logit_softcap, expected.at("logit_softcap"));
  EXPECT_EQ(spec.logit_scale, expected.at("logit_scale"));
  EXPECT_EQ(spec.embedding_scale, expected.at("embedding_scale"));
  EXPECT_EQ(spec.residual_scale, expected.at("residual_scale"));
  EXPECT_EQ(spec.clip_qkv, expected.at("clip_qkv"));
  EXPECT_EQ(name_of(spec.activation), expected.at("activation"));
  EXPECT_EQ(spec.ties_head, expected.at("ties_head"));
  EXPECT_EQ(spec.padding_id ? Json(*spec.padding_id) : Json(), expected.at("padding_id"));
  const DropoutSpec& dropout = spec.dropout;
  EXPECT_EQ(Json({dropout.embedding, dropout.attention, dropout.attention_output,
                  dropout.feed_forward_output}),
            expected.at("dropout"));
}

TEST(DecoderSpec, IsWhatTransformersMakesOfAConfig) {
  const Json all = cases();
  ASSERT_GT(all.size(), 80U);
  for (const Json& one : all) {
    SCOPED_TRACE(one.at("name").get<std::string>());
    FamilyConfig config;
    ASSERT_NO_THROW(config = read_decoder_spec(one.at("config").dump(), "folder"));
    const Json& expected = one.at("expected");
    expect_sizes(config.spec, expected);
    expect_layers(config.spec, expected);
    expect_scales(config.spec, expected);
  }
}

}  // namespace
}  // namespace pdl
