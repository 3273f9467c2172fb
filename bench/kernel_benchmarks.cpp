// Times the loss with its gradient, an evaluation and the gradient norm against ATen's own and
// against a copy of the same memory. bench/kernels.py runs it and forms ratios.
#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/core/Reduction.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/full.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/zeros.h>
#include <benchmark/benchmark.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/engine.h>

#include <chrono>
#include <cstring>

#include "pdl/batches/batch.h"
#include "pdl/ops/cross_entropy.h"
#include "pdl/ops/evaluate_positions.h"
#include "pdl/optim/gradient_clipping.h"

namespace {

constexpr int64_t kRows = 1024;

struct Example {
  at::Tensor logits;  // [1, kRows, V], a leaf
  at::Tensor targets;
  at::Tensor weights;
  at::Tensor weight_sum;

  Example(int64_t vocab_size, at::ScalarType dtype) {
    at::manual_seed(1);
    logits = at::randn({1, kRows, vocab_size}).mul_(3).to(dtype).set_requires_grad(true);
    targets = at::randint(0, vocab_size, {1, kRows}, at::kLong);
    weights = at::randn({vocab_size}).exp();
    weight_sum = pdl::sum_target_weights(targets, weights).weight_sum;
  }
};

// The arguments are V and the number of threads.
void set_threads(const benchmark::State& state) {
  at::set_num_threads(static_cast<int>(state.range(1)));
}

void count_logits(benchmark::State& state) {
  const double logits = static_cast<double>(kRows * state.range(0));
  state.counters["ns_per_logit"] = benchmark::Counter(
      1e-9 * logits, benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}

template <class Run>
void time_one(benchmark::State& state, const Run& run) {
  const auto start = std::chrono::steady_clock::now();
  run();
  state.SetIterationTime(
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
}

// Times calls that do not change their input. The first call is not timed, because memory touched
// for the first time takes longer.
template <class Run>
void time_all(benchmark::State& state, const Run& run) {
  run();
  for (auto _ : state) time_one(state, run);
  count_logits(state);
}

// Reads and writes as many bytes as float32 logits have.
void copy(benchmark::State& state) {
  set_threads(state);
  const int64_t size = kRows * state.range(0);
  const at::Tensor from = at::full({size}, 1.0F);
  const at::Tensor to = at::zeros({size});
  const auto* source = from.const_data_ptr<float>();
  auto* destination = to.mutable_data_ptr<float>();
  time_all(state, [&] {
    at::parallel_for(0, size, 1, [&](int64_t begin, int64_t end) {
      std::memcpy(destination + begin, source + begin,
                  static_cast<size_t>(end - begin) * sizeof(float));
    });
  });
}

// The weighted mean by ATen, and the gradient of the logits.
void aten_loss(benchmark::State& state, at::ScalarType dtype) {
  set_threads(state);
  const Example example(state.range(0), dtype);
  const at::Tensor weights = example.weights.to(dtype);
  const at::Tensor targets = example.targets.reshape(-1);
  time_all(state, [&] {
    const at::Tensor loss =
        at::cross_entropy_loss(example.logits.view({kRows, -1}), targets, weights,
                               at::Reduction::Mean, pdl::kIgnoreTarget);
    benchmark::DoNotOptimize(torch::autograd::grad({loss}, {example.logits}));
  });
}

// The same with the kernels of this project, on logits that have no other reference.
void pdl_loss(benchmark::State& state, at::ScalarType dtype) {
  set_threads(state);
  const Example example(state.range(0), dtype);
  for (auto _ : state) {
    at::Tensor logits = example.logits.clone();  // not timed
    torch::autograd::variable_list gradients;
    // The gradient of the clone's input would cost one more pass.
    const torch::autograd::Edge edge = torch::autograd::impl::gradient_edge(logits);
    time_one(state, [&] {
      const pdl::LossTerms terms = pdl::weighted_cross_entropy(std::move(logits), example.targets,
                                                               example.weights, example.weight_sum);
      gradients = torch::autograd::Engine::get_default_engine().execute(
          {torch::autograd::impl::gradient_edge(terms.loss)}, {at::full({}, 1.0, at::kDouble)},
          /*keep_graph=*/false, /*create_graph=*/false, /*accumulate_grad=*/false, {edge});
    });
    benchmark::DoNotOptimize(gradients);
  }
  count_logits(state);
}

void pdl_evaluation(benchmark::State& state, at::ScalarType dtype) {
  set_threads(state);
  const Example example(state.range(0), dtype);
  const at::Tensor logits = example.logits.detach();
  std::vector<int64_t> counts;
  for (int64_t i = 0; i < state.range(0); ++i) counts.push_back(i % 3000);
  const pdl::CountedVocabulary vocabulary(counts, /*taus=*/{}, at::kCPU);
  time_all(state, [&] {
    benchmark::DoNotOptimize(pdl::evaluate_positions(logits, example.targets, vocabulary));
  });
}

void pdl_norm(benchmark::State& state) {
  set_threads(state);
  const std::vector<at::Tensor> gradients{at::randn({kRows, state.range(0)})};
  time_all(state, [&] { benchmark::DoNotOptimize(pdl::gradient_square_sum(gradients, at::kCPU)); });
}

void arguments(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgsProduct({{32000, 50257}, {1, 2}})->UseManualTime()->MinTime(0.3);
}

BENCHMARK(copy)->Apply(arguments);
BENCHMARK_CAPTURE(aten_loss, float32, at::kFloat)->Apply(arguments);
BENCHMARK_CAPTURE(pdl_loss, float32, at::kFloat)->Apply(arguments);
BENCHMARK_CAPTURE(aten_loss, bfloat16, at::kBFloat16)->Apply(arguments);
BENCHMARK_CAPTURE(pdl_loss, bfloat16, at::kBFloat16)->Apply(arguments);
BENCHMARK_CAPTURE(pdl_evaluation, float32, at::kFloat)->Apply(arguments);
BENCHMARK_CAPTURE(pdl_evaluation, bfloat16, at::kBFloat16)->Apply(arguments);
BENCHMARK(pdl_norm)->Apply(arguments);

}  // namespace

BENCHMARK_MAIN();
