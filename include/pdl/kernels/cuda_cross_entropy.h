// Weighted cross-entropy on CUDA devices, as a C interface that needs neither LibTorch nor the
// headers of CUDA.
//
// Every pointer is to memory of the current device. Every call only enqueues kernels on `stream` (a
// cudaStream_t; null is the default stream) and neither allocates nor waits. Results are the same
// in every run because there are no atomics and sums are added in a fixed order.
//
// Shapes and dtypes are common to all calls:
//
//   logits   [rows, columns] of `dtype`; row i starts at element i·row_stride, and a row lies
//            together. Rows may start at any element: nothing need be aligned to more than
//            one.
//
//   targets  [rows] int64, in [0, columns) or -100, which means ignored. Any other value makes the
//            loss of its row, and the row's gradient, NaN.
//
//   weights  [columns] float32, the weight of each target
//
// Each call returns 0, or the cudaError_t that launching gave; cudaErrorInvalidValue (1) for a null
// pointer, an unknown dtype, negative rows, columns < 1 or row_stride < columns.
#pragma once

#include <cstdint>

extern "C" {

enum PdlCudaDtype { kPdlCudaFloat32 = 0, kPdlCudaBFloat16 = 1, kPdlCudaFloat16 = 2 };

enum { kPdlCudaBands = 8, kPdlCudaIgnoredTarget = -100 };

// Computes the loss of each row, the sums over rows, and the gradient of Σ w[y_i]·ce_i /
// weight_sum, which replaces the logits:
//
//   ce_i           = log Σ_v exp(logits_iv) - logits_i[y_i]
//
//   gradient_iv    = w[y_i] / weight_sum · (softmax(logits_i)_v - [v = y_i]), rounded to `dtype`
//
//   row_ce         [rows] float64, ce_i in nats; 0 for an ignored row
//
//   weighted_sum   [] float64, Σ w[y_i]·ce_i
//
//   ce_sum         [] float64, Σ ce_i
//
//   weight_sum     [] float64, the Σ w of the whole optimiser step; read on the device only
//
// An ignored row is not read, and its gradient is 0. Computes in float32, and sums over rows in
// float64. A NaN or +inf among the logits of a row makes its loss and gradient NaN, as does a row
// of -inf alone; a single -inf is a probability of 0.
int pdl_cuda_cross_entropy_gradient(void* logits, int dtype, int64_t rows, int64_t columns,
                                    int64_t row_stride, const int64_t* targets,
                                    const float* weights, const double* weight_sum, double* row_ce,
                                    double* weighted_sum, double* ce_sum, void* stream);

// Computes what an evaluation needs of each row; the logits are not changed.
//
//   bands      [columns] uint8, the frequency band of each token, below kPdlCudaBands; the mass of
//              a token of any other band is not counted
//
//   row_ce     [rows] float64, as above
//
//   argmax     [rows] int64, the first index of the row's maximum; -1 if the row holds a NaN or is
//              ignored
//
//   band_mass  [rows, kPdlCudaBands] float64, Σ softmax(logits_i)_v over the tokens v of each band;
//              0 for an ignored row, NaN where ce_i is NaN for its logits
int pdl_cuda_cross_entropy_evaluation(const void* logits, int dtype, int64_t rows, int64_t columns,
                                      int64_t row_stride, const int64_t* targets,
                                      const uint8_t* bands, double* row_ce, int64_t* argmax,
                                      double* band_mass, void* stream);

// Computes weighted_sum = Σ w[y_i]·ce_i and ce_sum = Σ ce_i over the non-ignored rows, [] float64
// each, from the row_ce of an evaluation.
int pdl_cuda_cross_entropy_sums(const double* row_ce, const int64_t* targets, const float* weights,
                                int64_t rows, int64_t columns, double* weighted_sum, double* ce_sum,
                                void* stream);

// Computes gradient *= scale in float32, rounded to `dtype`. If scale is exactly 1, the gradient is
// neither read nor written. `scale` is a float64 on the device.
int pdl_cuda_scale_unless_one(void* gradient, int dtype, int64_t rows, int64_t columns,
                              int64_t row_stride, const double* scale, void* stream);

// Returns the meaning of a returned code in words; never null.
const char* pdl_cuda_error_string(int code);
}
