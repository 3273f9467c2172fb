#include "pdl/model/language_model.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/zeros.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/csrc/jit/serialization/import.h>

#include "pdl/base/error.h"
#include "support/script_model.h"

namespace pdl {
namespace {

using ::testing::HasSubstr;

void expect_refused(const std::string& source, const std::string& why) {
  const TempFolder folder;
  try {
    load_script_model(folder, source);
    FAIL() << source;
  } catch (const ModelError& problem) {
    EXPECT_THAT(problem.what(), HasSubstr(why));
    EXPECT_EQ(std::string(problem.what()).find('\n'), std::string::npos) << problem.what();
  }
}

TEST(LanguageModelTest, TellsWidthAndDistinctParameters) {
  const TempFolder folder;
  torch::jit::Module module = script_module(kCausalSource);
  module.register_parameter("head", module.attr("embedding").toTensor(), false);  // tied
  const auto model = load_script_model(folder, module);
  EXPECT_EQ(model->vocab_size(), kTestVocab);
  ASSERT_EQ(model->parameters().size(), 3U);
  EXPECT_EQ(model->parameters()[0].name, "embedding");
  EXPECT_THAT(model->parameters()[0].aliases, testing::ElementsAre("head"));
  EXPECT_EQ(count_parameters(*model, true),
            kTestVocab * kTestWidth + kTestWidth * kTestWidth + kTestVocab);
}

TEST(LanguageModelTest, TakesLogitsFromTupleAndDict) {
  const std::string body =
      "    z = torch.matmul(torch.embedding(self.embedding, input_ids), self.embedding.t()) + "
      "self.bias\n"
      "    z = z + torch.sum(self.mix) * 0\n";
  for (const std::string result : {"z, input_ids", "{'logits': z, 'other': z}"}) {
    const TempFolder folder;
    const auto model = load_script_model(
        folder, "def forward(self, input_ids):\n" + body + "    return " + result + "\n");
    EXPECT_EQ(model->forward(at::zeros({2, 3}, at::kLong)).dim(), 3);
  }
}

TEST(LanguageModelTest, RefusesOtherPrograms) {
  expect_refused("def forward(self, input_ids, mask):\n    return input_ids\n", "other arguments");
  expect_refused("def generate(self, input_ids):\n    return input_ids\n", "no forward");
  expect_refused(
      "def forward(self, input_ids):\n    return torch.embedding(self.embedding, "
      "input_ids).sum(-1)\n",
      "Float [2, 2]");
  expect_refused("def forward(self, input_ids):\n    return input_ids.unsqueeze(-1)\n",
                 "Long [2, 2, 1]");
  expect_refused("def forward(self, input_ids):\n    return [input_ids]\n", "no logits");
  expect_refused(
      "def forward(self, input_ids):\n    assert False, 'no such luck'\n    return input_ids\n",
      "fails in forward");
}

TEST(LanguageModelTest, RefusesParametersThatCannotBeTrained) {
  const TempFolder folder;
  torch::jit::Module frozen = script_module(kCausalSource);
  for (const auto& parameter : frozen.parameters()) parameter.set_requires_grad(false);
  EXPECT_THROW(load_script_model(folder, frozen), ModelError);
  torch::jit::Module half = script_module(kCausalSource);
  half.to(at::kBFloat16);
  EXPECT_THROW(load_script_model(folder, half), ModelError);
}

TEST(LanguageModelTest, RefusesOtherFiles) {
  const TempFolder folder;
  script_module(kCausalSource).save((folder / "model.pt").string());
  const std::string bytes = file_content(folder / "model.pt");
  for (const std::string& content :
       {std::string(), std::string("text"), std::string("PK\x03\x04 no archive"),
        bytes.substr(0, bytes.size() / 2), bytes.substr(0, bytes.size() - 1)}) {
    EXPECT_THROW(load_language_model(folder.file("bad.pt", content), at::kCPU), ModelError)
        << content.size();
  }
  EXPECT_THROW(load_language_model(folder / "none.pt", at::kCPU), ModelError);
  EXPECT_THROW(load_language_model(folder.path(), at::kCPU), ModelError);
}

TEST(LanguageModelTest, FreezeMatchesAnyNameOfATensor) {
  const TempFolder folder;
  torch::jit::Module module = script_module(kCausalSource);
  module.register_parameter("head", module.attr("embedding").toTensor(), false);
  const auto model = load_script_model(folder, module);
  freeze_parameters(*model, {"^head$", "mi"});
  EXPECT_EQ(count_parameters(*model, true), kTestVocab);
  EXPECT_THROW(freeze_parameters(*model, {"no such"}), ConfigError);
  EXPECT_THROW(freeze_parameters(*model, {"."}), ConfigError);
}

TEST(LanguageModelTest, FreezingIsNotSaved) {
  const TempFolder folder;
  const auto model = load_script_model(folder, kCausalSource);
  freeze_parameters(*model, {"mix"});
  std::string bytes;
  model->save([&](std::string_view piece) { bytes += piece; });
  EXPECT_EQ(count_parameters(*load_language_model(folder.file("saved.pt", bytes), at::kCPU), true),
            count_parameters(*model, false));
  EXPECT_LT(count_parameters(*model, true), count_parameters(*model, false));  // still frozen here
}

TEST(LanguageModelTest, AFailedWriteIsThatError) {
  const TempFolder folder;
  const auto model = load_script_model(folder, kCausalSource);
  EXPECT_THROW(model->save([](std::string_view) { throw StorageError("disk full"); }),
               StorageError);
}

TEST(LanguageModelTest, OutOfMemoryIsNoFaultOfTheModel) {
  const TempFolder folder;
  const auto model = load_script_model(folder,
                                       "def forward(self, input_ids):\n"
                                       "    x = torch.embedding(self.embedding, input_ids)\n"
                                       "    if input_ids.size(1) > 5:\n"
                                       "        x = torch.zeros([1 << 45, 1 << 10])\n"
                                       "    return x\n");
  try {
    model->forward(at::zeros({1, 6}, at::kLong));
    FAIL();
  } catch (const std::exception& problem) {
    EXPECT_EQ(dynamic_cast<const ModelError*>(&problem), nullptr) << problem.what();
  }
}

TEST(LanguageModelTest, SavesTheProgramAsItWasLoaded) {
  const TempFolder folder;
  torch::jit::Module module = script_module(kDropoutSource);
  module.train(true);
  torch::jit::ExtraFilesMap extra = {{"meta.json", "{\"a\": 1}"}};
  module.save((folder / "model.pt").string(), extra);
  const auto model = load_language_model(folder / "model.pt", at::kCPU);
  model->set_training(false);
  {
    const at::NoGradGuard no_grad;
    model->parameters()[2].tensor.add_(1);
  }
  std::string bytes;
  model->save([&](std::string_view piece) { bytes += piece; });
  torch::jit::ExtraFilesMap read = {{"meta.json", ""}};
  const torch::jit::Module saved = torch::jit::load(folder.file("saved.pt", bytes), at::kCPU, read);
  EXPECT_EQ(read["meta.json"], "{\"a\": 1}");
  EXPECT_TRUE(saved.is_training());
  EXPECT_TRUE(at::equal(saved.attr("bias").toTensor(), module.attr("bias").toTensor().add(1)));
}

}  // namespace
}  // namespace pdl
