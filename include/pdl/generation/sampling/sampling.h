// Chooses the next token from a model's logits. Filters work as those of transformers' generate()
// do, and chance comes from noise that anyone can compute again, so that a choice can be checked
// token for token.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace pdl {

// How scores are changed and filtered. The defaults filter nothing.
struct SamplingOptions {
  double temperature = 0;         // scores are divided by it; 0: greedy, as if top_* were off
  int64_t top_k = 0;              // keep the k best scores, and ties with the last; 0: off
  double top_p = 1;               // keep the fewest best tokens with this probability; 1: off
  double min_p = 0;               // keep what has this part of the best one's probability; 0: off
  double repetition_penalty = 1;  // of tokens met before: negative scores times it, others by it
  int64_t no_repeat_ngram_size = 0;  // no n ids in a row stand twice; 0: off
};

// Turns logits into scores as transformers 5 does, in its order and in float32: repetition penalty,
// no repeated n-gram, `suppressed`, and with temperature > 0 also temperature, top_k, top_p, min_p.
// What is filtered gets -inf. `ids`: the prompt and what was generated so far. `suppressed`: ids
// that may not be chosen now, such as eos as long as min_new_tokens holds it back. Ids outside of
// `scores`, of a tokenizer larger than the model, are ignored.
//
// Of tokens with equal scores at the edge of top_p, the lowest ids go first. That is the order of a
// stable sort; torch.sort, which transformers calls, promises none. Nor is PyTorch's softmax exact:
// it adds float32 numbers, in an order that depends on the CPU. At 50,000 tokens its cumulative
// probabilities are off by up to 3e-5, so that a token that near to 1 - top_p may be kept here,
// where sums are float64, and filtered there, or the reverse.
//
// Throws NumericError if a score is NaN or +inf, from the start or after division by a temperature
// near 0.
void process_scores(std::span<float> scores, std::span<const int32_t> ids,
                    const SamplingOptions& options, std::span<const int32_t> suppressed);

// The noise of one sample of one prompt. A token's noise depends on nothing but the seed, the
// prompt's ids, the sample's number, the token's position and its id:
//
//   mix(z):  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9
//            z = (z ^ (z >> 27)) * 0x94d049bb133111eb
//            return z ^ (z >> 31)                          (all on 64 bits without sign)
//   key  = 0;  for x in seed, the prompt's ids in order, sample, position:  key = mix(key + x + G)
//   hash = mix(key + (id + 1) * G)                         G = 0x9e3779b97f4a7c15
//   u    = ((hash >> 12) + 0.5) * 2^-52                    in (0, 1), exact in float64
//   noise = -ln(-ln(u))                                    in float64: Gumbel's distribution
//
// So hash is number `id` of SplitMix64 from the state `key`.
class SampleNoise {
 public:
  // `sample` counts the samples of this prompt from 0.
  SampleNoise(uint64_t seed, std::span<const int32_t> prompt, uint64_t sample);

  // Returns `key` of a position: the number of ids before it, prompt included.
  uint64_t key(uint64_t position) const;
  // Returns the noise of `id` at the position with this key.
  static double of_token(uint64_t key, int32_t id);

 private:
  uint64_t sample_key_;
};

// Returns the chosen token. Greedy: the one with the highest score. With temperature > 0: the one
// with the highest sum, in float64, of score and noise, which draws from the softmax of the scores.
// Of equals the lowest id. `scores`: what process_scores() left. Throws NumericError if a score is
// NaN or +inf, or if all are -inf.
int32_t choose_token(std::span<const float> scores, const SamplingOptions& options,
                     const SampleNoise& noise, uint64_t position);

// Returns ln softmax(logits)[id], in float64. Throws NumericError if a logit is NaN or +inf, or if
// all are -inf.
double log_probability(std::span<const float> logits, int32_t id);

// Returns tau * ln(count + 1) of every token: what add_bias() adds at each position.
std::vector<float> logit_bias(std::span<const int64_t> counts, double tau);

// Adds `bias` to the logits of the first bias.size() tokens; there must be that many.
void add_bias(std::span<float> logits, std::span<const float> bias);

}  // namespace pdl
