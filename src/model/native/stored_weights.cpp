#include "stored_weights.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/equal.h>

#include <algorithm>
#include <set>
#include <utility>

#include "pdl/base/error.h"
#include "pdl/base/unicode.h"
#include "pdl/model/hf_folder.h"

namespace pdl {
namespace {

namespace fs = std::filesystem;

// Buffers that older versions of transformers stored and that are computed: masks of attention, a
// factor of the embedding, and all that modules for rotary positions hold, such as
// "rotary_emb.inv_freq" and "model.rotary_emb_local.original_inv_freq".
bool is_computed_buffer(const std::string& name) {
  constexpr const char* kEndings[] = {".attn.bias", ".attn.masked_bias", ".attention.bias",
                                      ".attention.masked_bias", "embed_scale"};
  return name.starts_with("rotary_emb") || name.find(".rotary_emb") != std::string::npos ||
         std::ranges::any_of(kEndings, [&](const char* ending) { return name.ends_with(ending); });
}

fs::path weights_path(const fs::path& folder) {
  std::error_code ignored;
  for (const char* file : {kHfWeightsFile, kHfIndexFile}) {
    if (fs::exists(folder / file, ignored)) return folder / file;
  }
  const bool has_pickle = fs::exists(folder / "pytorch_model.bin", ignored) ||
                          fs::exists(folder / "pytorch_model.bin.index.json", ignored);
  throw ModelError("model '" + folder.string() + "' has no model.safetensors" +
                   (has_pickle ? "; its pytorch_model.bin is not read: load the folder with "
                                 "transformers and save it again"
                               : " and no " + std::string(kHfIndexFile)));
}

class Finder {
 public:
  Finder(const fs::path& folder, const DecoderSpec& spec)
      : folder_(folder),
        spec_(spec),
        found_{.store = TensorStore::open<ModelError>(weights_path(folder))} {
    for (const std::string& name : found_.store.names()) unused_.insert(name);
  }

  StoredWeights find() {
    find_prefix();
    find_head();
    for (const TensorSpec& tensor : list_tensors(spec_)) {
      const bool is_embedding = tensor.name == embedding_name();
      found_.tensors.push_back(is_embedding ? embedding(tensor)
                                            : take(tensor, without_prefix(tensor.name)));
    }
    for (const TensorSpec& tensor : list_head_tensors(spec_)) {
      const bool is_matrix = tensor.shape.size() == 2;
      if (!is_matrix || !found_.ties_head) found_.tensors.push_back(take(tensor, tensor.name));
    }
    refuse_surplus();
    return std::move(found_);
  }

 private:
  std::string embedding_name() const {
    return spec_.names.prefix + spec_.names.embedding + ".weight";
  }
  std::string head_name() const { return spec_.names.head + ".weight"; }

  std::string without_prefix(const std::string& name) const {
    return lacks_prefix_ ? name.substr(spec_.names.prefix.size()) : name;
  }

  void find_prefix() {
    const std::string layers = spec_.names.prefix + spec_.names.layers;
    bool has_prefix = false;
    for (const std::string& name : unused_) {
      has_prefix = has_prefix || name.starts_with(layers);
      lacks_prefix_ = lacks_prefix_ || name.starts_with(spec_.names.layers);
      if (name.starts_with("module.")) {
        fail("has tensors named 'module.…', as DataParallel saves them; rename them");
      }
    }
    lacks_prefix_ = lacks_prefix_ && !has_prefix;
  }

  bool contains(const std::string& name) const { return found_.store.contains(name); }

  void find_head() {
    const bool has_head = contains(head_name());
    const bool has_embedding = contains(without_prefix(embedding_name()));
    if (has_head && has_embedding) {
      const bool is_equal = spec_.ties_head && are_equal();
      found_.ties_head = is_equal;
      if (spec_.ties_head && !is_equal) {
        found_.notes.push_back(
            "config.json ties the head to the embedding, and the file has another " + head_name() +
            ": they are trained as two, as in transformers");
      }
      return;
    }
    if (spec_.ties_head) {
      found_.ties_head = true;
      if (has_head) {
        found_.notes.push_back("the file has " + head_name() +
                               " alone, which is the embedding, too");
      }
    } else if (!has_head) {
      fail("has no tensor " + head_name() + ", and config.json does not tie it to the embedding");
    }
  }

  bool are_equal() const {
    const auto matrix_of = [this](const std::string& name) {
      const TensorInfo info = found_.store.info(name);
      at::Tensor tensor = at::empty(info.shape, at::dtype(info.dtype));
      found_.store.read({name, info.shape, 0, tensor});
      return tensor;
    };
    const std::string embedding = without_prefix(embedding_name());
    if (found_.store.info(embedding) != found_.store.info(head_name())) return false;
    return at::equal(matrix_of(embedding), matrix_of(head_name()));
  }

  StoredTensor embedding(const TensorSpec& tensor) {
    const std::string name = without_prefix(tensor.name);
    if (!found_.ties_head) return take(tensor, name);
    StoredTensor stored = take(tensor, contains(name) ? name : head_name());
    if (unused_.contains(head_name())) {
      unused_.erase(head_name());
      stored.file_aliases.push_back(head_name());
    }
    return stored;
  }

  StoredTensor take(const TensorSpec& tensor, const std::string& file_name) {
    if (!contains(file_name)) fail("has no tensor " + file_name);
    unused_.erase(file_name);
    const TensorInfo info = found_.store.info(file_name);
    const bool is_float =
        info.dtype == at::kFloat || info.dtype == at::kBFloat16 || info.dtype == at::kHalf;
    if (info.shape != tensor.shape || !is_float) {
      fail("has " + file_name + " as " + describe(info) + ", and config.json makes it " +
           describe({at::kFloat, tensor.shape}) + " (or BF16, F16)");
    }
    return {.spec = tensor, .file_name = file_name, .dtype = info.dtype};
  }

  void refuse_surplus() {
    const auto computed = std::erase_if(unused_, is_computed_buffer);
    if (computed > 0) {
      found_.notes.push_back(std::to_string(computed) +
                             " tensors of the file are buffers that are computed: passed over");
    }
    if (unused_.empty()) return;
    fail("has " + std::to_string(unused_.size()) + " tensors that " + spec_.family +
         " does not have, e.g. " + printable(*unused_.begin()));
  }

  [[noreturn]] void fail(const std::string& why) const {
    throw ModelError("model '" + folder_.string() + "' " + why);
  }

  const fs::path& folder_;
  const DecoderSpec& spec_;
  bool lacks_prefix_ = false;
  std::set<std::string> unused_;
  StoredWeights found_;
};

}  // namespace

StoredWeights find_weights(const fs::path& folder, const DecoderSpec& spec) {
  return Finder(folder, spec).find();
}

}  // namespace pdl
