// Sequences that are continued token by token, by a model with a cache of keys and values.
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "pdl/model/load_model.h"
#include "support/any_threads.h"

namespace pdl {
namespace {

namespace fs = std::filesystem;

using Sequences = std::vector<std::vector<int32_t>>;

const fs::path kFolders = fs::path(PDL_TEST_DATA) / "data" / "native_families";

std::vector<std::string> families() {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(kFolders)) {
    if (entry.is_directory()) names.push_back(entry.path().filename());
  }
  return names;
}

class DecodingTest : public testing::TestWithParam<std::string> {
 protected:
  std::unique_ptr<LanguageModel> load(const LoadOptions& options = {}) const {
    auto model = load_language_model(kFolders / GetParam(), options);
    model->set_training(false);
    return model;
  }
};

Sequences random_sequences(const LanguageModel& model, const std::vector<int64_t>& lengths) {
  Sequences sequences;
  for (size_t i = 0; i < lengths.size(); ++i) {
    sequences.emplace_back();
    for (int64_t t = 0; t < lengths[i]; ++t) {
      sequences[i].push_back(static_cast<int32_t>(
          (7 * t * t + 13 * t + 31 * std::ssize(sequences)) % model.info().vocab_size));
    }
  }
  return sequences;
}

// The logits of the next token of each sequence: first of beginnings of it, then of all of it, a
// token at a time.
std::vector<at::Tensor> decode(LanguageModel& model, const Sequences& sequences, size_t steps) {
  const auto decoding = model.start_decoding();
  Sequences beginnings;
  for (const auto& sequence : sequences)
    beginnings.emplace_back(sequence.begin(), sequence.end() - static_cast<std::ptrdiff_t>(steps));
  std::vector<at::Tensor> logits{decoding->start(beginnings)};
  for (size_t step = 0; step < steps; ++step) {
    std::vector<int32_t> next;
    for (const auto& sequence : sequences) next.push_back(sequence[sequence.size() - steps + step]);
    logits.push_back(decoding->next(next));
  }
  return logits;
}

at::Tensor last_logits(LanguageModel& model, const std::vector<int32_t>& sequence) {
  const at::NoGradGuard no_grad;
  return model.forward(at::tensor(sequence, at::kLong).unsqueeze(0)).select(1, -1).select(0, 0);
}

double error_of(const at::Tensor& value, const at::Tensor& expected) {
  return (value.sub(expected).norm() / expected.norm()).item<double>();
}

// Longer than the windows and the squares of attention.
TEST_P(DecodingTest, GivesTheLogitsOfForward) {
  const auto model = load();
  const Sequences sequences = random_sequences(*model, {9, 31, 20, 10});
  constexpr size_t kSteps = 8;
  const std::vector<at::Tensor> logits = decode(*model, sequences, kSteps);
  for (size_t step = 0; step <= kSteps; ++step) {
    EXPECT_FALSE(logits[step].requires_grad());
    for (size_t i = 0; i < sequences.size(); ++i) {
      const std::vector<int32_t> so_far(sequences[i].begin(),
                                        sequences[i].end() - static_cast<int64_t>(kSteps - step));
      EXPECT_LT(error_of(logits[step][static_cast<int64_t>(i)], last_logits(*model, so_far)), 1e-5)
          << "step " << step << ", sequence " << i;
    }
  }
}

TEST_P(DecodingTest, OtherSequencesChangeNoBit) {
  const auto model = load();
  const Sequences sequences = random_sequences(*model, {12, 30, 21, 9, 30, 11, 17});
  const std::vector<at::Tensor> together = decode(*model, sequences, 6);
  for (size_t i = 0; i < sequences.size(); ++i) {
    const std::vector<at::Tensor> alone = decode(*model, {sequences[i]}, 6);
    for (size_t step = 0; step < alone.size(); ++step) {
      EXPECT_TRUE(at::equal(alone[step][0], together[step][static_cast<int64_t>(i)]))
          << "step " << step << ", sequence " << i;
    }
  }
}

TEST_P(DecodingTest, ThreadsChangeNoBit) {
  const auto model = load();
  const Sequences sequences = random_sequences(*model, {12, 30, 21});
  expect_same_bits_with_any_threads([&] { return at::stack(decode(*model, sequences, 5)); });
}

TEST_P(DecodingTest, KeepsAndRepeatsSequences) {
  const auto model = load();
  const Sequences sequences = random_sequences(*model, {14, 8, 11});
  const auto decoding = model->start_decoding();
  decoding->start(sequences);
  decoding->select(std::vector<int64_t>{2, 0, 2});
  decoding->next(std::vector<int32_t>{3, 4, 5});
  decoding->select(std::vector<int64_t>{2, 1});
  const at::Tensor logits = decoding->next(std::vector<int32_t>{6, 7});
  std::vector<int32_t> first = sequences[2];
  first.insert(first.end(), {5, 6});
  std::vector<int32_t> second = sequences[0];
  second.insert(second.end(), {4, 7});
  EXPECT_LT(error_of(logits[0], last_logits(*model, first)), 1e-5);
  EXPECT_LT(error_of(logits[1], last_logits(*model, second)), 1e-5);
}

// Weights of a bfloat16 file are exact in both; few are stored so here.
TEST_P(DecodingTest, WithoutTrainingItIsTheSame) {
  const auto model = load({.trains = false});
  EXPECT_TRUE(model->parameters().trained.empty());
  const Sequences sequences = random_sequences(*model, {14, 8});
  const std::vector<at::Tensor> logits = decode(*model, sequences, 3);
  const std::vector<at::Tensor> expected = decode(*load(), sequences, 3);
  for (size_t step = 0; step < logits.size(); ++step)
    EXPECT_TRUE(at::equal(logits[step], expected[step])) << step;
}

// Tokens one by one are computed in float32 whatever the precision.
TEST_P(DecodingTest, InBfloat16ItIsClose) {
  for (const bool trains : {true, false}) {
    const auto model = load({.autocast = at::kBFloat16, .trains = trains});
    const Sequences sequences = random_sequences(*model, {14, 8});
    const std::vector<at::Tensor> logits = decode(*model, sequences, 3);
    const std::vector<at::Tensor> expected = decode(*load(), sequences, 3);
    for (size_t step = 0; step < logits.size(); ++step)
      EXPECT_LT(error_of(logits[step], expected[step]), 0.03) << step;
  }
}

// The next tokens see no rounding but that of the first ones' keys and values.
TEST_P(DecodingTest, WeightsAreRoundedOnlyIfTheFilesAre) {
  const auto model = load({.autocast = at::kBFloat16, .trains = false});
  for (const NamedTensor& parameter : model->parameters().fixed)
    EXPECT_EQ(parameter.tensor.scalar_type(), at::kFloat) << parameter.name;
}

INSTANTIATE_TEST_SUITE_P(All, DecodingTest, testing::ValuesIn(families()),
                         [](const auto& family) { return family.param; });

}  // namespace
}  // namespace pdl
