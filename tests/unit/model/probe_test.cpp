#include "pdl/model/probe.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "pdl/base/error.h"
#include "support/script_model.h"

namespace pdl {
namespace {

using ::testing::HasSubstr;

const ProbeIds kIds{.longest = {1, 3, 2, 8, 1, 4, 4, 2, 9, 1, 5, 1}, .smallest = 1, .largest = 9};

// Returns why the model is refused, or "".
std::string refusal_of(const torch::jit::Module& module, const ProbeIds& ids = kIds) {
  const TempFolder folder;
  try {
    probe_model(*load_script_model(folder, module), ids, /*for_training=*/true);
  } catch (const ModelError& problem) {
    return problem.what();
  }
  return "";
}

std::string refusal_of(const std::string& source, const ProbeIds& ids = kIds) {
  return refusal_of(script_module(source), ids);
}

// The body of a forward that mixes x [B, T, D], the embeddings, as `mixing` says.
std::string mixing(const std::string& mixing) {
  return "def forward(self, input_ids):\n"
         "    x = torch.embedding(self.embedding, input_ids)\n    " +
         mixing +
         "\n    x = torch.tanh(torch.matmul(x, self.mix))\n"
         "    return torch.matmul(x, self.embedding.t()) + self.bias\n";
}

TEST(ProbeTest, WhatIsCausalIsTaken) {
  EXPECT_EQ(refusal_of(kCausalSource), "");
  EXPECT_EQ(refusal_of(kDropoutSource), "");
  EXPECT_EQ(refusal_of(kPoisonedSource), "");
  EXPECT_EQ(refusal_of(kSplitSource), "");
  EXPECT_EQ(refusal_of(mixing("pass")), "");
  // exactly the positions up to its own
  EXPECT_EQ(refusal_of(mixing("x = torch.scaled_dot_product_attention(x, x, x, None, 0.0, True)")),
            "");
}

TEST(ProbeTest, AModelThatSeesLaterTokensIsRefused) {
  for (const std::string source : {
           "x = torch.scaled_dot_product_attention(x, x, x, None, 0.0, False)",
           "x = x + torch.mean(x, 1, True)",                                     // a little of all
           "x = x + torch.roll(x, -1, 1)",                                       // the next token
           "x = x + torch.roll(x, 1, 1)",                                        // around the end
           "x[:, :2] = x[:, :2] + torch.mean(x[:, :2], 1, True)",                // a prefix
           "x = torch.cumsum(x, 1) + (x[:, -1:] if x.size(1) > 7 else x) * 0.1"  // long ones alone
       }) {
    EXPECT_THAT(refusal_of(mixing(source)), HasSubstr("is not causal")) << source;
  }
}

TEST(ProbeTest, AModelThatMixesSequencesIsRefused) {
  for (const std::string source :
       {"x = x + torch.mean(x, 0, True)", "x = x + torch.roll(x, 1, 0)",
        "x = torch.cumsum(x, 0)",  // the sequences taken for positions
        "x = torch.batch_norm(x.flatten(0, 1), None, None, None, None, True, 0.1, 1e-5, "
        "False).view_as(x)"}) {
    EXPECT_THAT(refusal_of(mixing(source)), HasSubstr("mixes sequences")) << source;
  }
}

TEST(ProbeTest, AModelThatIsRandomInEvaluationIsRefused) {
  EXPECT_THAT(refusal_of(mixing("x = torch.dropout(torch.cumsum(x, 1), 0.1, True)")),
              HasSubstr("called again in evaluation mode"));
}

TEST(ProbeTest, AnIdWithoutEmbeddingIsRefusedByNumber) {
  const std::string narrow =
      "def forward(self, input_ids):\n"
      "    x = torch.matmul(torch.embedding(self.embedding[:9], input_ids), self.mix)\n"
      "    return torch.matmul(torch.cumsum(x, 1), self.embedding.t()) + self.bias\n";
  EXPECT_THAT(refusal_of(narrow), HasSubstr("the largest id is 9"));
  ProbeIds small = kIds;
  small.largest = 8;
  small.longest[8] = 8;
  EXPECT_EQ(refusal_of(narrow, small), "");
}

TEST(ProbeTest, AFixedShapeIsRefused) {
  EXPECT_THAT(refusal_of(mixing("x = x.view(2, -1, 6)")), HasSubstr("Float [2, 3, 12] for"));
  EXPECT_THAT(refusal_of(mixing("x = x.view(3, -1, 6)")), HasSubstr("Float [3, 4, 12] for"));
  EXPECT_THAT(refusal_of(mixing("x = x.view(-1, 2, 6)")), HasSubstr("fails in forward"));
  EXPECT_THAT(refusal_of(mixing("assert input_ids.size(1) < 10")), HasSubstr("model's positions"));
}

TEST(ProbeTest, AModelWithoutAGradientIsRefused) {
  EXPECT_THAT(refusal_of("def forward(self, input_ids):\n"
                         "    return torch.embedding(self.embedding, input_ids).detach()\n"),
              HasSubstr("do not depend on any trainable parameter"));
}

// Models mask ids that they never use.
TEST(ProbeTest, InfiniteLogitsAreTaken) {
  EXPECT_EQ(refusal_of(std::string("def forward(self, input_ids):\n"
                                   "    x = torch.embedding(self.embedding, input_ids)\n"
                                   "    x = torch.matmul(torch.cumsum(x, 1), self.mix)\n"
                                   "    z = torch.matmul(x, self.embedding.t()) + self.bias\n"
                                   "    z[:, :, 10:] = float('-inf')\n"
                                   "    return z\n")),
            "");
}

// Such an id may spoil its own sequence from there on; the run skips those steps.
TEST(ProbeTest, ANonFiniteEmbeddingOfTheLargestIdIsNoLeak) {
  torch::jit::Module module =
      script_module(mixing("x = torch.scaled_dot_product_attention(x, x, x, None, 0.0, True)"));
  {
    const at::NoGradGuard no_grad;
    module.attr("embedding").toTensor()[9].fill_(std::numeric_limits<float>::infinity());
  }
  EXPECT_EQ(refusal_of(module), "");
}

TEST(ProbeTest, TwoTokensAndOneIdAreEnough) {
  EXPECT_EQ(refusal_of(kCausalSource, {.longest = {4, 4}, .smallest = 4, .largest = 4}), "");
  EXPECT_EQ(refusal_of(kCausalSource, {.longest = {4, 4, 4}, .smallest = 0, .largest = 11}), "");
}

TEST(ProbeTest, ViewsAndTransposedParametersAreTaken) {
  torch::jit::Module module = script_module(kCausalSource);
  const at::Tensor transposed = at::ones({kTestWidth, kTestVocab}).mul_(0.1).t();
  module.setattr("embedding", transposed.detach().set_requires_grad(true));
  const at::Tensor both = at::ones({2 * kTestWidth, 2 * kTestWidth}).mul_(0.2);
  module.setattr(
      "mix",
      both.narrow(0, 2, kTestWidth).narrow(1, 3, kTestWidth).detach().set_requires_grad(true));
  EXPECT_EQ(refusal_of(module), "");
}

TEST(ElementsShareMemoryTest, IsTrueWhereStridesOverlap) {
  const at::Tensor matrix = at::zeros({4, 6});
  EXPECT_FALSE(elements_share_memory(matrix));
  EXPECT_FALSE(elements_share_memory(matrix.t()));
  EXPECT_FALSE(elements_share_memory(matrix.slice(1, 0, 6, 2)));
  EXPECT_FALSE(elements_share_memory(matrix.narrow(0, 1, 2).narrow(1, 2, 3).t()));
  EXPECT_FALSE(elements_share_memory(at::zeros({1}).expand({1, 1, 1})));
  EXPECT_FALSE(elements_share_memory(at::zeros({})));
  EXPECT_FALSE(elements_share_memory(at::zeros({0, 3})));
  EXPECT_TRUE(elements_share_memory(at::zeros({1, 6}).expand({4, 6})));
  EXPECT_TRUE(elements_share_memory(at::zeros({4, 1}).expand({4, 6})));
  EXPECT_TRUE(elements_share_memory(matrix.as_strided({3, 4}, {2, 1})));
  EXPECT_TRUE(elements_share_memory(matrix.as_strided({2, 2}, {1, 1})));
}

TEST(ElementsShareMemoryTest, SuchAParameterIsRefusedByName) {
  torch::jit::Module module = script_module(kCausalSource);
  module.setattr("bias", at::zeros({1}).expand({kTestVocab}).detach().set_requires_grad(true));
  EXPECT_THAT(refusal_of(module), HasSubstr("parameter 'bias' with elements that share memory"));
}

TEST(SplitHeadTest, HalvesThatDifferInTrainingModeAreNotUsed) {
  const TempFolder folder;
  const std::string halves =
      "def hidden(self, input_ids: Tensor):\n"
      "    x = torch.embedding(self.embedding, input_ids)\n"
      "    return torch.tanh(torch.matmul(torch.cumsum(x, 1), self.mix))\n"
      "def head(self, hidden: Tensor):\n"
      "    return torch.matmul(hidden, self.embedding.t()) + self.bias\n"
      "def forward(self, input_ids: Tensor):\n";
  const auto said = [&](const std::string& forward) {
    testing::internal::CaptureStderr();
    const bool splits = load_script_model(folder, halves + forward)->info().splits_head;
    const std::string message = testing::internal::GetCapturedStderr();
    EXPECT_EQ(splits, message.empty()) << message;
    return message;
  };
  EXPECT_EQ(said("    return self.head(self.hidden(input_ids))\n"), "");
  EXPECT_THAT(
      said("    return self.head(torch.dropout(self.hidden(input_ids), 0.5, self.training))\n"),
      HasSubstr("in training mode"));
  EXPECT_THAT(said("    return torch.tanh(self.head(self.hidden(input_ids)) / 30.0) * 30.0\n"),
              HasSubstr("only while logits are small"));
  EXPECT_THAT(said("    return torch.clamp(self.head(self.hidden(input_ids)), -50.0, 50.0)\n"),
              HasSubstr("only while logits are small"));
}

TEST(SplitHeadTest, TheCapOfAFrozenHeadIsSeen) {
  torch::jit::Module module = script_module(
      "def hidden(self, input_ids: Tensor):\n"
      "    x = torch.embedding(self.bias.unsqueeze(1).expand(-1, 6), input_ids)\n"
      "    return torch.tanh(torch.matmul(torch.cumsum(x, 1), self.mix))\n"
      "def head(self, hidden: Tensor):\n"
      "    return torch.matmul(hidden, self.embedding.t())\n"
      "def forward(self, input_ids: Tensor):\n"
      "    return torch.tanh(self.head(self.hidden(input_ids)) / 30.0) * 30.0\n");
  module.attr("embedding").toTensor().set_requires_grad(false);
  const TempFolder folder;
  const auto model = load_script_model(folder, module);
  EXPECT_FALSE(model->info().splits_head);
  EXPECT_EQ(model->parameters().frozen.size(), 1U);  // as it was
}

// The same dropout on both ways, and statistics that training mode changes.
TEST(SplitHeadTest, HalvesWithDropoutAndStatisticsAreUsed) {
  torch::jit::Module module = script_module("");
  module.register_buffer("average", at::zeros({kTestWidth}));
  module.define(
      "def hidden(self, input_ids: Tensor):\n"
      "    x = torch.dropout(torch.embedding(self.embedding, input_ids), 0.5, self.training)\n"
      "    if self.training:\n"
      "        self.average = self.average * 0.5 + torch.mean(x, [0, 1])\n"
      "    return torch.tanh(torch.matmul(torch.cumsum(x, 1), self.mix)) + self.average\n"
      "def head(self, hidden: Tensor):\n"
      "    return torch.matmul(hidden, self.embedding.t()) + self.bias\n"
      "def forward(self, input_ids: Tensor):\n"
      "    return self.head(self.hidden(input_ids))\n");
  const at::Tensor bias = module.attr("bias").toTensor().clone();
  const TempFolder folder;
  const auto model = load_script_model(folder, module);
  EXPECT_TRUE(model->info().splits_head);
  EXPECT_TRUE(at::equal(model->parameters().trained[2].tensor, bias));  // scaled and back
  EXPECT_TRUE(at::equal(model->parameters().buffers[0].tensor, at::zeros({kTestWidth})));
}

}  // namespace
}  // namespace pdl
