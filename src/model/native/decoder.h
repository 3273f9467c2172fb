// A decoder: embedding, layers and head, forward and backward.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <vector>

#include "block.h"
#include "decoder_weights.h"
#include "pdl/model/families/decoder_spec.h"
#include "pdl/model/language_model.h"

namespace pdl {

// How a decoder computes.
struct DecoderOptions {
  ProductPrecision precision = ProductPrecision::kFloat32;
  bool checkpoints_gradients = false;  // keeps a layer's input alone, and computes it again
};

// Computes with weights that it does not own. What backward needs of the last forward is kept here.
class Decoder {
 public:
  Decoder(const DecoderSpec& spec, const DecoderWeights& weights, bool ties_head,
          const DecoderOptions& options);
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;

  // Returns the rows before the head, [B, T, D] float32. `keeps`: backward() shall follow. `drops`:
  // with dropout.
  at::Tensor hidden(const ModelInput& input, bool keeps, bool drops);
  // Returns the logits [B, V] float32 of the next tokens of sequences, whose keys and values go to
  // the cache. decode_first() begins them with ids [B, T] int64, of which the first lengths[b]
  // count; decode_next() appends ids [B].
  at::Tensor decode_first(const at::Tensor& ids, std::span<const int64_t> lengths,
                          KeyValueCache& cache);
  at::Tensor decode_next(const at::Tensor& ids, KeyValueCache& cache);
  // Adds the gradients of all weights but the head's, for that of hidden() [B, T, D].
  void backward(const at::Tensor& gradient);

  // See LanguageModel.
  void set_profiler(Profiler* profiler) { profiler_ = profiler; }

  // Returns the logits [..., V] float32 of rows [..., D].
  at::Tensor head(const at::Tensor& hidden, bool decodes = false) const;
  // Whether head_gradient() and evaluate_head() do without logits in memory.
  bool fuses_head_and_loss() const;
  // As LanguageModel::head_gradient().
  HeadGradient head_gradient(const at::Tensor& hidden, const at::Tensor& targets,
                             const at::Tensor& weights, const at::Tensor& weight_sum) const;
  // As LanguageModel::evaluate_head().
  PositionEvaluations evaluate_head(const at::Tensor& hidden, const at::Tensor& targets,
                                    const CountedVocabulary& vocabulary) const;

 private:
  // What backward needs of a layer.
  struct KeptBlock {
    Block::State state;
    at::Tensor input;            // instead of the state, if it is computed again
    at::Tensor generator_state;  // of the random numbers for that
  };

  Block make_block(int64_t index, const DecoderWeights& weights) const;
  TrainedNorm make_norm(const DecoderWeights& weights, const std::string& name) const;
  Linear make_linear(const DecoderWeights& weights, const std::vector<std::string>& names) const;

  SequenceContext make_context(const ModelInput& input, bool drops) const;
  SequenceContext make_decoding_context(KeyValueCache& cache, at::Device device) const;
  std::vector<RotaryAngles> angles_of(const at::Tensor& positions) const;
  // The rows [B·T, D] before the head, in context_.
  at::Tensor forward_rows(const at::Tensor& ids, bool keeps);
  at::Tensor embed(const at::Tensor& ids);
  at::Tensor block_forward(size_t index, const at::Tensor& x, bool keeps);
  at::Tensor block_backward(size_t index, const at::Tensor& gradient);
  void embedding_backward(const at::Tensor& gradient) const;

  DecoderSpec spec_;
  DecoderOptions options_;
  Parameter embedding_;
  Parameter positions_;
  std::vector<Block> blocks_;
  TrainedNorm final_norm_;
  Linear head_;
  std::vector<at::Tensor> frequencies_;  // of DecoderSpec::rotary
  Profiler* profiler_ = nullptr;
  size_t first_trained_block_ = 0;  // below it, embedding included, nothing is trained

  // Of the last forward that kept it.
  SequenceContext context_;
  at::Tensor ids_;             // [B·T]
  at::Tensor position_ids_;    // [B·T], of learned positions
  at::Tensor embedding_kept_;  // by dropout
  std::vector<KeptBlock> kept_;
  at::Tensor last_;  // the input of the final norm
  NormStatistics last_statistics_;
};

}  // namespace pdl
