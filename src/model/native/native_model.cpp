#include "native_model.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <future>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "decoder.h"
#include "decoder_weights.h"
#include "pdl/base/error.h"
#include "pdl/base/file.h"
#include "pdl/base/log.h"
#include "pdl/base/sha256.h"
#include "pdl/base/text_format.h"
#include "pdl/model/families/read_decoder_spec.h"
#include "pdl/model/hf_folder.h"
#include "stored_weights.h"

namespace pdl {
namespace {

namespace fs = std::filesystem;

constexpr const char* kAdapterFolder = "adapter";

// Of config.json and of the files with weights, in their order.
std::string hash_folder(const std::string& config, const std::vector<std::string>& files) {
  std::string hashes = sha256(config) + "\n";
  for (const std::string& file : files) {
    Sha256 hash;
    const std::string problem =
        try_read_pieces(file, [&](std::string_view bytes) { hash.update(bytes); });
    if (!problem.empty()) throw ModelError("'" + file + "' " + problem);
    hashes += hash.finish() + "\n";
  }
  return sha256(hashes);
}

ProductPrecision precision_of(const LoadOptions& options) {
  if (options.splits_products) return ProductPrecision::kBfloat16x3;
  if (!options.autocast) return ProductPrecision::kFloat32;
  return *options.autocast == at::kBFloat16 ? ProductPrecision::kBfloat16
                                            : ProductPrecision::kFloat16;
}

// Sequences of other lengths are padded on the right, which no token before sees.
at::Tensor padded(const std::vector<std::vector<int32_t>>& sequences, at::Device device) {
  const size_t longest = std::ranges::max(sequences, {}, &std::vector<int32_t>::size).size();
  const at::Tensor ids =
      at::zeros({std::ssize(sequences), static_cast<int64_t>(longest)}, at::kLong);
  for (size_t i = 0; i < sequences.size(); ++i) {
    ids[static_cast<int64_t>(i)]
        .narrow(0, 0, std::ssize(sequences[i]))
        .copy_(at::tensor(sequences[i], at::kLong));
  }
  return ids.to(device);
}

class CachedDecoding : public Decoding {
 public:
  CachedDecoding(Decoder& decoder, int64_t num_layers, at::Device device)
      : decoder_(decoder), cache_(num_layers), device_(device) {}

  at::Tensor start(const std::vector<std::vector<int32_t>>& sequences) override {
    const at::NoGradGuard no_grad;
    std::vector<int64_t> lengths;
    for (const std::vector<int32_t>& sequence : sequences) lengths.push_back(std::ssize(sequence));
    return decoder_.decode_first(padded(sequences, device_), lengths, cache_);
  }

  at::Tensor next(std::span<const int32_t> ids) override {
    const at::NoGradGuard no_grad;
    const at::ArrayRef<int32_t> values(ids.data(), ids.size());
    return decoder_.decode_next(at::tensor(values, at::kLong).to(device_), cache_);
  }

  void select(std::span<const int64_t> sequences) override { cache_.select(sequences); }

 private:
  Decoder& decoder_;
  KeyValueCache cache_;
  at::Device device_;
};

class NativeModel : public LanguageModel {
 public:
  NativeModel(const fs::path& folder, const LoadOptions& options)
      : files_(read_companion_files(folder)),
        config_(read_decoder_spec(files_.front().content, folder.string())),
        stored_(find_weights(folder, config_.spec)) {
    hash_ = std::async(options.hashes ? std::launch::async : std::launch::deferred, [this] {
      return hash_folder(files_.front().content, stored_.store.files());
    });
    weights_ = std::make_unique<DecoderWeights>(config_.spec, stored_, options);
    decoder_ = std::make_unique<Decoder>(
        config_.spec, *weights_, stored_.ties_head,
        DecoderOptions{.precision = precision_of(options),
                       .checkpoints_gradients = options.gradient_checkpointing});
    info_ = {.path = folder,
             .vocab_size = config_.spec.vocab_size,
             .device = options.device,
             .splits_head = true,
             .fuses_head_and_loss = decoder_->fuses_head_and_loss(),
             .isolates_documents = true,
             .max_positions = config_.spec.max_positions,
             .compute_dtype = options.autocast.value_or(at::kFloat),
             .product_precision = precision_of(options)};
    log_description();
  }

  const ModelInfo& info() const override { return info_; }

  std::string sha256() const override {
    const std::string& adapter = weights_->adapters().sha256();
    return adapter.empty() ? hash_.get() : pdl::sha256(hash_.get() + "\n" + adapter + "\n");
  }

  at::Tensor forward(const ModelInput& input) override { return head(hidden(input)); }

  at::Tensor hidden(const ModelInput& input) override {
    const bool keeps = training_ && at::GradMode::is_enabled();
    at::AutoGradMode attention_alone(keeps);
    return decoder_->hidden(input, keeps, /*drops=*/training_);
  }

  at::Tensor head(const at::Tensor& hidden) override { return decoder_->head(hidden); }

  HeadGradient head_gradient(const at::Tensor& hidden, const at::Tensor& targets,
                             const at::Tensor& weights, const at::Tensor& weight_sum) override {
    return decoder_->head_gradient(hidden, targets, weights, weight_sum);
  }

  PositionEvaluations evaluate_head(const at::Tensor& hidden, const at::Tensor& targets,
                                    const CountedVocabulary& vocabulary) override {
    return decoder_->evaluate_head(hidden, targets, vocabulary);
  }

  void backward(const at::Tensor& /*hidden*/, const at::Tensor& gradient) override {
    decoder_->backward(gradient);
  }

  void set_profiler(Profiler* profiler) override { decoder_->set_profiler(profiler); }

  std::unique_ptr<ComputeScope> compute_scope() override {
    return std::make_unique<ComputeScope>();
  }

  std::unique_ptr<Decoding> start_decoding() override {
    return std::make_unique<CachedDecoding>(*decoder_, std::ssize(config_.spec.layers),
                                            info_.device);
  }

  const ParameterSet& parameters() const override { return weights_->parameters(); }

  void set_training(bool training) override { training_ = training; }
  // Forward is known to be what training needs.
  void prepare_training(const at::Tensor& /*input_ids*/) override { set_training(true); }

  void save(const fs::path& folder) override {
    if (weights_->adapters().is_on()) {
      replace_folder(folder / kAdapterFolder, [this](const fs::path& unfinished) {
        weights_->adapters().save(unfinished, info_.path);
      });
    }
    export_to(folder / kHfFolder);
  }
  std::vector<std::string> saved_files() const override {
    if (weights_->adapters().is_on()) return {kHfFolder, kAdapterFolder};
    return {kHfFolder};
  }

  void export_to(const fs::path& folder) override {
    write_hf_folder(folder, files_, weights_->as_stored());
    warn_of_rounding(folder);
  }

 private:
  // The folder is written: that the original has changed meanwhile must not end the job.
  void warn_of_rounding(const fs::path& folder) const {
    double lost = 0;
    try {
      lost = weights_->share_lost_by_rounding();
    } catch (const ModelError& problem) {
      log_warning("'" + folder.string() +
                  "' may round what training changed to what it was; how much is unknown: " +
                  problem.what());
    }
    if (lost == 0) return;
    log_warning("'" + folder.string() + "' has the dtype of '" + info_.path.string() +
                "', which rounds " + percent(lost) +
                " of the weights that training changed to what they were; evaluate it to see what "
                "that costs");
  }

  void log_description() const {
    const DecoderSpec& spec = config_.spec;
    const auto number = [](int64_t value) { return std::to_string(value); };
    log_info("model '" + info_.path.string() + "': " + spec.family + ", " +
             number(std::ssize(spec.layers)) + " layers of width " + number(spec.hidden_size) +
             ", " + number(spec.num_heads) + " heads (" + number(spec.num_kv_heads) +
             " of keys and values), vocabulary " + number(spec.vocab_size) + ", " +
             number(spec.max_positions) + " positions, head " +
             (stored_.ties_head ? "tied to the embedding" : "of its own"));
    if (weights_->adapters().is_on()) {
      const auto adapted = std::ssize(weights_->adapters().parameters().all()) / 2;
      log_info("adapters of rank " + number(weights_->adapters().rank()) + " on " +
               number(adapted) + " matrices; the rest is fixed");
    }
    for (const std::string& note : config_.notes) log_warning(note);
    for (const std::string& note : stored_.notes) log_warning(note);
  }

  std::vector<CompanionFile> files_;  // config.json is the first
  FamilyConfig config_;
  StoredWeights stored_;
  std::unique_ptr<DecoderWeights> weights_;
  std::unique_ptr<Decoder> decoder_;
  ModelInfo info_;
  bool training_ = false;
  std::shared_future<std::string> hash_;  // of the folder; last: its thread uses other members
};

}  // namespace

std::unique_ptr<LanguageModel> load_native_model(const fs::path& folder,
                                                 const LoadOptions& options) {
  return std::make_unique<NativeModel>(folder, options);
}

}  // namespace pdl
