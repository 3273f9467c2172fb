#include "lora.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/mm.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <string_view>
#include <utility>

#include "adapter_config.h"
#include "pdl/base/error.h"
#include "pdl/base/file.h"
#include "pdl/base/log.h"
#include "pdl/base/sha256.h"
#include "pdl/base/text_format.h"
#include "pdl/base/unicode.h"
#include "pdl/tensors/write_tensors.h"

namespace pdl {
namespace {

namespace fs = std::filesystem;

constexpr const char* kAllLinear = "all-linear";
constexpr const char* kWeight = ".weight";
constexpr const char* kA = ".lora_A.weight";
constexpr const char* kB = ".lora_B.weight";

// GPT-NeoX's head has another name in transformers than in its file.
std::string module_name(const std::string& name) {
  constexpr std::string_view kInFile = "embed_out";
  return name.starts_with(kInFile) ? "lm_head" + name.substr(kInFile.size()) : name;
}

std::string peft_name(const std::string& name) { return "base_model.model." + module_name(name); }

// The matrices that may have an adapter: those of products.
std::vector<LoraModule> list_modules(const DecoderSpec& spec) {
  std::vector<LoraModule> modules;
  const std::string layers = spec.names.prefix + spec.names.layers;
  for (const TensorSpec& tensor : list_tensors(spec)) {
    if (tensor.shape.size() != 2 || !tensor.name.starts_with(layers)) continue;
    const bool transposed = spec.transposed;
    modules.push_back({tensor.name.substr(0, tensor.name.size() - std::string(kWeight).size()),
                       tensor.shape[transposed ? 0 : 1], tensor.shape[transposed ? 1 : 0]});
  }
  modules.push_back({spec.names.head, spec.hidden_size, spec.vocab_size});
  return modules;
}

bool matches(const std::string& name, const std::string& target) {
  return name == target || name.ends_with("." + target);
}

std::vector<std::string> default_targets(const DecoderSpec& spec) {
  const ParameterNames& names = spec.names;
  if (spec.qkv_layout != QkvLayout::kSeparate) return {names.qkv, names.attention_output};
  return {names.query, names.key, names.value, names.attention_output};
}

[[noreturn]] void refuse_target(const std::string& target, const std::string& why) {
  throw ConfigError("lora_target_modules: \"" + printable(target) + "\" " + why);
}

// What a target names in a model: a tied matrix is two at once, and only one of them would change.
void require_mergeable(const DecoderSpec& spec, bool ties_head, const std::string& target) {
  if (matches(spec.names.prefix + spec.names.embedding, target))
    refuse_target(target, "is the embedding; adapters are for the matrices of products");
  if (ties_head && matches(module_name(spec.names.head), target)) {
    refuse_target(target,
                  "is tied to the embedding: an adapter could not be merged without changing that");
  }
}

std::vector<LoraModule> select_modules(const DecoderSpec& spec, bool ties_head,
                                       const std::vector<std::string>& targets) {
  const std::vector<LoraModule> all = list_modules(spec);
  std::vector<bool> is_selected(all.size());
  for (const std::string& target : targets) {
    require_mergeable(spec, ties_head, target);
    bool is_found = false;
    for (size_t i = 0; i < all.size(); ++i) {
      const bool is_head = all[i].name == spec.names.head;
      const bool is_match =
          target == kAllLinear ? !is_head : matches(module_name(all[i].name), target);
      is_selected[i] = is_selected[i] || is_match;
      is_found = is_found || is_match;
    }
    if (!is_found) refuse_target(target, "is no matrix of " + spec.family);
  }
  std::vector<LoraModule> selected;
  for (size_t i = 0; i < all.size(); ++i) {
    if (is_selected[i]) selected.push_back(all[i]);
  }
  return selected;
}

std::vector<TensorSpec> specs_of(const std::vector<LoraModule>& modules, int64_t rank) {
  std::vector<TensorSpec> specs;
  for (const LoraModule& module : modules) {
    specs.push_back({.name = module.name + kA, .shape = {rank, module.in}});
    specs.push_back({.name = module.name + kB, .shape = {module.out, rank}});
  }
  return specs;
}

std::set<std::string> as_set(const std::vector<std::string>& names) {
  return {names.begin(), names.end()};
}

// The options that count where there is an adapter to start from.
LoraOptions with_adapter(LoraOptions options, const AdapterConfig& adapter) {
  const auto refuse = [&](const std::string& key, const std::string& value) {
    throw ConfigError(key + ": the adapter '" + options.adapter.string() + "' has " + value +
                      ", which cannot change; leave the key out");
  };
  if (options.rank > 0 && options.rank != adapter.rank)
    refuse("lora_rank", std::to_string(adapter.rank));
  if (options.alpha != LoraOptions{}.alpha && options.alpha != adapter.alpha)
    refuse("lora_alpha", significant(adapter.alpha, 6));
  if (!options.target_modules.empty() &&
      as_set(options.target_modules) != as_set(adapter.target_modules))
    refuse("lora_target_modules", "others");
  log_info("adapter '" + options.adapter.string() + "': rank " + std::to_string(adapter.rank) +
           ", alpha " + significant(adapter.alpha, 6));
  options.rank = adapter.rank;
  options.alpha = adapter.alpha;
  options.target_modules = adapter.target_modules;
  return options;
}

}  // namespace

LoraAdapters::LoraAdapters(const DecoderSpec& spec, const StoredWeights& stored,
                           const LoraOptions& options, at::Device device,
                           const std::vector<std::string>& freeze)
    : options_(options), fan_in_fan_out_(spec.transposed) {
  if (!options.is_on()) return;
  AdapterConfig adapter;
  if (!options.adapter.empty()) {
    adapter = read_adapter_config(options.adapter);
    options_ = with_adapter(options, adapter);
  }
  if (options_.target_modules.empty()) options_.target_modules = default_targets(spec);
  modules_ = select_modules(spec, stored.ties_head, options_.target_modules);
  scale_ = options_.alpha / (adapter.scales_by_root ? std::sqrt(static_cast<double>(options_.rank))
                                                    : static_cast<double>(options_.rank));
  tensors_ = TrainedTensors(specs_of(modules_, options_.rank),
                            at::TensorOptions().dtype(at::kFloat).device(device));
  if (options_.adapter.empty()) {
    initialise(options_.seed);
  } else {
    read(options_.adapter);
  }
  std::vector<NamedTensor> parameters;
  for (size_t i = 0; i < tensors_.specs().size(); ++i) {
    parameters.push_back(
        {peft_name(tensors_.specs()[i].name), tensors_.values()[i].set_requires_grad(true), {}});
  }
  parameters_ = part_parameters(parameters, freeze);
  tensors_.train();
}

void LoraAdapters::initialise(uint64_t seed) {
  const at::NoGradGuard no_grad;
  at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  for (size_t i = 0; i < modules_.size(); ++i) {
    const double bound = 1 / std::sqrt(static_cast<double>(modules_[i].in));
    const at::Tensor& a = tensors_.values()[2 * i];
    a.copy_(at::empty(a.sizes(), at::dtype(at::kFloat)).uniform_(-bound, bound, generator));
    tensors_.values()[2 * i + 1].zero_();
  }
}

void LoraAdapters::read(const fs::path& folder) {
  const fs::path path = folder / kAdapterWeightsFile;
  const TensorStore store = TensorStore::open<ModelError>(path);
  for (size_t i = 0; i < tensors_.specs().size(); ++i) {
    const TensorSpec& spec = tensors_.specs()[i];
    store.read({peft_name(spec.name), spec.shape, 0, tensors_.values()[i]});
  }
  if (store.names().size() != tensors_.specs().size()) {
    throw ModelError("adapter '" + path.string() + "' has " + std::to_string(store.names().size()) +
                     " tensors, and its target_modules " + std::to_string(tensors_.specs().size()) +
                     " of this model");
  }
  Sha256 hash;
  const std::string problem =
      try_read_pieces(path, [&](std::string_view bytes) { hash.update(bytes); });
  if (!problem.empty()) throw ModelError("adapter '" + path.string() + "' " + problem);
  sha256_ = hash.finish();
}

LoraParameters LoraAdapters::find(const std::string& name) const {
  return {.a = tensors_.find({name + kA}),
          .b = tensors_.find({name + kB}),
          .scale = scale_,
          .dropout = options_.dropout};
}

void LoraAdapters::merge_into(const at::Tensor& matrix, const std::string& name,
                              bool transposed) const {
  const at::NoGradGuard no_grad;
  const LoraParameters adapter = find(name);
  if (!adapter.a.value.defined()) return;
  const at::Tensor change = at::mm(adapter.b.value.cpu(), adapter.a.value.cpu()).mul_(scale_);
  matrix.add_(transposed ? change.t() : change);
}

void LoraAdapters::save(const fs::path& folder, const fs::path& base) const {
  std::vector<NamedTensor> tensors;
  for (size_t i = 0; i < tensors_.specs().size(); ++i)
    tensors.push_back({peft_name(tensors_.specs()[i].name), tensors_.values()[i].detach(), {}});
  std::ranges::sort(tensors, {}, &NamedTensor::name);
  write_tensors(folder / kAdapterWeightsFile, whole_slices(tensors));
  write_adapter_config(folder,
                       {.rank = options_.rank,
                        .alpha = scale_ * static_cast<double>(options_.rank),
                        .dropout = options_.dropout,
                        .target_modules = options_.target_modules},
                       base, fan_in_fan_out_);
}

}  // namespace pdl
