#include "pdl/model/language_model.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/zeros.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <torch/csrc/jit/serialization/import.h>

#include <csignal>
#include <filesystem>

#include "pdl/base/error.h"
#include "pdl/tensors/tensor_store.h"
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
  EXPECT_EQ(model->info().vocab_size, kTestVocab);
  const std::vector<NamedTensor>& trained = model->parameters().trained;
  ASSERT_EQ(trained.size(), 3U);
  EXPECT_EQ(trained[0].name, "embedding");
  EXPECT_THAT(trained[0].aliases, testing::ElementsAre("head"));
  EXPECT_EQ(count_elements(trained),
            kTestVocab * kTestWidth + kTestWidth * kTestWidth + kTestVocab);
}

// Otherwise the run would find out at its first save.
TEST(LanguageModelTest, RefusesABufferThatNoCheckpointCanHold) {
  const TempFolder folder;
  for (const at::Tensor& buffer : {at::zeros({2}, at::kComplexFloat), at::eye(3).to_sparse()}) {
    torch::jit::Module module = script_module(kCausalSource);
    module.register_buffer("table", buffer);
    try {
      load_script_model(folder, module);
      FAIL() << buffer.toString();
    } catch (const ModelError& problem) {
      EXPECT_THAT(problem.what(), HasSubstr("buffer 'table'"));
    }
  }
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
      "Float [3, 2]");
  expect_refused("def forward(self, input_ids):\n    return input_ids.unsqueeze(-1)\n",
                 "Long [3, 2, 1]");
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
  torch::jit::Module wide = script_module(kCausalSource);
  wide.to(at::kDouble);
  EXPECT_THROW(load_script_model(folder, wide), ModelError);
}

// Parameters are float32, so that small updates are not rounded away, and bfloat16 again in the
// file.
TEST(LanguageModelTest, Bfloat16FilesAreTrainedInFloat32AndSavedInBfloat16) {
  const TempFolder folder;
  torch::jit::Module stored = script_module(kCausalSource);
  stored.to(at::kBFloat16);
  const auto model = load_script_model(folder, stored);
  for (const NamedTensor& parameter : model->parameters().trained) {
    EXPECT_EQ(parameter.tensor.scalar_type(), at::kFloat);
    EXPECT_TRUE(parameter.tensor.requires_grad());
  }
  const at::Tensor embedding = model->parameters().trained[0].tensor;
  {
    const at::NoGradGuard no_grad;
    embedding.add_(1e-4);  // less than bfloat16 resolves at 1
  }
  const at::Tensor before = embedding.detach().clone();
  model->save(folder.path());
  EXPECT_TRUE(at::equal(embedding, before));
  EXPECT_EQ(embedding.scalar_type(), at::kFloat);
  const at::Tensor stored_embedding = at::empty_like(embedding, at::kBFloat16);
  const TensorStore store = TensorStore::open<ModelError>(folder / "model.safetensors");
  EXPECT_EQ(store.info("mix").dtype, at::kBFloat16);
  store.read({"embedding", stored_embedding.sizes().vec(), 0, stored_embedding});
  EXPECT_TRUE(at::equal(stored_embedding, before.to(at::kBFloat16)));
  const torch::jit::Module saved = torch::jit::load((folder / "model.pt").string());
  const at::Tensor rounded = saved.attr("embedding").toTensor();
  EXPECT_EQ(rounded.scalar_type(), at::kBFloat16);
  EXPECT_TRUE(at::equal(rounded, before.to(at::kBFloat16)));
}

TEST(LanguageModelTest, OffersItsHalvesWhereTheProgramHasThem) {
  const TempFolder folder;
  EXPECT_FALSE(load_script_model(folder, kCausalSource)->info().splits_head);
  const auto model = load_script_model(folder, kSplitSource);
  ASSERT_TRUE(model->info().splits_head);
  const at::Tensor ids = at::arange(6, at::kLong).reshape({2, 3});
  const at::Tensor hidden = model->hidden(ids);
  EXPECT_EQ(hidden.sizes(), at::IntArrayRef({2, 3, kTestWidth}));
  EXPECT_TRUE(at::equal(model->head(hidden), model->forward(ids)));
}

TEST(LanguageModelTest, HalvesThatAreNotThoseOfForwardAreNotUsed) {
  const TempFolder folder;
  std::string other = kSplitSource;
  const std::string bias = "self.embedding.t()) + self.bias";
  other.replace(other.find(bias), bias.size(), "self.embedding.t())");
  other += "    return self.head(self.hidden(input_ids)) + self.bias\n";
  const std::string tail = "    return self.head(self.hidden(input_ids))\n";
  other.erase(other.find(tail), tail.size());
  EXPECT_FALSE(load_script_model(folder, other)->info().splits_head);
}

// Autocast works inside the loaded program. Products are in bfloat16 (dtype 15); operations that
// must not lose digits, such as a rotary table, are in float32 (dtype 6).
TEST(LanguageModelTest, AutocastActsInsideTheProgram) {
  constexpr const char* kWatched = R"(
def hidden(self, input_ids: Tensor):
    positions = torch.arange(input_ids.size(1)).unsqueeze(-1) * torch.exp(self.bias[:1])
    table = torch.cos(positions)
    assert table.dtype == 6
    x = torch.embedding(self.embedding, input_ids)
    assert x.dtype == 6
    product = torch.matmul(x * table, self.mix)
    assert product.dtype == 15
    return product

def head(self, hidden: Tensor):
    return torch.matmul(hidden, self.embedding.t())

def forward(self, input_ids: Tensor):
    return self.head(self.hidden(input_ids))
)";
  const TempFolder folder;
  script_module(kWatched).save((folder / "model.pt").string());
  EXPECT_THROW(load_language_model(folder / "model.pt"), ModelError);
  const auto model = load_language_model(folder / "model.pt", {.autocast = at::kBFloat16});
  EXPECT_TRUE(model->info().splits_head);
  const at::Tensor logits = model->forward(at::arange(6, at::kLong).reshape({2, 3}));
  EXPECT_EQ(logits.scalar_type(), at::kBFloat16);
  logits.sum().backward();
  for (const NamedTensor& parameter : model->parameters().trained) {
    if (parameter.name == "bias") continue;  // used for its exponential alone
    EXPECT_EQ(parameter.tensor.grad().scalar_type(), at::kFloat) << parameter.name;
  }
  EXPECT_EQ(at::matmul(at::randn({2, 2}), at::randn({2, 2})).scalar_type(), at::kFloat);
}

TEST(LanguageModelTest, RefusesOtherFiles) {
  const TempFolder folder;
  script_module(kCausalSource).save((folder / "model.pt").string());
  const std::string bytes = file_content(folder / "model.pt");
  for (const std::string& content :
       {std::string(), std::string("text"), std::string("PK\x03\x04 no archive"),
        bytes.substr(0, bytes.size() / 2), bytes.substr(0, bytes.size() - 1)}) {
    EXPECT_THROW(load_language_model(folder.file("bad.pt", content)), ModelError) << content.size();
  }
  EXPECT_THROW(load_language_model(folder / "none.pt"), ModelError);
  EXPECT_THROW(load_language_model(folder.path()), ModelError);
}

TEST(LanguageModelTest, FreezeMatchesAnyNameOfATensor) {
  const TempFolder folder;
  torch::jit::Module module = script_module(kCausalSource);
  module.register_parameter("head", module.attr("embedding").toTensor(), false);
  module.save((folder / "model.pt").string());
  const auto load = [&](const std::vector<std::string>& freeze) {
    return load_language_model(folder / "model.pt", {.freeze = freeze});
  };
  const auto model = load({"^head$", "mi"});
  EXPECT_EQ(count_elements(model->parameters().trained), kTestVocab);
  EXPECT_EQ(model->parameters().frozen.size(), 2U);
  EXPECT_THROW(load({"no such"}), ConfigError);
  EXPECT_THROW(load({"."}), ConfigError);
}

TEST(LanguageModelTest, FreezingIsNotSaved) {
  const TempFolder folder;
  script_module(kCausalSource).save((folder / "model.pt").string());
  const auto model = load_language_model(folder / "model.pt", {.freeze = {"mix"}});
  const TempFolder saved;
  model->save(saved.path());
  EXPECT_EQ(load_language_model(saved / "model.pt")->parameters().trained.size(), 3U);
  EXPECT_EQ(model->parameters().trained.size(), 2U);
  EXPECT_FALSE(model->parameters().frozen[0].tensor.requires_grad());  // still frozen here
}

// The disk is full in the middle of the file.
TEST(LanguageModelTest, AFailedWriteIsThatErrorAndLeavesNothing) {
  const TempFolder folder;
  const auto model = load_script_model(folder, kCausalSource);
  const TempFolder full;
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{.rlim_cur = 700, .rlim_max = before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  EXPECT_THROW(model->save(full.path()), StorageError);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, handler);
  EXPECT_TRUE(std::filesystem::is_empty(full.path()));
}

TEST(LanguageModelTest, DecodingGivesTheLogitsOfTheLastToken) {
  for (const char* source : {kCausalSource, kSplitSource}) {
    const TempFolder folder;
    const auto model = load_script_model(folder, source);
    const at::Tensor logits = model->forward(at::arange(10, at::kLong).reshape({2, 5}));
    const auto decoding = model->start_decoding();
    const at::Tensor first = decoding->start({{0, 1, 2}, {5, 6}});
    EXPECT_TRUE(first[0].allclose(logits[0][2]));
    EXPECT_TRUE(first[1].allclose(logits[1][1]));
    const at::Tensor next = decoding->next(std::vector<int32_t>{3, 7});
    EXPECT_TRUE(next[0].allclose(logits[0][3]));
    EXPECT_TRUE(next[1].allclose(logits[1][2]));
    EXPECT_FALSE(next.requires_grad());
    decoding->select(std::vector<int64_t>{1, 1});
    const at::Tensor twice = decoding->next(std::vector<int32_t>{8, 8});
    EXPECT_TRUE(twice[0].allclose(logits[1][3]));
    EXPECT_TRUE(at::equal(twice[0], twice[1]));
  }
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
  const auto model = load_language_model(folder / "model.pt");
  model->set_training(false);
  {
    const at::NoGradGuard no_grad;
    model->parameters().trained[2].tensor.add_(1);
  }
  const TempFolder written;
  model->save(written.path());
  torch::jit::ExtraFilesMap read = {{"meta.json", ""}};
  const torch::jit::Module saved =
      torch::jit::load((written / "model.pt").string(), at::kCPU, read);
  EXPECT_EQ(read["meta.json"], "{\"a\": 1}");
  EXPECT_TRUE(saved.is_training());
  EXPECT_TRUE(at::equal(saved.attr("bias").toTensor(), module.attr("bias").toTensor().add(1)));
}

}  // namespace
}  // namespace pdl
