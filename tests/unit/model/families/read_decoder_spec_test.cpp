#include "pdl/model/families/read_decoder_spec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "pdl/base/error.h"

namespace pdl {
namespace {

using Json = nlohmann::json;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Json small(const std::string& family) {
  if (family == "gpt2") return {{"model_type", family}, {"n_embd", 24}, {"n_head", 4}};
  Json config = {{"model_type", family},   {"vocab_size", 37},         {"hidden_size", 32},
                 {"num_hidden_layers", 2}, {"num_attention_heads", 4}, {"pad_token_id", nullptr}};
  if (family != "gpt_neox") config["num_key_value_heads"] = 2;
  return config;
}

FamilyConfig read(const Json& config) { return read_decoder_spec(config.dump(), "folder"); }

// Returns the message of the refusal, or "".
std::string refusal_of_text(const std::string& text) {
  try {
    read_decoder_spec(text, "folder");
  } catch (const ModelError& error) {
    return error.what();
  }
  return "";
}

std::string refusal(const Json& config) { return refusal_of_text(config.dump()); }

struct Refused {
  std::string family;
  Json change;  // of members; `refused` holds key and value as the message shows them
  std::vector<std::string> refused;
};

void PrintTo(const Refused& refused, std::ostream* out) {
  *out << refused.family << " " << refused.change.dump();
}

class ReadDecoderSpecTest : public testing::TestWithParam<Refused> {};

TEST_P(ReadDecoderSpecTest, RefusesWithKeyAndValue) {
  Json config = small(GetParam().family);
  config.update(GetParam().change);
  const std::string message = refusal(config);
  for (const std::string& part : GetParam().refused) EXPECT_THAT(message, HasSubstr(part));
  EXPECT_LE(message.size(), 293U);  // with "error: "
}

Json rope(const std::string& type) { return {{"rope_type", type}, {"factor", 4.0}}; }

INSTANTIATE_TEST_SUITE_P(
    Unsupported, ReadDecoderSpecTest,
    testing::Values(
        Refused{"llama", {{"model_type", "opt"}}, {"model_type", "\"opt\"", "export_model.py"}},
        Refused{"llama", {{"model_type", "mixtral"}}, {"model_type", "\"mixtral\""}},
        Refused{"llama", {{"rope_scaling", rope("dynamic")}}, {"rope_type", "\"dynamic\""}},
        Refused{"llama", {{"rope_scaling", rope("yarn")}}, {"rope_type", "\"yarn\""}},
        Refused{"llama", {{"rope_scaling", {{"type", "yarn"}}}}, {".type", "\"yarn\""}},
        Refused{"llama", {{"rope_parameters", rope("longrope")}}, {"rope_type", "\"longrope\""}},
        Refused{"gemma2", {{"rope_parameters", rope("proportional")}}, {"\"proportional\""}},
        Refused{"phi3", {{"rope_scaling", rope("su")}}, {"rope_type", "\"su\""}},
        Refused{"phi3", {{"rope_scaling", rope("linear")}}, {"rope_type", "\"linear\""}},
        Refused{"gemma3_text",
                {{"rope_scaling", {{"type", "linear"}, {"factor", 8}}}},
                {"rope_scaling.type", "\"linear\""}},
        Refused{"gemma3_text", {{"rope_parameters", {{"rope_theta", 5.5}}}}, {"rope_theta", "5.5"}},
        Refused{"phi", {{"qk_layernorm", true}}, {"qk_layernorm", "true"}},
        Refused{"stablelm", {{"qk_layernorm", true}}, {"qk_layernorm", "true"}},
        Refused{"cohere", {{"use_qk_norm", true}}, {"use_qk_norm", "true"}},
        Refused{"gpt2",
                {{"scale_attn_by_inverse_layer_idx", true}},
                {"scale_attn_by_inverse_layer_idx", "true"}},
        Refused{"gpt2", {{"add_cross_attention", true}}, {"add_cross_attention", "true"}},
        Refused{"gemma3_text",
                {{"use_bidirectional_attention", true}},
                {"use_bidirectional_attention", "true"}},
        Refused{"llama", {{"quantization_config", {{"bits", 4}}}}, {"quantization_config"}},
        Refused{"llama", {{"is_encoder_decoder", true}}, {"is_encoder_decoder", "true"}},
        Refused{"llama", {{"hidden_act", "quick_gelu"}}, {"hidden_act", "\"quick_gelu\""}},
        Refused{"llama", {{"num_experts", 8}}, {"num_experts", "8", "is not known"}},
        Refused{"llama", {{"alibi", true}}, {"alibi", "true"}},
        Refused{"llama", {{"per_layer_config", {{"0", {{"a", 1}}}}}}, {"per_layer_config"}},
        Refused{"qwen2",
                {{"layer_types", {"linear_attention", "full_attention"}}},
                {"layer_types[0]", "\"linear_attention\""}},
        Refused{"llama", {{"partial_rotary_factor", 0.5}}, {"partial_rotary_factor", "0.5"}},
        Refused{"qwen2", {{"head_dim", 16}}, {"head_dim", "16"}},
        Refused{"gpt_neox", {{"rope_theta", 5.0}}, {"rope_theta", "5.0"}},
        Refused{"gpt_neox", {{"partial_rotary_factor", 0.5}}, {"partial_rotary_factor", "0.5"}},
        Refused{"gpt_neox", {{"num_key_value_heads", 2}}, {"num_key_value_heads", "2"}},
        Refused{"starcoder2", {{"mlp_type", "gated"}}, {"mlp_type", "\"gated\""}},
        Refused{"cohere2", {{"use_parallel_block", 1}}, {"use_parallel_block"}},
        Refused{"gemma", {{"hidden_activation", "relu"}}, {"hidden_activation", "\"relu\""}}));

INSTANTIATE_TEST_SUITE_P(
    Inconsistent, ReadDecoderSpecTest,
    testing::Values(
        Refused{"llama", {{"num_key_value_heads", 3}}, {"num_key_value_heads", "3"}},
        Refused{"llama", {{"num_attention_heads", 5}}, {"num_key_value_heads"}},
        Refused{"llama", {{"num_attention_heads", 6}}, {"hidden_size", "32"}},
        Refused{"llama", {{"head_dim", 7}}, {"head_dim", "7"}},
        Refused{"llama", {{"pad_token_id", 37}}, {"pad_token_id", "37"}},
        Refused{"llama", {{"pad_token_id", -38}}, {"pad_token_id", "-38"}},
        Refused{"gpt2", {{"hidden_size", 36}}, {"n_embd", "hidden_size"}},
        Refused{"qwen3", {{"layer_types", {"full_attention"}}}, {"layer_types", "1 layers"}},
        Refused{"qwen3",
                {{"layer_types", {"full_attention", "sliding_attention"}}},
                {"layer_types", "sliding_attention"}},
        Refused{"smollm3", {{"no_rope_layers", {1}}}, {"no_rope_layers", "1 layers"}},
        Refused{"smollm3", {{"no_rope_layers", {1, 2}}}, {"no_rope_layers[1]", "2"}},
        Refused{"exaone4", {{"sliding_window", nullptr}}, {"layer_types", "sliding_window"}},
        Refused{"stablelm", {{"partial_rotary_factor", 1.5}}, {"partial_rotary_factor", "1.5"}},
        Refused{"stablelm", {{"partial_rotary_factor", 0.4}}, {"partial_rotary_factor", "0.4"}},
        Refused{"llama", {{"rope_scaling", {{"rope_type", "linear"}}}}, {"factor is missing"}},
        Refused{"llama",
                {{"rope_scaling",
                  {{"rope_type", "llama3"},
                   {"factor", 8},
                   {"low_freq_factor", 4},
                   {"high_freq_factor", 4}}}},
                {"high_freq_factor", "4"}}));

INSTANTIATE_TEST_SUITE_P(
    OfWrongTypeOrRange, ReadDecoderSpecTest,
    testing::Values(
        Refused{"llama", {{"model_type", 1}}, {"model_type"}},
        Refused{"llama", {{"model_type", nullptr}}, {"model_type"}},
        Refused{"llama", {{"hidden_size", "32"}}, {"hidden_size", "\"32\""}},
        Refused{"llama", {{"hidden_size", 32.5}}, {"hidden_size", "32.5"}},
        Refused{"llama", {{"hidden_size", 0}}, {"hidden_size", "0"}},
        Refused{"llama", {{"vocab_size", -37}}, {"vocab_size", "-37"}},
        Refused{"llama", {{"vocab_size", 4'000'000'000}}, {"vocab_size", "4000000000"}},
        Refused{"llama", {{"num_hidden_layers", 1'000'000}}, {"num_hidden_layers", "1000000"}},
        Refused{"gpt2", {{"n_layer", 1'000'000}}, {"n_layer", "1000000"}},
        Refused{"llama", {{"num_attention_heads", Json::array()}}, {"num_attention_heads"}},
        Refused{"llama", {{"rms_norm_eps", "small"}}, {"rms_norm_eps"}},
        Refused{"llama", {{"rms_norm_eps", -1e-6}}, {"rms_norm_eps", "-1e-06"}},
        Refused{"llama", {{"rope_theta", 0}}, {"rope_theta", "0"}},
        Refused{"llama", {{"rope_scaling", "linear"}}, {"rope_scaling"}},
        Refused{"llama", {{"rope_scaling", {{"rope_type", 3}}}}, {"rope_type"}},
        Refused{"llama", {{"hidden_act", true}}, {"hidden_act"}},
        Refused{"llama", {{"attention_bias", "true"}}, {"attention_bias"}},
        Refused{"llama", {{"attention_dropout", 1.5}}, {"attention_dropout", "1.5"}},
        Refused{"llama", {{"tie_word_embeddings", 1}}, {"tie_word_embeddings"}},
        Refused{"mistral", {{"sliding_window", 0}}, {"sliding_window", "0"}},
        Refused{"qwen2", {{"layer_types", "full_attention"}}, {"layer_types"}},
        Refused{"gemma2", {{"query_pre_attn_scalar", -4}}, {"query_pre_attn_scalar", "-4"}},
        Refused{"granite", {{"logits_scaling", 0}}, {"logits_scaling", "0"}}));

TEST(ReadDecoderSpec, RefusesWhatIsNoObject) {
  for (const std::string text : {"", "[]", "null", "{", "{\"model_type\": \"llama\"} x", "\xff"})
    EXPECT_THAT(refusal_of_text(text), HasSubstr("config.json")) << text;
  EXPECT_THAT(refusal_of_text(std::string(100'000, '[')), HasSubstr("nested"));
  EXPECT_THAT(refusal_of_text(R"({"model_type": "llama", "vocab_size": 5, "vocab_size": 6})"),
              HasSubstr("vocab_size is given twice"));
}

TEST(ReadDecoderSpec, ShowsLongAndControlCharactersAsOneLine) {
  Json config = small("llama");
  config["a\nkey"] = "\x1b[31m\n";
  EXPECT_THAT(refusal(config), AllOf(HasSubstr("is not known"), testing::Not(HasSubstr("\n"))));
}

TEST(ReadDecoderSpec, PassesOverUnknownKeysOfNullAndFalse) {
  Json config = small("llama");
  config["of_another_program"] = false;
  config["of_a_third"] = nullptr;
  EXPECT_EQ(refusal(config), "");
}

TEST(ReadDecoderSpec, TakesSequencesOfMillions) {
  Json config = small("llama");
  config["max_position_embeddings"] = 10'485'760;
  EXPECT_EQ(read(config).spec.max_positions, 10'485'760);
}

TEST(ReadDecoderSpec, NotesWhichRotarySettingsCount) {
  Json config = small("llama");
  config["rope_theta"] = 1e4;
  EXPECT_THAT(read(config).notes, IsEmpty());
  config["rope_parameters"] = {{"rope_theta", 1e4}};
  EXPECT_THAT(read(config).notes, IsEmpty());
  config["rope_parameters"] = {{"rope_theta", 5e5}};
  EXPECT_THAT(read(config).notes, ElementsAre(HasSubstr("rope_theta")));
  config.erase("rope_theta");
  config["rope_scaling"] = rope("linear");
  EXPECT_THAT(read(config).notes, ElementsAre(HasSubstr("rope_scaling replaces")));
}

TEST(ReadDecoderSpec, NotesWhatGemmaReadsOtherwise) {
  Json config = small("gemma");
  config["hidden_act"] = "gelu";
  EXPECT_THAT(read(config).notes, ElementsAre(HasSubstr("gelu_pytorch_tanh")));
  config = small("gemma3_text");
  config["attn_logit_softcapping"] = 50.0;
  config["rope_scaling"] = rope("linear");
  config["rope_parameters"] = {{"full_attention", {{"rope_theta", 5e5}}}};
  EXPECT_THAT(read(config).notes,
              ElementsAre(HasSubstr("attn_logit_softcapping"), HasSubstr("rope_scaling counts")));
}

}  // namespace
}  // namespace pdl
