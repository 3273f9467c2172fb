// The inner loops of training on the CPU: one source, compiled for each instruction set and chosen
// at run time. Without LibTorch and without threads: the callers divide rows and blocks among
// threads. The result of a call depends on its arguments and the instruction set alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace pdl {

// Ordered from narrow to wide. Every CPU of the architecture has kPortable.
enum class InstructionSet { kPortable, kAvx2, kAvx512, kAvx512Bf16, kAmx };

// Returns the sets that this build has and this CPU can run, in the order of the enum.
std::span<const InstructionSet> supported_instruction_sets();
// The name for logs and benchmarks, e.g. "AVX2".
const char* name_of(InstructionSet set);

// Whether this CPU multiplies bfloat16 matrices in hardware; without that LibTorch's products of
// them are slower than of float32. True where it cannot be detected (not x86).
bool has_bfloat16_instructions();

// A bfloat16 in memory: the upper half of a float32.
struct Bfloat16 {
  uint16_t bits;
};

inline constexpr size_t kMaxBands = 8;

// The figures of one position.
struct RowEvaluation {
  double ce = 0;  // -log softmax(logits)[target], nats
  // The first index of the largest logit; -1 if a logit is NaN or +inf.
  int64_t argmax = -1;
  // The probability of the tokens of each band.
  double band_mass[kMaxBands] = {};
};

// Tokens divided into groups.
struct TokenGroups {
  const int32_t* tokens = nullptr;  // [V], those of a group after those of another
  const int64_t* ends = nullptr;    // [count], increasing: where in `tokens` each group ends
  int64_t count = 0;
  const int64_t* band_ends = nullptr;  // [kMaxBands], never decreasing; a group lies in one band
};

// Cross-entropy of one row: logits [V] contiguous, target in [0, V). Exponentials are float32, of
// logits relative to the largest so far. They are summed in float32 over up to 256 values, and
// these sums in float64. A NaN or +inf among the logits makes every result of the row NaN; -inf has
// probability 0.
template <class Logit>
struct RowKernels {
  // Replaces the logits by scale·(softmax(logits) - onehot(target)), rounded to Logit, and returns
  // the cross-entropy. One read and one write of memory for rows that fit the CPU's L2 cache.
  double (*cross_entropy_gradient)(Logit* logits, int64_t vocab_size, int64_t target, double scale);
  // Does not change the logits. bands[t] < kMaxBands is the band of token t.
  RowEvaluation (*evaluate)(const Logit* logits, int64_t vocab_size, int64_t target,
                            const uint8_t* bands);
  // Writes Σ exp(logit - largest) of each group to `sums` [count]: float64 with a relative error
  // of 1e-11. Token `argmax` has the largest logit, which is finite.
  void (*group_sums)(const Logit* logits, int64_t vocab_size, const TokenGroups& groups,
                     int64_t argmax, double* sums);
};

// Rows that a kernel writes, `stride` values apart.
template <class Value>
struct Rows {
  Value* values = nullptr;
  int64_t stride = 0;
};

using MatrixRows = Rows<float>;
using ConstMatrixRows = Rows<const float>;
using Bfloat16Rows = Rows<Bfloat16>;

// What becomes of the products q·k of a head of attention over T positions.
struct AttentionScores {
  int64_t length = 0;  // T
  // [T]: query t sees the keys from first_key[t] to t; never decreasing, at most t.
  const int32_t* first_key = nullptr;
  float scale = 1;    // of q·k, above 0
  float softcap = 0;  // c of c·tanh(score / c); 0: none
  // [T, T]: what dropout multiplies the probabilities of each query by; null: nothing.
  const float* kept = nullptr;
};

// One head of attention. Rows of D values have a stride, so that heads may lie within rows of a
// wider matrix.
template <class Value>
struct AttentionHead : AttentionScores {
  int64_t dims = 0;  // D
  const Value* q = nullptr;
  const Value* k = nullptr;
  const Value* v = nullptr;
  int64_t q_stride = 0;
  int64_t k_stride = 0;
  int64_t v_stride = 0;
};

// The gradients of one head.
template <class Value>
struct AttentionGradients {
  Rows<Value> q;
  Rows<Value> k;
  Rows<Value> v;
};

// softmax(mask(cap(scale · q·kᵀ))) · v of one head, forward and backward. Scores exist for a few
// queries at a time; backward computes them again. Factors of products are rounded to Value;
// scores, sums, in an order that depends on the shape alone, and the output are float32. Were the
// output rounded, all gradients of a query's scores would be shifted in one direction.
template <class Value>
struct AttentionKernels {
  // The number of floats that the kernels may write to at `workspace`.
  int64_t (*workspace)(int64_t length, int64_t dims);
  // Writes the output and, for backward, log Σ exp(score) of each query to lse [T].
  void (*forward)(const AttentionHead<Value>& head, MatrixRows out, float* lse, float* workspace);
  // `out` and `lse` are those of forward(); `gradient` is that of the output.
  void (*backward)(const AttentionHead<Value>& head, MatrixRows out, Rows<Value> gradient,
                   const float* lse, const AttentionGradients<Value>& to, float* workspace);
};

// Root mean square norm of one row, float32: y = x · rstd · factor with rstd = (mean(x²) + eps)^-½,
// rounded to Value. Sums are in float64.
template <class Value>
struct RmsNormKernels {
  // Writes y and returns rstd.
  float (*forward)(const float* x, const float* factor, int64_t size, double eps, Value* y);
  // Writes the gradient of x plus `added`, unless that is null, and adds that of the factor to
  // `factor_gradient`, unless that is null.
  void (*backward)(const Value* y_gradient, const float* x, const float* factor, int64_t size,
                   float rstd, const float* added, float* x_gradient, float* factor_gradient);
};

// What backward needs of a row, beside its values.
struct LayerStatistics {
  float mean = 0;
  float rstd = 0;
};

// Layer norm of one row, float32: y = (x - mean(x)) · rstd · factor + bias with
// rstd = (var(x) + eps)^-½, rounded to Value. Sums are in float64.
template <class Value>
struct LayerNormKernels {
  LayerStatistics (*forward)(const float* x, const float* factor, const float* bias, int64_t size,
                             double eps, Value* y);
  // Writes the gradient of x plus `added`, unless that is null, and adds those of factor and bias
  // to `factor_gradient` and `bias_gradient`, unless these are null.
  void (*backward)(const Value* y_gradient, const float* x, const float* factor, int64_t size,
                   LayerStatistics statistics, const float* added, float* x_gradient,
                   float* factor_gradient, float* bias_gradient);
};

// The norms, of one row each.
template <class Value>
struct NormKernels {
  RmsNormKernels<Value> rms;
  LayerNormKernels<Value> layer;
};

// An activation f, times a factor, or times 1 where `factor` is null, computed in float32. The
// error is some roundings to float32 of f(x), or of min(1, |x|) where f(x) is smaller, before the
// result is rounded to Value.
template <class Value>
struct ActivationKernels {
  // Writes f(x)·factor.
  void (*forward)(const Value* x, const Value* factor, int64_t size, Value* y);
  // Writes f(x)·factor again, and for its gradient those of x and, unless that is null, of the
  // factor. What is written may replace what is read at the same place.
  void (*backward)(const Value* y_gradient, const Value* x, const Value* factor, int64_t size,
                   Value* y, Value* x_gradient, Value* factor_gradient);
};

// Those that there are.
template <class Value>
struct Activations {
  ActivationKernels<Value> silu;       // x / (1 + e^-x)
  ActivationKernels<Value> gelu;       // x·Φ(x), of the normal distribution
  ActivationKernels<Value> gelu_tanh;  // ½·x·(1 + tanh(√(2/π)·(x + 0.044715·x³)))
  ActivationKernels<Value> relu;
};

// A matrix in memory: row r, column c is at values[r·row_stride + c·column_stride].
struct MatrixView {
  const float* values = nullptr;
  int64_t row_stride = 0;
  int64_t column_stride = 0;
  const Bfloat16* bfloat16 = nullptr;  // the values, if they are not float32
};

// What a product does with the values at its place.
enum class Writing {
  kReplace,
  kAdd,
  kStream,  // as kReplace, but past the caches where the kernel can: nobody reads them soon
};

// Products of matrices: a [rows, depth] times b [depth, columns].
struct ProductKernels {
  // The number of floats that multiply() may write to at `workspace`.
  int64_t (*workspace)(int64_t rows, int64_t columns, int64_t depth);
  // Writes a·b to `to`, or adds it. A sum is float32, in an order that depends on the depth alone:
  // a part of a product has the bits that it has in the whole.
  void (*multiply)(MatrixView a, MatrixView b, int64_t rows, int64_t columns, int64_t depth,
                   MatrixRows to, Writing writing, float* workspace);
};

// As ProductKernels, with a result that is rounded to bfloat16 once.
struct RoundedProductKernels {
  int64_t (*workspace)(int64_t rows, int64_t columns, int64_t depth);
  // Writes a·b, and to each row of it adds `bias` [columns] unless that is null.
  void (*multiply)(MatrixView a, MatrixView b, int64_t rows, int64_t columns, int64_t depth,
                   const float* bias, Bfloat16Rows to, float* workspace);
};

// What decoding needs, token by token.
struct FewRowsKernels {
  // Writes x·b to `to`: x [rows, depth], b [depth, columns], of which the rows or the columns are
  // contiguous. b is read once for all rows, where it lies. A sum is float32, in an order that
  // depends on the depth and on which of the two is contiguous, alone.
  void (*multiply)(ConstMatrixRows x, MatrixView b, int64_t rows, int64_t columns, int64_t depth,
                   MatrixRows to);
  // Replaces scores by softmax(cap(scale·score)), where cap(s) = c·tanh(s / c) with c = `softcap`,
  // if that is not 0.
  void (*softmax)(float* scores, int64_t size, float scale, float softcap);
};

// A linear head and its cross-entropy without logits in memory, in two passes over pieces of the
// vocabulary, for which the same logits are computed twice. Hidden rows [R, D] are packed in blocks
// of kHeadBlockRows first. Factors of products, among them the gradient of the logits, are rounded
// as those of a ProductKernels. In training, exponentials are float32, relative to a logit that is
// near the largest so far, and are summed so over the tokens of a piece; evaluation is in float64.
// Logits must be finite: others give NaN. What is packed has no format but its size.
inline constexpr int64_t kHeadBlockRows = 256;

// Of D. Sizes are in floats.
struct LinearCrossEntropySizes {
  int64_t piece_tokens = 0;  // of every piece but the last
  int64_t packed_block = 0;  // a block of hidden rows
  int64_t workspace = 0;
};

// Hidden rows and their targets.
struct PackedHidden {
  const float* packed = nullptr;     // by pack_hidden(), a block after another
  int64_t count = 0;                 // R
  int64_t dims = 0;                  // D
  const int64_t* targets = nullptr;  // [R]; none: below 0
};

// Tokens [first, first + count) of the vocabulary, with their rows of the head.
struct HeadPiece {
  MatrixView tokens;
  int64_t first = 0;
  int64_t count = 0;
};

// Σ exp(logit - reference) of a row, over the pieces so far. The reference is one of its logits,
// and the largest is at most 4 above it.
struct ExponentialSum {
  float reference = -__builtin_inff();
  double total = 0;
};

// The sums of a row over the pieces so far, in float64 with a relative error of 1e-11. A NaN or
// +inf among its logits makes one of them NaN.
struct RowSums {
  float largest = -__builtin_inff();    // logit
  int64_t argmax = 0;                   // the lowest token that has it
  float reference = -__builtin_inff();  // one of its logits; the largest is at most 300 above it
  double band_sums[kMaxBands] = {};     // Σ exp(logit - reference) of the tokens of each band
};

// Where an evaluation adds pieces, of rows [R].
struct EvaluationSums {
  RowSums* rows = nullptr;
  float* target_logits = nullptr;  // written for targets that lie in the piece
  // Σ exp(logit - reference) of each group of a row from `first_group` on; null: not wanted.
  Rows<double> groups = {};
  int64_t first_group = 0;  // that of the first token of the first piece
};

// The gradient of a row's logits is factor·exp(logit - reference), less `scale` at its target; none
// if `scale` is 0.
struct RowGradient {
  float reference = 0;
  float factor = 0;
  float scale = 0;
};

// The first pass is sum_exponentials(), the second differentiate(). In evaluation there is one,
// add_to_row_sums().
struct LinearCrossEntropyKernels {
  LinearCrossEntropySizes (*sizes)(int64_t dims);
  // Packs hidden rows of one block.
  void (*pack_hidden)(MatrixView hidden, int64_t rows, int64_t dims, float* block);
  // Adds a piece to the sums [R] of rows with a target, and writes the logits of targets that lie
  // in it.
  void (*sum_exponentials)(const PackedHidden& rows, const HeadPiece& piece, ExponentialSum* sums,
                           float* target_logits, float* workspace);
  // Writes the gradients of hidden rows [R, D] and of the piece of the head, or adds them to what
  // is there; that of the head is not wanted where it is null.
  void (*differentiate)(const PackedHidden& rows, const HeadPiece& piece,
                        const RowGradient* of_rows, MatrixRows hidden_gradient, bool adds_hidden,
                        MatrixRows head_gradient, bool adds_head, float* workspace);
  // Adds a piece to the sums of rows with a target. Pieces and targets are places in
  // `groups.tokens`, not tokens.
  void (*add_to_row_sums)(const PackedHidden& rows, const HeadPiece& piece,
                          const TokenGroups& groups, const EvaluationSums& sums, float* workspace);
  // What the sums of all pieces say.
  RowEvaluation (*evaluation_of)(const RowSums& sums, float target_logit);
};

// The kernels as one instruction set has them.
struct CpuKernels {
  RowKernels<float> float_rows;
  RowKernels<Bfloat16> bfloat16_rows;
  // Σ values², each square and sum in float64.
  double (*sum_of_squares)(const float* values, int64_t size);
  // Writes Σ_i sums[i]·factors[i, k] to totals[k] for k < `width`, a multiple of 8, in an order
  // that depends on `count` alone.
  void (*weigh_sums)(const double* sums, int64_t count, const double* factors, int64_t width,
                     double* totals);
  // Add `count` rows of `width` values, `stride` values apart, to sums [width]. A sum has the same
  // bits whatever columns are beside it.
  void (*add_float_rows)(const float* rows, int64_t stride, int64_t count, int64_t width,
                         float* sums);
  void (*add_bfloat16_rows)(const Bfloat16* rows, int64_t stride, int64_t count, int64_t width,
                            float* sums);
  AttentionKernels<float> float_attention;
  // Null in a set without products of pairs.
  const AttentionKernels<Bfloat16>* bfloat16_attention;
  NormKernels<float> float_norms;
  NormKernels<Bfloat16> bfloat16_norms;
  Activations<float> float_activations;
  Activations<Bfloat16> bfloat16_activations;
  // Turn pairs (a, b) of each row of `heads` to (a·cos - b·sin, a·sin + b·cos), with sin times
  // `direction`, computed in float32 and rounded once. A pair is i and i + `pairs`, or 2i and 2i +
  // 1 if `interleaved`.
  void (*rotate_float)(MatrixRows heads, int64_t num_heads, const float* cos, const float* sin,
                       int64_t pairs, bool interleaved, float direction);
  void (*rotate_bfloat16)(Bfloat16Rows heads, int64_t num_heads, const float* cos, const float* sin,
                          int64_t pairs, bool interleaved, float direction);
  ProductKernels product;           // of the factors as they are
  ProductKernels bfloat16_product;  // of the factors rounded to bfloat16
  // Of factors rounded to the sum of two bfloat16, h + l: the sum of h·h, l·h and h·l. Its relative
  // error is about 2^-16 of the largest term. A factor that is infinite as bfloat16 gives NaN.
  ProductKernels split_product;
  // Of the factors rounded to bfloat16; null in a set without instructions for that.
  const RoundedProductKernels* rounded_product;
  FewRowsKernels few_rows;
  // Of factors rounded as those of the two products before. Null in a set without products of
  // pairs.
  const LinearCrossEntropyKernels* bfloat16_linear_cross_entropy;
  const LinearCrossEntropyKernels* split_linear_cross_entropy;
};

// Returns the kernels of a set. Throws std::invalid_argument for a set that is not supported.
const CpuKernels& cpu_kernels(InstructionSet set);
// Returns the kernels of the widest supported set.
const CpuKernels& cpu_kernels();

}  // namespace pdl
