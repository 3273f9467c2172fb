// Makes a small causal transformer as a TorchScript program, for examples and tests. The program
// treats it as it treats a user's exported model.
//
// A pre-norm decoder with rotary positions (so that any length works), GELU, no dropout, and a head
// tied to the token embedding. Methods:
//
//   forward(input_ids)  [B, T] int64 -> logits [B, T, vocab_size]; head(hidden(input_ids))
//   hidden(input_ids)   [B, T] int64 -> [B, T, width]
//   head(hidden)        [..., width] -> [..., vocab_size]
//
// Parameters are float32 and named token_embedding.weight, blocks.<i>.attention_norm.weight,
// blocks.<i>.attention.query_key_value.weight, blocks.<i>.attention.output.weight,
// blocks.<i>.feed_forward_norm.weight, blocks.<i>.feed_forward.up.weight,
// blocks.<i>.feed_forward.down.weight and final_norm.weight, most of them with a bias.
#pragma once

#include <cstdint>
#include <string>

namespace pdl {

// The shape of the model: a transformer with rotary positions.
struct ExampleModelSizes {
  int64_t vocab_size = 0;
  int64_t width = 0;  // a multiple of 2·heads
  int64_t layers = 0;
  int64_t heads = 0;
};

// Returns the content of the .pt file. The parameters depend on the arguments alone and are the
// same on every machine. Throws std::invalid_argument for sizes that are not positive or do not fit
// together.
std::string make_example_model(const ExampleModelSizes& sizes, uint64_t seed);

}  // namespace pdl
