// What forward changes by itself: found, kept, undone and written.
#include <ATen/core/grad_mode.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/csrc/jit/serialization/import.h>

#include <string>
#include <vector>

#include "pdl/base/error.h"
#include "pdl/tensors/tensor_store.h"
#include "support/script_model.h"

namespace pdl {
namespace {

using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

// A causal model that also runs `statements`.
std::string source_with(const std::string& statements) {
  return "def forward(self, input_ids):\n"
         "    x = torch.embedding(self.embedding, input_ids)\n"
         "    x = torch.tanh(torch.matmul(torch.cumsum(x, 1), self.mix))\n" +
         statements + "    return torch.matmul(x, self.embedding.t()) + self.bias\n";
}

at::Tensor some_ids() { return at::ones({3, 4}, at::kLong); }

std::vector<std::string> changing_names(const LanguageModel& model) {
  std::vector<std::string> names;
  for (const NamedTensor& buffer : model.parameters().changing) names.push_back(buffer.name);
  return names;
}

at::Tensor buffer_of(const LanguageModel& model, const std::string& name) {
  for (const NamedTensor& buffer : model.parameters().buffers) {
    if (buffer.name == name) return buffer.tensor;
  }
  return {};
}

// Every kind of state: buffers assigned and written in place, a plain tensor, numbers.
torch::jit::Module module_with_state() {
  torch::jit::Module module = script_module("");
  module.register_buffer("average", at::zeros({kTestWidth}));
  module.register_buffer("in_place", at::zeros({2}));
  module.register_buffer("constant", at::ones({2}));
  module.register_buffer("mean", at::zeros({kTestWidth}));
  module.register_buffer("variance", at::ones({kTestWidth}));
  module.register_attribute("plain", c10::TensorType::get(), at::zeros({2}));
  module.register_attribute("calls", c10::IntType::get(), int64_t{0});
  module.register_attribute("rate", c10::FloatType::get(), 1.0);
  module.register_attribute("was_called", c10::BoolType::get(), false);
  module.register_attribute("width", c10::IntType::get(), int64_t{6});
  module.define(source_with(R"(
    if self.training:
        self.average = self.average * 0.5 + torch.mean(x, [0, 1])
        self.in_place.add_(1)
        self.plain = self.plain + 1
        self.calls = self.calls + 1
        self.rate = self.rate * 0.5
        self.was_called = True
        x = torch.batch_norm(x.flatten(0, 1), None, None, self.mean, self.variance, True, 0.1, 1e-5, False).view_as(x)
    x = x + self.average + self.plain.sum() + self.constant.sum() + self.calls * self.rate
)"));
  return module;
}

TEST(ChangingBuffersTest, EveryKindIsFoundAndLeftAsItWas) {
  const TempFolder folder;
  const auto model = load_script_model(folder, module_with_state());
  model->prepare_training(some_ids());
  EXPECT_THAT(changing_names(*model),
              UnorderedElementsAre("average", "in_place", "mean", "variance", "plain", "calls",
                                   "rate", "was_called"));
  EXPECT_TRUE(at::equal(buffer_of(*model, "average"), at::zeros({kTestWidth})));
  EXPECT_TRUE(at::equal(buffer_of(*model, "variance"), at::ones({kTestWidth})));
  EXPECT_TRUE(at::equal(buffer_of(*model, "plain"), at::zeros({2})));
  EXPECT_EQ(buffer_of(*model, "calls").item<int64_t>(), 0);
  EXPECT_EQ(buffer_of(*model, "rate").item<double>(), 1);
  EXPECT_FALSE(buffer_of(*model, "was_called").item<bool>());
  EXPECT_TRUE(buffer_of(*model, "constant").defined());
  EXPECT_FALSE(buffer_of(*model, "width").defined());  // a constant of the program
  for (const NamedTensor& parameter : model->parameters().trained) {
    EXPECT_FALSE(parameter.tensor.grad().defined()) << parameter.name;
  }
}

TEST(ChangingBuffersTest, StateIsReadAndWrittenThroughTheBuffers) {
  const TempFolder folder;
  const auto model = load_script_model(folder, module_with_state());
  model->prepare_training(some_ids());
  model->set_training(true);
  const std::vector<at::Tensor> before = copy_changing_buffers(*model);
  const at::Tensor first = model->forward(some_ids());
  model->pull_buffers();
  EXPECT_EQ(buffer_of(*model, "calls").item<int64_t>(), 1);
  EXPECT_EQ(buffer_of(*model, "rate").item<double>(), 0.5);
  EXPECT_TRUE(buffer_of(*model, "was_called").item<bool>());
  EXPECT_TRUE(at::equal(buffer_of(*model, "plain"), at::ones({2})));
  EXPECT_GT(buffer_of(*model, "average").abs().max().item<double>(), 0);
  const at::Tensor second = model->forward(some_ids());
  EXPECT_FALSE(at::equal(first, second));

  restore_changing_buffers(*model, before);
  EXPECT_TRUE(at::equal(model->forward(some_ids()), first));
  model->pull_buffers();
  buffer_of(*model, "calls").fill_(7);  // as a checkpoint does
  buffer_of(*model, "plain").fill_(7);
  model->push_buffers();
  model->forward(some_ids());
  model->pull_buffers();
  EXPECT_EQ(buffer_of(*model, "calls").item<int64_t>(), 8);
  EXPECT_TRUE(at::equal(buffer_of(*model, "plain"), at::full({2}, 8.0F)));
}

TEST(ChangingBuffersTest, BothFilesOfTheFinalModelHaveTheState) {
  const TempFolder folder;
  const auto model = load_script_model(folder, module_with_state());
  model->prepare_training(some_ids());
  model->set_training(true);
  model->forward(some_ids());
  model->pull_buffers();
  const TempFolder saved;
  model->save(saved.path());
  const torch::jit::Module program = torch::jit::load((saved / "model.pt").string());
  const TensorStore store = TensorStore::open<ModelError>(saved / "model.safetensors");
  for (const std::string name : {"average", "in_place", "mean"}) {
    const at::Tensor value = buffer_of(*model, name);
    EXPECT_TRUE(at::equal(program.attr(name).toTensor(), value)) << name;
    const at::Tensor read = at::zeros(value.sizes());
    store.read({name, value.sizes().vec(), 0, read});
    EXPECT_TRUE(at::equal(read, value)) << name;
  }
  EXPECT_EQ(program.attr("calls").toInt(), 1);
  EXPECT_FALSE(store.contains("calls"));  // it is no part of a state dict
}

// Backward needs the values of the forward before it.
TEST(ChangingBuffersTest, BackwardMayNeedWhatIsAssignedAnew) {
  torch::jit::Module module = script_module("");
  module.register_buffer("gain", at::ones({kTestWidth}));
  module.define(source_with("    y = x * self.gain\n    self.gain = self.gain * 2\n    x = y\n"));
  const TempFolder folder;
  const auto model = load_script_model(folder, module);
  model->prepare_training(some_ids());
  const at::Tensor logits = model->forward(some_ids());
  EXPECT_NO_THROW(backward_through(*model, logits.sum()));
  model->pull_buffers();
  EXPECT_TRUE(at::equal(buffer_of(*model, "gain"), at::full({kTestWidth}, 2.0F)));
}

TEST(ChangingBuffersTest, AssignedUnderTwoNamesIsTwoTensors) {
  torch::jit::Module module = script_module("");
  const at::Tensor shared = at::ones({kTestWidth});
  module.register_buffer("assigned", shared);
  module.register_buffer("kept", shared);
  module.define(source_with("    self.assigned = self.assigned * 2\n    x = x + self.kept\n"));
  const TempFolder folder;
  const auto model = load_script_model(folder, module);
  model->prepare_training(some_ids());
  model->forward(some_ids());
  model->pull_buffers();
  EXPECT_TRUE(at::equal(buffer_of(*model, "kept"), shared));
  EXPECT_TRUE(at::equal(buffer_of(*model, "assigned"), shared.mul(2)));
}

// What one attribute held may be assigned to another, in any order of the two.
TEST(ChangingBuffersTest, AttributesMayGetWhatOthersHeld) {
  torch::jit::Module module = script_module("");
  for (const char* name : {"a", "current", "previous", "z"}) {
    module.register_buffer(name, at::full({1}, static_cast<float>(name[0])));
  }
  module.define(
      source_with("    self.previous = self.current\n    self.current = self.current + 1\n"
                  "    a = self.a\n    self.a = self.z\n    self.z = a\n"));
  const TempFolder folder;
  const auto model = load_script_model(folder, module);
  model->prepare_training(some_ids());
  for (int step = 1; step <= 3; ++step) {
    model->forward(some_ids());
    model->pull_buffers();
    EXPECT_EQ(buffer_of(*model, "current").item<float>(), static_cast<float>('c' + step));
    EXPECT_EQ(buffer_of(*model, "previous").item<float>(), static_cast<float>('c' + step - 1));
    EXPECT_EQ(buffer_of(*model, "a").item<float>(), static_cast<float>(step % 2 == 1 ? 'z' : 'a'));
    EXPECT_EQ(buffer_of(*model, "z").item<float>(), static_cast<float>(step % 2 == 1 ? 'a' : 'z'));
  }
}

// Its values cannot be compared.
TEST(ChangingBuffersTest, ASparseConstantIsTaken) {
  torch::jit::Module module = script_module("");
  module.register_attribute("table", c10::TensorType::get(), at::eye(3).to_sparse());
  module.define(source_with(""));
  const TempFolder folder;
  EXPECT_NO_THROW(load_script_model(folder, module)->prepare_training(some_ids()));
}

TEST(ChangingBuffersTest, StateThatBeginsLaterIsKeptFromThenOn) {
  torch::jit::Module module = script_module("");
  module.register_buffer("late", at::zeros({2}));
  module.define(source_with("    if input_ids.size(1) > 4:\n        self.late.add_(1)\n"));
  const TempFolder folder;
  const auto model = load_script_model(folder, module);
  model->prepare_training(some_ids());
  EXPECT_TRUE(changing_names(*model).empty());
  model->forward(at::ones({1, 5}, at::kLong));
  model->pull_buffers();
  EXPECT_THAT(changing_names(*model), UnorderedElementsAre("late"));
}

std::string refusal_of(const torch::jit::Module& module) {
  const TempFolder folder;
  try {
    load_script_model(folder, module)->prepare_training(some_ids());
  } catch (const ModelError& problem) {
    return problem.what();
  }
  return "";
}

TEST(ChangingBuffersTest, StateThatNoCheckpointCanHoldIsRefusedByName) {
  torch::jit::Module list = script_module("");
  list.register_attribute("seen", c10::ListType::ofInts(), c10::List<int64_t>());
  list.define(source_with("    self.seen.append(input_ids.size(1))\n"));
  EXPECT_THAT(refusal_of(list), HasSubstr("attribute 'seen'"));

  torch::jit::Module optional = script_module("");
  optional.register_attribute("cache", c10::OptionalType::ofTensor(), c10::IValue());
  optional.define(source_with("    self.cache = x\n"));
  EXPECT_THAT(refusal_of(optional), HasSubstr("attribute 'cache'"));

  torch::jit::Module emptied = script_module("");
  emptied.register_attribute("cache", c10::OptionalType::ofTensor(), at::zeros({1}));
  emptied.define(source_with("    self.cache = None\n"));
  {
    const TempFolder folder;
    const auto model = load_script_model(folder, emptied);
    EXPECT_THROW(
        {
          model->prepare_training(some_ids());
          model->forward(some_ids());
          model->pull_buffers();
        },
        ModelError);
  }

  torch::jit::Module growing = script_module("");
  growing.register_buffer("rows", at::zeros({1}));
  growing.define(source_with("    self.rows = torch.cat([self.rows, self.rows])\n"));
  const TempFolder folder;
  const auto model = load_script_model(folder, growing);
  model->prepare_training(some_ids());
  model->forward(some_ids());
  EXPECT_THROW(model->pull_buffers(), ModelError);
}

TEST(ChangingBuffersTest, AMethodThatNothingCallsChangesNothing) {
  torch::jit::Module module = script_module("");
  module.register_attribute("cache", c10::OptionalType::ofTensor(), c10::IValue());
  module.define(source_with(""));
  module.define("def generate(self, x: Tensor):\n    self.cache = x\n    return x\n");
  EXPECT_EQ(refusal_of(module), "");
}

}  // namespace
}  // namespace pdl
