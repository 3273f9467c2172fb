#include "pdl/trainer/forward_backward.h"

#include <ATen/Context.h>
#include <ATen/ops/ones.h>
#include <gtest/gtest.h>

#include "pdl/ops/cross_entropy.h"
#include "trainer/trainer_fixture.h"

namespace pdl {
namespace {

struct Result {
  double weighted_sum;
  double ce_sum;
  std::vector<at::Tensor> gradients;
};

Result gradients_of(LanguageModel& model, const Batch& batch, int64_t chunk_positions) {
  const at::Tensor weights = random_parameter({kTestVocab}, 9).detach().exp();
  const at::Tensor weight_sum = sum_target_weights(batch.targets, weights).weight_sum;
  for (const NamedTensor& parameter : model.parameters().trained) {
    parameter.tensor.mutable_grad().reset();
  }
  at::manual_seed(1);  // for dropout
  const LossSums loss =
      forward_backward(model, batch, weights, weight_sum, {.chunk_positions = chunk_positions});
  Result result{loss.weighted_sum.item<double>(), loss.ce_sum.item<double>(), {}};
  for (const NamedTensor& parameter : model.parameters().trained) {
    result.gradients.push_back(parameter.tensor.grad());
  }
  return result;
}

void expect_same(const Result& chunked, const Result& whole, double tolerance) {
  EXPECT_NEAR(chunked.weighted_sum, whole.weighted_sum, tolerance * whole.weighted_sum);
  EXPECT_NEAR(chunked.ce_sum, whole.ce_sum, tolerance * whole.ce_sum);
  ASSERT_EQ(chunked.gradients.size(), whole.gradients.size());
  for (size_t i = 0; i < whole.gradients.size(); ++i) {
    EXPECT_EQ(chunked.gradients[i].scalar_type(), at::kFloat);
    const auto scale = whole.gradients[i].abs().max().item<double>();
    EXPECT_LE(chunked.gradients[i].sub(whole.gradients[i]).abs().max().item<double>(),
              tolerance * scale);
  }
}

Batch some_batch() {
  const Sequences rows = random_sequences(7, 3);
  return make_batch(rows, {0, 1, 2, 3, 4, 5, 6}, {});
}

TEST(ForwardBackwardTest, ChunksOfAnySizeGiveTheGradientOfTheWhole) {
  const TempFolder folder;
  const auto model = load_script_model(folder, kSplitSource);
  model->set_training(true);
  const Batch batch = some_batch();
  const Result whole = gradients_of(*model, batch, 0);
  const int64_t num_rows = batch.targets.numel();
  for (const int64_t chunk_positions :
       {int64_t{1}, int64_t{5}, num_rows - 1, num_rows, 10 * num_rows}) {
    expect_same(gradients_of(*model, batch, chunk_positions), whole, 2e-6);
  }
}

TEST(ForwardBackwardTest, ChunksUnderAutocastAddUpInFloat32) {
  const TempFolder folder;
  script_module(kSplitSource).save((folder / "model.pt").string());
  const auto model = load_language_model(folder / "model.pt", {.autocast = at::kBFloat16});
  const Batch batch = some_batch();
  expect_same(gradients_of(*model, batch, 5), gradients_of(*model, batch, 0), 0.02);
}

TEST(ForwardBackwardTest, FrozenPartsAreLeftAlone) {
  const TempFolder folder;
  script_module(kSplitSource).save((folder / "model.pt").string());
  const Batch batch = some_batch();
  const std::vector<std::vector<std::string>> cases = {
      {"mix"}, {"bias"}, {"mix", "embedding"}};  // the last leaves nothing before the head
  for (const std::vector<std::string>& frozen : cases) {
    const auto model = load_language_model(folder / "model.pt", {.freeze = frozen});
    expect_same(gradients_of(*model, batch, 4), gradients_of(*model, batch, 0), 2e-6);
    for (const NamedTensor& parameter : model->parameters().frozen) {
      EXPECT_FALSE(parameter.tensor.grad().defined()) << parameter.name;
    }
  }
}

}  // namespace
}  // namespace pdl
