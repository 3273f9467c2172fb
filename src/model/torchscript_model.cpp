#include <ATen/core/grad_mode.h>
#include <ATen/ops/zeros.h>
#include <caffe2/serialize/inline_container.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/runtime/graph_executor.h>
#include <torch/csrc/jit/serialization/export.h>
#include <torch/csrc/jit/serialization/import.h>

#include <algorithm>
#include <exception>
#include <unordered_map>
#include <utility>

#include "pdl/base/error.h"
#include "pdl/base/file.h"
#include "pdl/base/sha256.h"
#include "pdl/model/language_model.h"
#include "pdl/model/torch_error.h"

namespace pdl {
namespace {

namespace fs = std::filesystem;

// Files that the exporter put beside the program, such as metadata; they are saved again with it.
constexpr std::string_view kExtraFilePrefix = "extra/";

std::string hash_model_file(const fs::path& path) {
  const std::string quoted = "model '" + path.string() + "' ";
  Sha256 hash;
  std::string head;
  const std::string problem = try_read_pieces(path, [&](std::string_view bytes) {
    if (head.empty()) head = bytes.substr(0, 4);
    hash.update(bytes);
  });
  if (!problem.empty()) throw ModelError(quoted + problem);
  if (head.empty()) throw ModelError(quoted + "is empty");
  if (head != std::string_view("PK\x03\x04", 4)) {
    throw ModelError(
        quoted +
        "is not a TorchScript file; make one with torch.jit.save or scripts/export_model.py");
  }
  return hash.finish();
}

torch::jit::ExtraFilesMap extra_file_names(const fs::path& path) {
  caffe2::serialize::PyTorchStreamReader reader(path.string());
  torch::jit::ExtraFilesMap files;
  for (const std::string& record : reader.getAllRecords()) {
    if (record.starts_with(kExtraFilePrefix)) files[record.substr(kExtraFilePrefix.size())] = "";
  }
  return files;
}

// The tensor among what forward may return, or an undefined one.
at::Tensor logits_of(const c10::IValue& output) {
  c10::IValue logits = output;
  if (output.isTuple() && !output.toTupleRef().elements().empty()) {
    logits = output.toTupleRef().elements()[0];
  } else if (output.isGenericDict() && output.toGenericDict().contains("logits")) {
    logits = output.toGenericDict().at("logits");
  }
  return logits.isTensor() ? logits.toTensor() : at::Tensor();
}

class TorchScriptModel : public LanguageModel {
 public:
  TorchScriptModel(const fs::path& path, at::Device device)
      : path_(path), device_(device), sha256_(hash_model_file(path)) {
    try {
      extra_files_ = extra_file_names(path);
      module_ = torch::jit::load(path.string(), device, extra_files_);
    } catch (const std::exception& problem) {
      refuse("is not a TorchScript program: " + torch_message(problem));
    }
    was_training_ = module_.is_training();
    collect_tensors();
    module_.eval();
    check_signature();
  }

  at::Tensor forward(const at::Tensor& input_ids) override {
    // The optimising executor recompiles for the first shapes it sees and has changed gradients
    // (pytorch issue 108670); the switch belongs to the calling thread.
    torch::jit::setGraphExecutorOptimize(false);
    try {
      at::Tensor logits = logits_of(module_.forward({input_ids}));
      if (logits.defined()) return logits;
    } catch (const std::exception& problem) {
      if (is_out_of_memory(problem)) throw;
      refuse("fails in forward(input_ids [" + std::to_string(input_ids.size(0)) + ", " +
             std::to_string(input_ids.size(1)) + "]): " + torch_message(problem));
    }
    refuse(
        "gives no logits: forward must return a tensor, a tuple that begins with one, or a dict "
        "with \"logits\"");
  }

  int64_t vocab_size() const override { return vocab_size_; }
  at::Device device() const override { return device_; }
  const std::vector<NamedTensor>& parameters() const override { return parameters_; }
  const std::vector<NamedTensor>& state() const override { return state_; }
  void set_training(bool training) override { module_.train(training); }
  const std::string& sha256() const override { return sha256_; }

  void save(const std::function<void(std::string_view)>& write) override {
    const bool training = module_.is_training();
    const std::vector<bool> trained = requires_grad_flags();
    module_.train(was_training_);
    set_requires_grad(loaded_requires_grad_);
    // LibTorch's writer writes once more while it unwinds, so an error must not pass through it.
    std::exception_ptr problem;
    torch::jit::ExportModule(
        module_,
        [&](const void* bytes, size_t size) {
          try {
            if (!problem) write(std::string_view(static_cast<const char*>(bytes), size));
          } catch (...) {
            problem = std::current_exception();
          }
          return size;
        },
        extra_files_);
    module_.train(training);
    set_requires_grad(trained);
    if (problem) std::rethrow_exception(problem);
  }

 private:
  std::vector<bool> requires_grad_flags() const {
    std::vector<bool> flags;
    for (const NamedTensor& parameter : parameters_)
      flags.push_back(parameter.tensor.requires_grad());
    return flags;
  }

  void set_requires_grad(const std::vector<bool>& flags) const {
    for (size_t i = 0; i < flags.size(); ++i) parameters_[i].tensor.set_requires_grad(flags[i]);
  }

  [[noreturn]] void refuse(const std::string& why) const {
    throw ModelError("model '" + path_.string() + "' " + why);
  }

  // Aliases of a tied tensor share one TensorImpl; updating it once for each name would train it
  // twice.
  void collect_tensors() {
    std::unordered_map<const c10::TensorImpl*, size_t> positions;
    for (const auto& parameter : module_.named_parameters()) {
      const at::Tensor& tensor = parameter.value;
      const auto [position, is_new] =
          positions.emplace(tensor.unsafeGetTensorImpl(), parameters_.size());
      if (!is_new) {
        parameters_[position->second].aliases.push_back(parameter.name);
        continue;
      }
      if (tensor.scalar_type() != at::kFloat) {
        refuse("stores parameter '" + parameter.name + "' as " +
               c10::toString(tensor.scalar_type()) +
               "; only float32 can be trained: export it in float32");
      }
      parameters_.push_back({parameter.name, tensor, {}});
    }
    state_ = parameters_;
    loaded_requires_grad_ = requires_grad_flags();
    for (const auto& buffer : module_.named_buffers()) {
      if (positions.emplace(buffer.value.unsafeGetTensorImpl(), 0).second) {
        state_.push_back({buffer.name, buffer.value, {}});
      }
    }
    if (count_parameters(*this, true) == 0) refuse("has no trainable parameter (requires_grad)");
  }

  void check_signature() {
    const auto method = module_.find_method("forward");
    if (!method) refuse("has no forward method");
    const std::vector<c10::Argument>& arguments = method->function().getSchema().arguments();
    const auto required = std::count_if(
        arguments.begin(), arguments.end(),
        [](const c10::Argument& argument) { return !argument.default_value().has_value(); });
    // self and input_ids; more may follow if they have defaults
    if (arguments.size() < 2 || required > 2)
      refuse("takes other arguments than forward(input_ids)");
    constexpr int64_t kBatch = 2;
    constexpr int64_t kLength = 2;
    const at::NoGradGuard no_grad;
    const at::Tensor logits =
        forward(at::zeros({kBatch, kLength}, at::dtype(at::kLong).device(device_)));
    if (!logits.is_floating_point() || logits.dim() != 3 || logits.size(0) != kBatch ||
        logits.size(1) != kLength || logits.size(2) < 1) {
      std::string shape;
      for (const int64_t size : logits.sizes())
        shape += (shape.empty() ? "" : ", ") + std::to_string(size);
      refuse("gives " + std::string(c10::toString(logits.scalar_type())) + " [" + shape +
             "] for input_ids [2, 2]; logits must be floating point [2, 2, V]");
    }
    vocab_size_ = logits.size(2);
  }

  fs::path path_;
  at::Device device_;
  std::string sha256_;
  torch::jit::ExtraFilesMap extra_files_;
  torch::jit::Module module_;
  bool was_training_ = false;
  std::vector<bool> loaded_requires_grad_;  // as the file has it; freezing is of this run alone
  std::vector<NamedTensor> parameters_;
  std::vector<NamedTensor> state_;
  int64_t vocab_size_ = 0;
};

}  // namespace

std::unique_ptr<LanguageModel> load_language_model(const fs::path& path, at::Device device) {
  return std::make_unique<TorchScriptModel>(path, device);
}

}  // namespace pdl
