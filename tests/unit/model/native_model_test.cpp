#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "pdl/base/error.h"
#include "pdl/model/families/read_decoder_spec.h"
#include "pdl/model/load_model.h"
#include "pdl/ops/evaluate_positions.h"
#include "pdl/tensors/tensor_store.h"
#include "pdl/trainer/forward_backward.h"
#include "support/temp_folder.h"

namespace pdl {
namespace {

namespace fs = std::filesystem;

const fs::path kFolders = fs::path(PDL_TEST_DATA) / "data" / "native_families";

at::Tensor read(const TensorStore& store, const std::string& name) {
  const TensorInfo info = store.info(name);
  at::Tensor tensor = at::empty(info.shape, at::dtype(info.dtype));
  store.read({name, info.shape, 0, tensor});
  return tensor;
}

double relative_error(const at::Tensor& value, const at::Tensor& expected) {
  const at::Tensor difference = value.to(at::kDouble).sub(expected.to(at::kDouble));
  return (difference.norm() / expected.to(at::kDouble).norm()).item<double>();
}

// What transformers has computed; see data/native_families/make_expected.py.
struct Expected {
  explicit Expected(const std::string& family)
      : store(TensorStore::open<ModelError>(kFolders / family / "expected.safetensors")) {
    const at::Tensor ids = read(store, "input_ids");
    batch.input_ids = ids;
    batch.targets = at::full_like(ids, kIgnoreTarget);
    batch.targets.narrow(1, 0, ids.size(1) - 1).copy_(ids.narrow(1, 1, ids.size(1) - 1));
    batch.target_positions = target_positions(batch.targets);
    weights = read(store, "weights");
    weight_sum = sum_target_weights(batch.targets, weights).weight_sum;
  }

  TensorStore store;
  Batch batch;
  at::Tensor weights;
  at::Tensor weight_sum;
};

std::unique_ptr<LanguageModel> load(const std::string& family, const LoadOptions& options = {}) {
  return load_language_model(kFolders / family, options);
}

double loss_of(LanguageModel& model, const Expected& expected, int64_t chunk_positions = 0) {
  model.set_training(true);
  const LossSums sums = forward_backward(model, expected.batch, expected.weights,
                                         expected.weight_sum, {.chunk_positions = chunk_positions});
  return (sums.weighted_sum / expected.weight_sum).item<double>();
}

std::map<std::string, at::Tensor> gradients_of(const LanguageModel& model) {
  std::map<std::string, at::Tensor> gradients;
  for (const NamedTensor& parameter : model.parameters().trained)
    gradients[parameter.name] = parameter.tensor.grad().clone();
  return gradients;
}

// Saves new adapters of the Llama in `folder`, and returns theirs.
fs::path adapter_in(const TempFolder& folder) {
  load("llama", {.lora = {.rank = 2}})->save(folder / "saved");
  return folder / "saved/adapter";
}

class NativeFamilyTest : public testing::TestWithParam<std::string> {};

TEST_P(NativeFamilyTest, LogitsAreThoseOfTransformers) {
  const Expected expected(GetParam());
  const auto model = load(GetParam());
  const at::NoGradGuard no_grad;
  const at::Tensor logits = model->forward(expected.batch.input_ids);
  EXPECT_LT(relative_error(logits, read(expected.store, "logits")), 1e-5);
}

TEST_P(NativeFamilyTest, LossAndGradientsAreThoseOfTransformers) {
  const Expected expected(GetParam());
  const auto model = load(GetParam());
  const double loss = read(expected.store, "loss").item<double>();
  EXPECT_NEAR(loss_of(*model, expected), loss, 1e-6 * loss);
  at::Tensor square_sum = at::zeros({}, at::kDouble);
  for (const auto& [name, gradient] : gradients_of(*model))
    square_sum += gradient.to(at::kDouble).square().sum();
  const double norm = square_sum.sqrt().item<double>();
  for (const auto& [name, gradient] : gradients_of(*model)) {
    const at::Tensor want = read(expected.store, "gradient." + name);
    // A gradient may be zero but for rounding: a key's bias without rotary positions.
    const double error = gradient.sub(want).norm().item<double>();
    EXPECT_LT(error, 1e-4 * want.norm().item<double>() + 1e-7 * norm) << name;
  }
}

// Of rows that are computed alike; sums in another order can move a rounding of bfloat16.
void expect_that_parts_add_up(const std::string& family, const LoadOptions& options,
                              double tolerance) {
  const Expected expected(family);
  const auto whole = load(family, options);
  const double loss = loss_of(*whole, expected);
  const auto parts = load(family, options);
  parts->set_training(true);
  double sum = 0;
  for (const int64_t row : {0, 1}) {
    Batch batch;
    batch.input_ids = expected.batch.input_ids.narrow(0, row, 1);
    batch.targets = expected.batch.targets.narrow(0, row, 1);
    batch.target_positions = target_positions(batch.targets);
    sum += forward_backward(*parts, batch, expected.weights, expected.weight_sum,
                            {.chunk_positions = 4})
               .weighted_sum.item<double>();
  }
  EXPECT_NEAR(sum / expected.weight_sum.item<double>(), loss, 1e-6 * loss);
  const auto want = gradients_of(*whole);
  for (const auto& [name, gradient] : gradients_of(*parts)) {
    EXPECT_LT(gradient.sub(want.at(name)).norm().item<double>(),
              tolerance * want.at(name).norm().item<double>() + 1e-7)
        << name;
  }
}

TEST_P(NativeFamilyTest, ChunksAndMicroBatchesAddUp) {
  expect_that_parts_add_up(GetParam(), {}, 1e-5);
  expect_that_parts_add_up(GetParam(), {.splits_products = true}, 1e-4);
  expect_that_parts_add_up(GetParam(), {.autocast = at::kBFloat16}, 1e-2);
}

TEST_P(NativeFamilyTest, GradientCheckpointingChangesNothing) {
  const Expected expected(GetParam());
  const auto plain = load(GetParam());
  const auto checkpointing = load(GetParam(), {.gradient_checkpointing = true});
  EXPECT_EQ(loss_of(*plain, expected), loss_of(*checkpointing, expected));
  const auto want = gradients_of(*plain);
  for (const auto& [name, gradient] : gradients_of(*checkpointing))
    EXPECT_TRUE(at::equal(gradient, want.at(name))) << name;
}

// Two documents in one sequence are computed as if each had its own.
TEST_P(NativeFamilyTest, DocumentsAreKeptApart) {
  const Expected expected(GetParam());
  const auto model = load(GetParam());
  const at::NoGradGuard no_grad;
  const at::Tensor ids = expected.batch.input_ids.narrow(0, 0, 1);
  const int64_t length = ids.size(1);
  constexpr int64_t kFirst = 4;
  at::Tensor starts = at::zeros_like(ids);
  starts.narrow(1, kFirst, length - kFirst).fill_(kFirst);
  const at::Tensor together = model->forward({ids, starts});
  const at::Tensor first = model->forward(ids.narrow(1, 0, kFirst));
  const at::Tensor second = model->forward(ids.narrow(1, kFirst, length - kFirst));
  EXPECT_LT(relative_error(together, at::cat({first, second}, 1)), 1e-5);
  EXPECT_GT(relative_error(model->forward(ids), together), 1e-3);
}

TEST_P(NativeFamilyTest, SavesWhatItLoaded) {
  const TempFolder folder;
  load(GetParam())->save(folder.path());
  for (const char* file : {"config.json", "model.safetensors"}) {
    EXPECT_EQ(file_content(folder.path() / "model" / file),
              file_content(kFolders / GetParam() / file))
        << file;
  }
}

TEST_P(NativeFamilyTest, Bfloat16IsCloseToFloat32) {
  const Expected expected(GetParam());
  const auto model = load(GetParam(), {.autocast = at::kBFloat16});
  const double loss = read(expected.store, "loss").item<double>();
  const double difference = std::abs(loss_of(*model, expected) - loss);
  EXPECT_LT(difference, 2e-2 * loss);
  EXPECT_GT(difference, 1e-7 * loss);  // float32 would give it
  // Norms after a branch, as exaone4 has them, make more of what small gradients lose.
  const auto exact = load(GetParam());
  loss_of(*exact, expected);
  const auto want = gradients_of(*exact);
  double square_error = 0;
  double square = 0;
  for (const auto& [name, gradient] : gradients_of(*model)) {
    const double error = gradient.sub(want.at(name)).norm().item<double>();
    const double norm = want.at(name).norm().item<double>();
    EXPECT_LE(error, 0.2 * norm) << name;
    square_error += error * error;
    square += norm * norm;
  }
  EXPECT_LE(square_error, 0.05 * 0.05 * square);
}

// Every CPU can compute them, though it is faster with float32 unless it has AMX.
TEST_P(NativeFamilyTest, SplitProductsAreNearlyFloat32) {
  const Expected expected(GetParam());
  const auto model = load(GetParam(), {.splits_products = true});
  const auto exact = load(GetParam());
  const double loss = loss_of(*exact, expected);
  EXPECT_NEAR(loss_of(*model, expected), loss, 2e-6 * loss);
  const auto want = gradients_of(*exact);
  for (const auto& [name, gradient] : gradients_of(*model)) {
    const double norm = want.at(name).norm().item<double>();
    EXPECT_LE(gradient.sub(want.at(name)).norm().item<double>(), 3e-4 * norm) << name;
    EXPECT_FALSE(at::equal(gradient, want.at(name))) << name;
  }
}

// With logits in memory or without.
TEST_P(NativeFamilyTest, EvaluatesTheLogitsThatItGives) {
  const Expected expected(GetParam());
  const at::NoGradGuard no_grad;
  for (const LoadOptions& options : {LoadOptions{}, LoadOptions{.autocast = at::kBFloat16},
                                     LoadOptions{.splits_products = true}}) {
    const auto model = load(GetParam(), options);
    const at::Tensor hidden = model->hidden(expected.batch.input_ids).flatten(0, 1).unsqueeze(0);
    const at::Tensor targets = expected.batch.targets.reshape({1, -1});
    std::vector<int64_t> counts;
    for (int64_t i = 0; i < model->info().vocab_size; ++i) counts.push_back(i % 3 * 10);
    const CountedVocabulary vocabulary(counts, /*taus=*/{-0.5, 1}, at::kCPU);
    const PositionEvaluations want = evaluate_positions(model->head(hidden), targets, vocabulary);
    const PositionEvaluations got = model->evaluate_head(hidden, targets, vocabulary);
    EXPECT_TRUE(got.ce.allclose(want.ce, 1e-5, 1e-5));
    EXPECT_TRUE(got.is_hit.equal(want.is_hit));
    EXPECT_TRUE(got.band_mass.allclose(want.band_mass, 1e-5, 1e-5));
    EXPECT_TRUE(got.biased_ce.allclose(want.biased_ce, 1e-5, 1e-5));
  }
}

INSTANTIATE_TEST_SUITE_P(All, NativeFamilyTest, testing::ValuesIn(native_families()),
                         [](const auto& family) { return family.param; });

// Memory of new tensors is filled with NaN.
TEST(NativeModelTest, ReadsNoMemoryThatItHasNotSet) {
  at::globalContext().setDeterministicAlgorithms(true, /*warn_only=*/true);
  for (const std::string family : {"gpt2", "llama", "phi"}) {
    for (const int64_t rank : {0, 4}) {
      const Expected expected(family);
      std::vector<double> losses;
      std::vector<std::map<std::string, at::Tensor>> gradients;
      for (const bool fills : {false, true}) {
        at::globalContext().setDeterministicFillUninitializedMemory(fills);
        const auto model = load(family, {.lora = {.rank = rank}});
        losses.push_back(loss_of(*model, expected));
        gradients.push_back(gradients_of(*model));
      }
      EXPECT_EQ(losses[0], losses[1]) << family << ", rank " << rank;
      for (const auto& [name, gradient] : gradients[0])
        EXPECT_TRUE(at::equal(gradient, gradients[1].at(name))) << name << ", rank " << rank;
    }
  }
  at::globalContext().setDeterministicAlgorithms(false, /*warn_only=*/false);
}

TEST(NativeModelTest, HashIsThatOfTheFilesWhateverTheModelIsFor) {
  const TempFolder folder;
  const fs::path copy = folder / "llama";
  fs::copy(kFolders / "llama", copy);
  const std::string hash = load("llama")->sha256();
  EXPECT_EQ(hash.size(), 64);
  EXPECT_EQ(load("llama", {.hashes = true})->sha256(), hash);
  EXPECT_EQ(load_language_model(copy)->sha256(), hash);
  std::fstream weights(copy / "model.safetensors", std::ios::in | std::ios::out | std::ios::binary);
  weights.seekg(-1, std::ios::end);
  const auto last = static_cast<char>(weights.get());
  weights.seekp(-1, std::ios::end);
  weights.put(static_cast<char>(last ^ 1));
  weights.close();
  const auto changed = load_language_model(copy, {.trains = false});
  EXPECT_NE(changed->sha256(), hash);
  EXPECT_EQ(changed->sha256(), load_language_model(copy)->sha256());
  EXPECT_NE(load("llama", {.lora = {.adapter = adapter_in(folder)}})->sha256(), hash);
  const auto orphan = load_language_model(copy, {.trains = false});
  fs::remove_all(copy);
  EXPECT_THROW(orphan->sha256(), ModelError);
}

TEST(NativeModelTest, FreezeTakesTheNamesOfTheFile) {
  const Expected expected("gpt_neox");
  const auto model = load("gpt_neox", {.freeze = {"embed_in", "layers\\.0\\.", "query_key_value"}});
  loss_of(*model, expected);
  const auto whole = load("gpt_neox");
  loss_of(*whole, expected);
  const auto want = gradients_of(*whole);
  const auto gradients = gradients_of(*model);
  EXPECT_FALSE(gradients.contains("gpt_neox.embed_in.weight"));
  EXPECT_FALSE(gradients.contains("gpt_neox.layers.1.attention.query_key_value.weight"));
  EXPECT_TRUE(gradients.contains("embed_out.weight"));
  for (const auto& [name, gradient] : gradients)
    EXPECT_TRUE(at::equal(gradient, want.at(name))) << name;
}

// One product reads queries, keys and values; each has a gradient of its own.
TEST(NativeModelTest, FreezesAPartOfAJoinedProduct) {
  const Expected expected("llama");
  const auto model = load("llama", {.freeze = {"k_proj"}});
  loss_of(*model, expected);
  const auto whole = load("llama");
  loss_of(*whole, expected);
  const auto want = gradients_of(*whole);
  const auto gradients = gradients_of(*model);
  EXPECT_EQ(gradients.size() + 2, want.size());
  for (const auto& [name, gradient] : gradients)
    EXPECT_TRUE(at::equal(gradient, want.at(name))) << name;
}

TEST(NativeModelTest, TrainsTheHeadAlone) {
  const Expected expected("llama");
  const auto model = load("llama", {.freeze = {"^model"}});
  loss_of(*model, expected);
  const auto gradients = gradients_of(*model);
  ASSERT_EQ(gradients.size(), 1);
  EXPECT_LT(relative_error(gradients.at("lm_head.weight"),
                           read(expected.store, "gradient.lm_head.weight")),
            1e-5);
}

// Forward and backward of the head and its loss are three products.
TEST(NativeModelTest, HeadIsComputedForPositionsWithATargetAlone) {
  Expected expected("llama");
  const auto model = load("llama");
  const auto multiplications = [&] {
    const double before = count_multiplications();
    EXPECT_TRUE(std::isfinite(loss_of(*model, expected)));
    return count_multiplications() - before;
  };
  const double all = multiplications();
  const int64_t width = model->hidden(expected.batch.input_ids).size(2);
  const double of_a_position = 3.0 * static_cast<double>(width * model->info().vocab_size);
  const at::Tensor targets = expected.batch.targets.clone();
  for (const int64_t left : {3, 0}) {
    expected.batch.targets.copy_(targets)
        .narrow(1, left, targets.size(1) - left)
        .fill_(kIgnoreTarget);
    expected.batch.target_positions = target_positions(expected.batch.targets);
    const int64_t dropped = targets.ne(kIgnoreTarget).sum().item<int64_t>() - 2 * left;
    EXPECT_EQ(multiplications(), all - static_cast<double>(dropped) * of_a_position);
  }
  for (const auto& [name, gradient] : gradients_of(*model))
    EXPECT_TRUE(at::isfinite(gradient).all().item<bool>()) << name;
}

}  // namespace
}  // namespace pdl
