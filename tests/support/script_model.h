// Makes small TorchScript programs for tests in this process.
#pragma once

#include <ATen/ops/empty.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>
#include <torch/csrc/jit/api/module.h>

#include <memory>
#include <string>

#include "pdl/base/random.h"
#include "pdl/model/load_model.h"
#include "support/temp_folder.h"

namespace pdl {

inline constexpr int64_t kTestVocab = 12;
inline constexpr int64_t kTestWidth = 6;

// Draws uniformly from (-bound, bound), the same numbers on every machine.
inline at::Tensor random_parameter(at::IntArrayRef shape, uint64_t seed, double bound = 0.5) {
  at::Tensor tensor = at::empty(shape);
  Random random(seed);
  auto* data = tensor.mutable_data_ptr<float>();
  for (int64_t i = 0; i < tensor.numel(); ++i)
    data[i] = static_cast<float>(bound * (2 * random.uniform() - 1));
  return tensor.set_requires_grad(true);
}

// Makes a program with parameters `embedding` [V, D], `mix` [D, D] and `bias` [V], and the methods
// of `source`.
inline torch::jit::Module script_module(const std::string& source) {
  torch::jit::Module module("TestModel");
  module.register_parameter("embedding", random_parameter({kTestVocab, kTestWidth}, 1), false);
  module.register_parameter("mix", random_parameter({kTestWidth, kTestWidth}, 2), false);
  module.register_parameter("bias", random_parameter({kTestVocab}, 3), false);
  module.register_attribute("training", c10::BoolType::get(), true);
  module.define(source);
  return module;
}

// A causal model with a tied head: each position sees the tokens up to it.
inline constexpr const char* kCausalSource = R"(
def forward(self, input_ids):
    x = torch.embedding(self.embedding, input_ids)
    x = torch.tanh(torch.matmul(torch.cumsum(x, 1), self.mix))
    return torch.matmul(x, self.embedding.t()) + self.bias
)";

inline constexpr const char* kDropoutSource = R"(
def forward(self, input_ids):
    x = torch.embedding(self.embedding, input_ids)
    x = torch.tanh(torch.matmul(torch.cumsum(x, 1), self.mix))
    x = torch.dropout(x, 0.3, self.training)
    return torch.matmul(x, self.embedding.t()) + self.bias
)";

// Token 11 makes the logits of its position NaN.
inline constexpr const char* kPoisonedSource = R"(
def forward(self, input_ids):
    x = torch.embedding(self.embedding, input_ids)
    x = torch.tanh(torch.matmul(torch.cumsum(x, 1), self.mix))
    poison = torch.where(input_ids == 11, float('nan'), 0.0)
    return torch.matmul(x, self.embedding.t()) + self.bias + torch.cumsum(poison, 1).unsqueeze(-1)
)";

// The methods that the exporter and `init` write.
inline constexpr const char* kSplitSource = R"(
def hidden(self, input_ids: Tensor):
    x = torch.embedding(self.embedding, input_ids)
    return torch.tanh(torch.matmul(torch.cumsum(x, 1), self.mix))

def head(self, hidden: Tensor):
    return torch.matmul(hidden, self.embedding.t()) + self.bias

def forward(self, input_ids: Tensor):
    return self.head(self.hidden(input_ids))
)";

// A model with state of its own besides its parameters: statistics that training writes in place,
// and a tensor and a number that it assigns. Its logits depend on all of it, and token 11 makes the
// state and the loss NaN.
inline torch::jit::Module stateful_module() {
  torch::jit::Module module = script_module("");
  module.register_buffer("mean", at::zeros({kTestWidth}));
  module.register_buffer("variance", at::ones({kTestWidth}));
  module.register_buffer("average", at::zeros({kTestWidth}));
  module.register_attribute("calls", c10::IntType::get(), int64_t{0});
  module.define(R"(
def forward(self, input_ids):
    x = torch.embedding(self.embedding, input_ids)
    x = x + torch.where(input_ids == 11, float('nan'), 0.0).unsqueeze(-1)
    x = torch.batch_norm(x.flatten(0, 1), None, None, self.mean, self.variance, self.training, 0.1, 1e-5, False).view_as(x)
    x = torch.tanh(torch.matmul(torch.cumsum(x, 1), self.mix))
    if self.training:
        self.average = self.average * 0.9 + torch.mean(x.detach(), [0, 1]) * 0.1
        self.calls = self.calls + 1
    return torch.matmul(x + self.average, self.embedding.t()) + self.bias * (1 + self.calls * 0.1)
)");
  return module;
}

inline std::unique_ptr<LanguageModel> load_script_model(const TempFolder& folder,
                                                        torch::jit::Module module) {
  module.save((folder / "model.pt").string());
  return load_language_model(folder / "model.pt");
}

inline std::unique_ptr<LanguageModel> load_script_model(const TempFolder& folder,
                                                        const std::string& source) {
  return load_script_model(folder, script_module(source));
}

}  // namespace pdl
