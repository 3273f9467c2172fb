#include "torchscript_model.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/zeros.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/runtime/graph_executor.h>
#include <torch/csrc/jit/serialization/export.h>
#include <torch/csrc/jit/serialization/import.h>

#include <algorithm>
#include <exception>
#include <functional>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "autocast.h"
#include "export_metadata.h"
#include "forward_state.h"
#include "pdl/base/error.h"
#include "pdl/base/file.h"
#include "pdl/base/log.h"
#include "pdl/base/unicode.h"
#include "pdl/model/hf_folder.h"
#include "pdl/model/torch_error.h"
#include "pdl/tensors/write_tensors.h"
#include "program_file.h"
#include "split_head.h"

namespace pdl {
namespace {

namespace fs = std::filesystem;

constexpr const char* kProgramFile = "model.pt";
constexpr const char* kTensorsFile = "model.safetensors";

// Returns the logits among what forward may return, or an undefined tensor.
at::Tensor logits_of(const c10::IValue& output) {
  c10::IValue logits = output;
  if (output.isTuple() && !output.toTupleRef().elements().empty()) {
    logits = output.toTupleRef().elements()[0];
  } else if (output.isGenericDict() && output.toGenericDict().contains("logits")) {
    logits = output.toGenericDict().at("logits");
  }
  return logits.isTensor() ? logits.toTensor() : at::Tensor();
}

std::string shape_of(const at::Tensor& tensor) {
  std::string shape;
  for (const int64_t size : tensor.sizes())
    shape += (shape.empty() ? "" : ", ") + std::to_string(size);
  return shape;
}

class AutocastScope : public ComputeScope {
 public:
  // Nothing is cast in the scope itself, because each call switches casting on. While the scope
  // lives, what the calls have cast is kept.
  explicit AutocastScope(at::Device device) : autocast_(device, std::nullopt) {}

 private:
  Autocast autocast_;
};

class TorchScriptModel : public LanguageModel {
 public:
  TorchScriptModel(const fs::path& path, const LoadOptions& options)
      : path_(path), autocast_(options.autocast), sha256_(hash_program_file(path)) {
    info_ = {.path = path, .device = options.device, .is_program = true};
    info_.compute_dtype = autocast_.value_or(at::kFloat);
    try {
      extra_files_ = extra_file_names(path);
      module_ = torch::jit::load(path.string(), options.device, extra_files_);
    } catch (const std::exception& problem) {
      if (is_out_of_memory(problem)) throw;
      refuse("is not a TorchScript program: " + torch_message(problem));
    }
    metadata_ = read_export_metadata(extra_files_, path.string());
    info_.max_positions = metadata_.max_positions;
    was_training_ = module_.is_training();
    collect_parameters();
    module_.eval();
    require_signature();
    find_state({"forward"});
    const AttributeValues before = state_->copy();
    try_forward();
    find_head(before);
    state_->restore(before);
    if (info_.splits_head) find_state({"forward", "hidden", "head"});
    parameters_ = part_parameters(file_parameters_, options.freeze);
    list_buffers();
    require_folder_tensors();
  }

  const ModelInfo& info() const override { return info_; }

  std::string sha256() const override { return sha256_; }

  at::Tensor forward(const ModelInput& input) override {
    require_whole(input);
    at::Tensor logits = logits_of(call("forward", "input_ids", input.ids));
    if (!logits.defined()) {
      refuse(
          "gives no logits: forward must return a tensor, a tuple that begins with one, or a dict "
          "with \"logits\"");
    }
    require_shape(logits, input.ids);
    return logits;
  }

  at::Tensor hidden(const ModelInput& input) override {
    require_whole(input);
    return call("hidden", "input_ids", input.ids).toTensor();
  }
  at::Tensor head(const at::Tensor& hidden) override {
    return call("head", "hidden", hidden).toTensor();
  }

  std::unique_ptr<ComputeScope> compute_scope() override {
    return std::make_unique<AutocastScope>(info_.device);
  }

  const ParameterSet& parameters() const override { return parameters_; }
  void set_training(bool training) override { module_.train(training); }

  void prepare_training(const at::Tensor& input_ids) override {
    const AttributeValues before = state_->copy();
    module_.train();
    const bool has_gradient = forward(input_ids).requires_grad();
    state_->add_changes(before);
    state_->restore(before);
    state_->pull();
    list_buffers();
    if (!has_gradient) refuse("has logits that do not depend on any trainable parameter");
  }
  void pull_buffers() override {
    state_->pull();
    if (state_->tensors().size() > parameters_.changing.size()) list_buffers();
  }
  void push_buffers() override { state_->push(); }

  void save(const fs::path& folder) override {
    DurableFile program(folder / kProgramFile);
    write_program([&](std::string_view bytes) { program.write(bytes); });
    program.close();
    // Complete or not at all, too: the tensors get their name when all of them are on disk.
    const fs::path unfinished = folder / (std::string(kTemporaryPrefix) + kTensorsFile);
    remove_durably(unfinished);
    write_tensors(unfinished, whole_slices(stored_tensors()));
    rename_durably(unfinished, folder / kTensorsFile);
    if (writes_folder()) write_hf_folder(folder / kHfFolder, metadata_.files, folder_tensors());
  }

  std::vector<std::string> saved_files() const override {
    std::vector<std::string> files = {kProgramFile, kTensorsFile};
    if (writes_folder()) files.emplace_back(kHfFolder);
    return files;
  }

 private:
  // Returns parameters and buffers in the dtypes of the file: those that it stores in 16 bits are
  // rounded.
  std::vector<NamedTensor> stored_tensors() const {
    std::vector<NamedTensor> stored = file_parameters_;
    for (size_t i = 0; i < stored.size(); ++i) {
      stored[i].tensor = stored[i].tensor.detach().to(stored_dtypes_[i]);
    }
    for (const NamedTensor& buffer : file_buffers_) {
      if (!metadata_.computed_buffers.contains(buffer.name)) stored.push_back(buffer);
    }
    return stored;
  }

  bool writes_folder() const { return !metadata_.weights.empty(); }

  std::unordered_map<std::string, at::Tensor> tensors_by_name() const {
    std::unordered_map<std::string, at::Tensor> tensors;
    for (const auto& parameter : module_.named_parameters())
      tensors.emplace(parameter.name, parameter.value);
    for (const auto& buffer : module_.named_buffers()) tensors.emplace(buffer.name, buffer.value);
    return tensors;
  }

  void require_folder_tensors() const {
    const auto tensors = tensors_by_name();
    for (const ExportedWeight& weight : metadata_.weights) {
      if (tensors.contains(weight.program_name)) continue;
      refuse("has no tensor '" + printable(weight.program_name) +
             "', which pdl_meta.json in it says is '" + printable(weight.file_name) +
             "' of the Hugging Face folder");
    }
  }

  // Returns the tensors of the Hugging Face folder under the names and in the dtypes of its files.
  std::vector<TensorSource> folder_tensors() const {
    const auto tensors = tensors_by_name();
    std::vector<TensorSource> sources;
    for (const ExportedWeight& weight : metadata_.weights) {
      const at::Tensor value = tensors.at(weight.program_name).detach();
      const at::ScalarType dtype = weight.dtype.value_or(value.scalar_type());
      sources.push_back({weight.file_name, value.sizes().vec(), dtype,
                         [value, dtype] { return value.to(dtype); }});
    }
    return sources;
  }

  void write_program(const std::function<void(std::string_view)>& write) {
    const bool training = module_.is_training();
    const std::vector<bool> trained = requires_grad_flags();
    module_.train(was_training_);
    set_requires_grad(file_requires_grad_);
    const std::vector<at::Tensor> masters = exchange_for_stored();
    // LibTorch's writer writes once more while it unwinds, so an exception must not pass through
    // it.
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
    for (size_t i = 0; i < masters.size(); ++i) file_parameters_[i].tensor.set_data(masters[i]);
    module_.train(training);
    set_requires_grad(trained);
    if (problem) std::rethrow_exception(problem);
  }

  static void require_whole(const ModelInput& input) {
    if (!input.document_starts.defined()) return;
    throw Error(ExitCode::kInternal, "a TorchScript program cannot keep documents apart");
  }

  void require_shape(const at::Tensor& logits, const at::Tensor& input_ids) const {
    const bool is_right = logits.is_floating_point() && logits.dim() == 3 &&
                          logits.size(0) == input_ids.size(0) &&
                          logits.size(1) == input_ids.size(1) && logits.size(2) >= 1;
    if (is_right) return;
    const std::string ids = shape_of(input_ids);
    refuse("gives " + std::string(c10::toString(logits.scalar_type())) + " [" + shape_of(logits) +
           "] for input_ids [" + ids + "]; logits must be floating point [" + ids +
           ", V], for any number of sequences and tokens");
  }

  // Calls a method with one tensor.
  c10::IValue call(const char* method, const char* argument, const at::Tensor& input) {
    // The optimising executor recompiles for the first shapes it sees and has changed gradients
    // (pytorch issue 108670); the switch belongs to the calling thread.
    torch::jit::setGraphExecutorOptimize(false);
    const Autocast autocast(info_.device, autocast_);
    try {
      return module_.get_method(method)({input});
    } catch (const std::exception& problem) {
      if (is_out_of_memory(problem)) throw;
      refuse("fails in " + std::string(method) + "(" + argument + " [" + shape_of(input) +
             "]): " + torch_message(problem) + hint_at_precision());
    }
  }

  std::string hint_at_precision() const {
    const bool stored_low = std::any_of(stored_dtypes_.begin(), stored_dtypes_.end(),
                                        [](at::ScalarType dtype) { return dtype != at::kFloat; });
    if (!stored_low || autocast_) return "";
    return "; it stores 16-bit parameters: try precision \"bf16\"";
  }

  // Gives each parameter its stored dtype; returns the float32 values.
  std::vector<at::Tensor> exchange_for_stored() const {
    std::vector<at::Tensor> masters;
    for (size_t i = 0; i < file_parameters_.size(); ++i) {
      const at::Tensor& parameter = file_parameters_[i].tensor;
      masters.push_back(parameter.variable_data());
      if (stored_dtypes_[i] != at::kFloat) {
        parameter.set_data(masters.back().to(stored_dtypes_[i]));
      }
    }
    return masters;
  }

  std::vector<bool> requires_grad_flags() const {
    std::vector<bool> flags;
    for (const NamedTensor& parameter : file_parameters_)
      flags.push_back(parameter.tensor.requires_grad());
    return flags;
  }

  void set_requires_grad(const std::vector<bool>& flags) const {
    for (size_t i = 0; i < flags.size(); ++i)
      file_parameters_[i].tensor.set_requires_grad(flags[i]);
  }

  [[noreturn]] void refuse(const std::string& why) const {
    throw ModelError("model '" + path_.string() + "' " + why);
  }

  // Aliases of a tied tensor share one TensorImpl; updating it once for each name would train it
  // twice.
  void collect_parameters() {
    std::unordered_map<const c10::TensorImpl*, size_t> positions;
    for (const auto& parameter : module_.named_parameters()) {
      const at::Tensor& tensor = parameter.value;
      const auto [position, is_new] =
          positions.emplace(tensor.unsafeGetTensorImpl(), file_parameters_.size());
      if (!is_new) {
        file_parameters_[position->second].aliases.push_back(parameter.name);
        continue;
      }
      const at::ScalarType dtype = tensor.scalar_type();
      if (dtype != at::kFloat && dtype != at::kBFloat16 && dtype != at::kHalf) {
        refuse("stores parameter '" + parameter.name + "' as " + c10::toString(dtype) +
               "; only float32, bfloat16 and float16 can be trained");
      }
      stored_dtypes_.push_back(dtype);
      if (elements_share_memory(tensor)) {
        refuse("stores parameter '" + parameter.name +
               "' with elements that share memory, as after expand(): an update would change them "
               "several times; store it after contiguous()");
      }
      // An update of a 16-bit weight would often be lost by rounding.
      if (dtype != at::kFloat) tensor.set_data(tensor.detach().to(at::kFloat));
      file_parameters_.push_back({parameter.name, tensor, {}});
    }
    file_requires_grad_ = requires_grad_flags();
    if (std::ranges::find(file_requires_grad_, true) == file_requires_grad_.end()) {
      refuse("has no trainable parameter (requires_grad)");
    }
  }

  // Finds what `methods` assign, and lists the buffers of the file.
  void find_state(const std::vector<std::string>& methods) {
    state_.emplace(module_, methods, "model '" + path_.string() + "'");
    std::unordered_set<const c10::TensorImpl*> known;
    for (const NamedTensor& parameter : file_parameters_) {
      known.insert(parameter.tensor.unsafeGetTensorImpl());
    }
    file_buffers_.clear();
    for (const auto& buffer : module_.named_buffers()) {
      if (known.insert(buffer.value.unsafeGetTensorImpl()).second) {
        file_buffers_.push_back({buffer.name, buffer.value, {}});
      }
    }
  }

  // Buffers of the file come first, then other state of forward.
  void list_buffers() {
    parameters_.changing = state_->tensors();
    parameters_.buffers = file_buffers_;
    for (const NamedTensor& changing : parameters_.changing) {
      const bool is_listed = std::ranges::any_of(file_buffers_, [&](const NamedTensor& buffer) {
        return buffer.tensor.is_same(changing.tensor);
      });
      if (!is_listed) parameters_.buffers.push_back(changing);
    }
    for (const NamedTensor& buffer : parameters_.buffers) {
      if (can_be_saved(buffer.tensor)) continue;
      refuse("has the buffer '" + buffer.name + "' of " + buffer.tensor.toString() +
             ", which no checkpoint can hold (safetensors): make it a constant, or compute it in "
             "forward");
    }
  }

  void require_signature() const {
    const auto method = module_.find_method("forward");
    if (!method) refuse("has no forward method");
    const std::vector<c10::Argument>& arguments = method->function().getSchema().arguments();
    const auto required = std::count_if(
        arguments.begin(), arguments.end(),
        [](const c10::Argument& argument) { return !argument.default_value().has_value(); });
    // self and input_ids; more may follow if they have defaults
    if (arguments.size() < 2 || required > 2)
      refuse("takes other arguments than forward(input_ids)");
  }

  // Finds the width of the logits.
  void try_forward() {
    constexpr int64_t kBatch = 3;  // not the 2 rows for which programs are often traced
    constexpr int64_t kLength = 2;
    const at::NoGradGuard no_grad;
    info_.vocab_size =
        forward(at::zeros({kBatch, kLength}, at::dtype(at::kLong).device(info_.device))).size(2);
  }

  // A program may have unrelated methods of these names.
  void find_head(const AttributeValues& before) {
    if (!module_.find_method("hidden") || !module_.find_method("head")) return;
    std::string problem;
    try {
      problem = find_head_problem(*this, file_parameters_, [&] { state_->restore(before); });
    } catch (const ModelError& failure) {
      problem = failure.what();
    } catch (const c10::Error& failure) {
      if (is_out_of_memory(failure)) throw;
      problem = "do not fit together: " + torch_message(failure);
    }
    module_.eval();
    info_.splits_head = problem.empty();
    if (!problem.empty()) {
      log_warning("the methods hidden and head of model '" + path_.string() +
                  "' are not used: they " + problem);
    }
  }

  fs::path path_;
  std::optional<at::ScalarType> autocast_;
  std::string sha256_;
  ModelInfo info_;
  torch::jit::ExtraFilesMap extra_files_;
  ExportMetadata metadata_;
  torch::jit::Module module_;
  bool was_training_ = false;
  // The distinct parameters in the order of the file, with their dtypes and requires_grad there,
  // because freezing is for this run alone.
  std::vector<NamedTensor> file_parameters_;
  std::vector<at::ScalarType> stored_dtypes_;
  std::vector<bool> file_requires_grad_;
  std::vector<NamedTensor> file_buffers_;
  std::optional<ForwardState> state_;
  ParameterSet parameters_;
};

}  // namespace

std::unique_ptr<LanguageModel> load_torchscript_model(const fs::path& path,
                                                      const LoadOptions& options) {
  return std::make_unique<TorchScriptModel>(path, options);
}

}  // namespace pdl
