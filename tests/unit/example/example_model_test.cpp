#include "pdl/example/example_model.h"

#include <ATen/ops/allclose.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/tensor.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/serialization/import.h>

#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "pdl/base/sha256.h"

namespace pdl {
namespace {

constexpr ExampleModelSizes kSizes = {.vocab_size = 50, .width = 16, .layers = 2, .heads = 2};

torch::jit::Module load(const std::string& content) {
  std::istringstream file(content);
  return torch::jit::load(file);
}

at::Tensor ids(std::vector<int64_t> values) { return at::tensor(values, at::kLong).unsqueeze(0); }

class ExampleModelTest : public testing::Test {
 protected:
  at::Tensor forward(const at::Tensor& input_ids) { return model_.forward({input_ids}).toTensor(); }

  torch::jit::Module model_ = load(make_example_model(kSizes, 1));
};

TEST_F(ExampleModelTest, MapsIdsToLogitsOfAnyShape) {
  for (const auto& [batch, length] : {std::pair{1, 1}, {3, 7}, {2, 100}}) {
    const at::Tensor logits = forward(at::ones({batch, length}, at::kLong));
    EXPECT_EQ(logits.sizes(), (std::vector<int64_t>{batch, length, kSizes.vocab_size}));
    EXPECT_EQ(logits.scalar_type(), at::kFloat);
  }
}

TEST_F(ExampleModelTest, ForwardIsHeadOfHidden) {
  const at::Tensor input_ids = ids({3, 1, 4, 1, 5});
  const at::Tensor hidden = model_.run_method("hidden", input_ids).toTensor();
  EXPECT_EQ(hidden.sizes(), (std::vector<int64_t>{1, 5, kSizes.width}));
  const at::Tensor logits = model_.run_method("head", hidden).toTensor();
  EXPECT_TRUE(logits.equal(forward(input_ids)));
}

TEST_F(ExampleModelTest, LaterTokensDoNotChangeEarlierLogits) {
  const at::Tensor one = forward(ids({3, 1, 4, 1, 5}));
  const at::Tensor other = forward(ids({3, 1, 4, 9, 2}));
  EXPECT_TRUE(at::allclose(one.narrow(1, 0, 3), other.narrow(1, 0, 3), 1e-5, 1e-6));
  EXPECT_FALSE(at::allclose(one.narrow(1, 3, 2), other.narrow(1, 3, 2), 1e-5, 1e-6));
}

TEST_F(ExampleModelTest, OrderOfEarlierTokensMatters) {
  const at::Tensor one = forward(ids({3, 1, 4})).select(1, 2);
  const at::Tensor other = forward(ids({1, 3, 4})).select(1, 2);
  EXPECT_FALSE(at::allclose(one, other, 1e-5, 1e-6));
}

TEST_F(ExampleModelTest, EveryParameterIsTrainedNamedAndReached) {
  forward(ids({3, 1, 4, 1, 5})).logsumexp(-1).sum().backward();
  std::set<std::string> names;
  for (const auto& parameter : model_.named_parameters()) {
    names.insert(parameter.name);
    EXPECT_TRUE(parameter.value.requires_grad()) << parameter.name;
    EXPECT_EQ(parameter.value.scalar_type(), at::kFloat) << parameter.name;
    EXPECT_TRUE(parameter.value.grad().defined()) << parameter.name;
  }
  EXPECT_EQ(names.size(), 27U);  // 1 + 2 blocks of 12 + 2
  EXPECT_THAT(names, testing::IsSupersetOf({"token_embedding.weight",
                                            "blocks.0.attention.query_key_value.weight",
                                            "blocks.1.feed_forward.down.bias",
                                            "blocks.1.attention_norm.weight", "final_norm.bias"}));
}

TEST_F(ExampleModelTest, HasNoBufferAndIsSavedForTraining) {
  EXPECT_TRUE(model_.is_training());
  EXPECT_EQ(model_.buffers().size(), 0U);
  model_.eval();
  EXPECT_FALSE(model_.is_training());
}

TEST_F(ExampleModelTest, StartsNearTheUniformDistribution) {
  const at::Tensor logits = forward(ids({3, 1, 4, 1, 5}));
  EXPECT_LT(logits.abs().max().item<float>(), 1.0F);
}

TEST(MakeExampleModelTest, SeedDecidesTheBytes) {
  EXPECT_EQ(make_example_model(kSizes, 1), make_example_model(kSizes, 1));
  EXPECT_NE(make_example_model(kSizes, 1), make_example_model(kSizes, 2));
}

// The parameters are the same on every machine. A change here changes every example's curve.
TEST(MakeExampleModelTest, ParametersAreKnown) {
  Sha256 hash;
  for (const auto& parameter : load(make_example_model(kSizes, 42)).named_parameters()) {
    const at::Tensor& value = parameter.value;
    hash.update({static_cast<const char*>(value.const_data_ptr()), value.nbytes()});
  }
  EXPECT_EQ(hash.finish(), "2475136634d87f251c1bea8647659087eefe98e5fe68c7cf7ffa16e3a0bbb110");
}

TEST(MakeExampleModelTest, SizesThatDoNotFitAreRefused) {
  for (const ExampleModelSizes& sizes : {ExampleModelSizes{0, 16, 2, 2},
                                         {50, 16, 0, 2},
                                         {50, 16, 2, 0},
                                         {50, 18, 2, 2},
                                         {50, -16, 2, 2}}) {
    EXPECT_THROW(make_example_model(sizes, 1), std::invalid_argument);
  }
}

}  // namespace
}  // namespace pdl
