#include "pdl/example/example_model.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>
#include <torch/csrc/jit/api/compilation_unit.h>
#include <torch/csrc/jit/api/module.h>

#include <cmath>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <vector>

#include "pdl/base/random.h"

namespace pdl {
namespace {

using torch::jit::Module;

// ------------------------------------------------------------------ the program

constexpr const char* kLinear = R"(
def forward(self, x: Tensor) -> Tensor:
    return torch.linear(x, self.weight, self.bias)
)";

constexpr const char* kNorm = R"(
def forward(self, x: Tensor) -> Tensor:
    return torch.layer_norm(x, [x.size(-1)], self.weight, self.bias)
)";

constexpr const char* kAttention = R"(
def rotate(self, x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    first, second = x.chunk(2, dim=-1)
    rotated = [first * cosine - second * sine, second * cosine + first * sine]
    return torch.cat(rotated, dim=-1).type_as(x)

def forward(self, x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    batch, length, width = x.size()
    shape = [batch, length, 3, self.heads, width // self.heads]
    query, key, value = self.query_key_value.forward(x).view(shape).permute([2, 0, 3, 1, 4]).unbind(0)
    query = self.rotate(query, cosine, sine)
    key = self.rotate(key, cosine, sine)
    mixed = torch.scaled_dot_product_attention(query, key, value, is_causal=True)
    return self.output.forward(mixed.transpose(1, 2).reshape([batch, length, width]))
)";

constexpr const char* kFeedForward = R"(
def forward(self, x: Tensor) -> Tensor:
    return self.down.forward(torch.gelu(self.up.forward(x), approximate="tanh"))
)";

constexpr const char* kBlock = R"(
def forward(self, x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    x = x + self.attention.forward(self.attention_norm.forward(x), cosine, sine)
    return x + self.feed_forward.forward(self.feed_forward_norm.forward(x))
)";

// The root module. `hidden` names each block because TorchScript has no loop over modules.
std::string model_source(int64_t layers, int64_t head_width) {
  const std::string half = std::to_string(head_width / 2);
  std::string source = R"(
def hidden(self, input_ids: Tensor) -> Tensor:
    positions = torch.arange(input_ids.size(1), device=input_ids.device).unsqueeze(1)
    fractions = torch.arange()" +
                       half + R"(, device=input_ids.device) / )" + half + R"(.0
    angles = positions * torch.pow(10000.0, -fractions)
    cosine = torch.cos(angles)
    sine = torch.sin(angles)
    x = torch.embedding(self.token_embedding.weight, input_ids)
)";
  for (int64_t layer = 0; layer < layers; ++layer) {
    source += "    x = getattr(self.blocks, \"" + std::to_string(layer) +
              "\").forward(x, cosine, sine)\n";
  }
  return source + R"(    return self.final_norm.forward(x)

def head(self, hidden: Tensor) -> Tensor:
    return torch.linear(hidden, self.token_embedding.weight)

def forward(self, input_ids: Tensor) -> Tensor:
    return self.head(self.hidden(input_ids))
)";
}

// ------------------------------------------------------------------ its parameters

class ModelBuilder {
 public:
  ModelBuilder(const ExampleModelSizes& sizes, uint64_t seed)
      : sizes_(sizes),
        random_(seed),
        unit_(std::make_shared<torch::jit::CompilationUnit>()),
        // The sum of the 2·layers additions to the residual stream keeps the size of one addition.
        output_scale_(1 / std::sqrt(static_cast<double>(2 * sizes.layers))) {}

  Module build() {
    Module model = new_module("ExampleModel");
    Module embedding = new_module("Embedding");
    constexpr double kEmbeddingDeviation = 0.02;
    embedding.register_parameter(
        "weight", random_tensor({sizes_.vocab_size, sizes_.width}, kEmbeddingDeviation), false);
    model.register_module("token_embedding", embedding);
    Module blocks = new_module("Blocks");
    for (int64_t layer = 0; layer < sizes_.layers; ++layer) {
      blocks.register_module(std::to_string(layer), block());
    }
    model.register_module("blocks", blocks);
    model.register_module("final_norm", norm());
    model.define(model_source(sizes_.layers, sizes_.width / sizes_.heads));
    return model;
  }

 private:
  // Makes an object of the class `name`; all objects of that name share the class.
  Module new_module(const std::string& name) {
    const c10::QualifiedName qualified("__torch__." + name);
    const c10::ClassTypePtr known = unit_->get_class(qualified);
    Module module = known != nullptr ? Module(unit_, known) : Module(qualified, unit_);
    module.register_attribute("training", c10::BoolType::get(), true);
    return module;
  }

  // Compiles `source` once per class, when its attributes are known.
  static void define_once(Module& module, const char* source) {
    if (!module.find_method("forward").has_value()) {
      module.define(source);
    }
  }

  // Draws uniformly with mean 0 and the given standard deviation. Uses only operations that IEEE
  // 754 rounds exactly, so that every machine gets the same bits.
  at::Tensor random_tensor(at::IntArrayRef shape, double deviation) {
    at::Tensor tensor = at::empty(shape);
    const double bound = std::sqrt(3.0) * deviation;
    float* values = tensor.mutable_data_ptr<float>();
    for (int64_t i = 0; i < tensor.numel(); ++i) {
      const double value = (2 * random_.uniform() - 1) * bound;
      values[i] = static_cast<float>(value);
    }
    return tensor.requires_grad_(true);
  }

  Module linear(int64_t inputs, int64_t outputs, double scale = 1) {
    Module module = new_module("Linear");
    const double deviation = scale / std::sqrt(static_cast<double>(inputs));
    module.register_parameter("weight", random_tensor({outputs, inputs}, deviation), false);
    module.register_parameter("bias", at::zeros({outputs}).requires_grad_(true), false);
    define_once(module, kLinear);
    return module;
  }

  Module norm() {
    Module module = new_module("Norm");
    module.register_parameter("weight", at::ones({sizes_.width}).requires_grad_(true), false);
    module.register_parameter("bias", at::zeros({sizes_.width}).requires_grad_(true), false);
    define_once(module, kNorm);
    return module;
  }

  Module attention() {
    Module module = new_module("Attention");
    module.register_attribute("heads", c10::IntType::get(), sizes_.heads);
    module.register_module("query_key_value", linear(sizes_.width, 3 * sizes_.width));
    module.register_module("output", linear(sizes_.width, sizes_.width, output_scale_));
    define_once(module, kAttention);
    return module;
  }

  Module feed_forward() {
    Module module = new_module("FeedForward");
    module.register_module("up", linear(sizes_.width, 4 * sizes_.width));
    module.register_module("down", linear(4 * sizes_.width, sizes_.width, output_scale_));
    define_once(module, kFeedForward);
    return module;
  }

  Module block() {
    Module module = new_module("Block");
    module.register_module("attention_norm", norm());
    module.register_module("attention", attention());
    module.register_module("feed_forward_norm", norm());
    module.register_module("feed_forward", feed_forward());
    define_once(module, kBlock);
    return module;
  }

  ExampleModelSizes sizes_;
  Random random_;
  std::shared_ptr<torch::jit::CompilationUnit> unit_;
  double output_scale_;
};

}  // namespace

std::string make_example_model(const ExampleModelSizes& sizes, uint64_t seed) {
  const bool positive =
      sizes.vocab_size > 0 && sizes.width > 0 && sizes.layers > 0 && sizes.heads > 0;
  if (!positive || sizes.width % (2 * sizes.heads) != 0) {
    throw std::invalid_argument("ExampleModelSizes out of range");
  }
  std::ostringstream file;
  ModelBuilder(sizes, seed).build().save(file);
  return std::move(file).str();
}

}  // namespace pdl
