// Times the weighted loss with its gradient on a CUDA device against ATen's own and against a copy
// of the logits, in turn. Prints a table of medians and of the memory that each needs besides the
// logits.
//
//   pdl_cuda_loss [ROUNDS]
#include <ATen/Context.h>
#include <ATen/DeviceAccelerator.h>
#include <ATen/core/Reduction.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/full.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/randn.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/engine.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <vector>

#include "pdl/batches/batch.h"
#include "pdl/ops/cross_entropy.h"

namespace {

constexpr int64_t kRows = 8192;
constexpr int kCallsInRound = 10;

c10::CachingAllocator::Stat allocated() {
  return at::accelerator::getDeviceStats(0)
      .allocated_bytes[static_cast<size_t>(c10::CachingAllocator::StatType::AGGREGATE)];
}

struct Measured {
  std::vector<double> milliseconds;
  int64_t extra_bytes = 0;  // allocated by the call
};

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

void measure(const std::function<void()>& run, Measured& measured) {
  at::accelerator::synchronizeDevice(0);
  at::accelerator::resetPeakStats(0);
  const int64_t before = allocated().current;
  const auto start = std::chrono::steady_clock::now();
  run();
  at::accelerator::synchronizeDevice(0);
  const std::chrono::duration<double, std::milli> time = std::chrono::steady_clock::now() - start;
  measured.milliseconds.push_back(time.count());
  measured.extra_bytes = std::max(measured.extra_bytes, allocated().peak - before);
}

void compare(int64_t vocab_size, at::ScalarType dtype, int rounds) {
  at::manual_seed(1);
  const auto on_device = at::dtype(at::kFloat).device(at::kCUDA);
  const at::Tensor logits =
      at::randn({1, kRows, vocab_size}, on_device).mul_(3).to(dtype).set_requires_grad(true);
  const at::Tensor targets = at::randint(0, vocab_size, {1, kRows}, on_device.dtype(at::kLong));
  const at::Tensor weights = at::randn({vocab_size}, on_device).exp();
  const at::Tensor weights_as_logits = weights.to(dtype);
  const at::Tensor weight_sum = pdl::sum_target_weights(targets, weights).weight_sum;
  const at::Tensor copy = at::empty_like(logits);

  Measured ours;
  Measured aten;
  Measured copied;
  for (int call = 0; call < (rounds + 1) * kCallsInRound; ++call) {
    if (call == kCallsInRound) ours = aten = copied = {};  // the first round warms up
    at::Tensor mine = logits.clone();  // not timed; the loss turns it into the gradient
    const torch::autograd::Edge edge = torch::autograd::impl::gradient_edge(mine);
    measure(
        [&] {
          const pdl::LossTerms terms =
              pdl::weighted_cross_entropy(std::move(mine), targets, weights, weight_sum);
          torch::autograd::Engine::get_default_engine().execute(
              {torch::autograd::impl::gradient_edge(terms.loss)},
              {at::full({}, 1.0, on_device.dtype(at::kDouble))},
              /*keep_graph=*/false, /*create_graph=*/false, /*accumulate_grad=*/false, {edge});
        },
        ours);
    measure(
        [&] {
          const at::Tensor loss =
              at::cross_entropy_loss(logits.view({kRows, -1}), targets.view(-1), weights_as_logits,
                                     at::Reduction::Mean, pdl::kIgnoreTarget);
          torch::autograd::grad({loss}, {logits});
        },
        aten);
    measure([&] { copy.detach().copy_(logits.detach()); }, copied);
  }
  const double logit_bytes = static_cast<double>(logits.nbytes());
  const double mine = median(ours.milliseconds);
  const double theirs = median(aten.milliseconds);
  const double copying = median(copied.milliseconds);
  std::printf("| %s | %ld | %.3f | %.3f | %.2f | %.3f | %.2f | %.2f | %.2f |\n",
              c10::toString(dtype), static_cast<long>(vocab_size), mine, theirs, theirs / mine,
              copying, mine / copying, static_cast<double>(ours.extra_bytes) / logit_bytes,
              static_cast<double>(aten.extra_bytes) / logit_bytes);
}

}  // namespace

int main(int argc, char** argv) {
  const int rounds = argc > 1 ? std::atoi(argv[1]) : 5;
  if (rounds < 1) {
    std::fprintf(stderr, "usage: pdl_cuda_loss [ROUNDS]\n");
    return 2;
  }
  if (!at::hasCUDA()) {
    std::fprintf(stderr, "error: there is no CUDA device\n");
    return 1;
  }
  std::printf("%ld rows, loss with gradient, median of %d calls\n\n", static_cast<long>(kRows),
              rounds * kCallsInRound);
  std::printf(
      "| logits | V | ours, ms | ATen, ms | ATen / ours | copy, ms | ours / copy "
      "| ours, memory / logits | ATen, memory / logits |\n"
      "|---|---:|---:|---:|---:|---:|---:|---:|---:|\n");
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16, at::kHalf}) {
    for (const int64_t vocab_size : {32000, 50257, 128256}) compare(vocab_size, dtype, rounds);
  }
}
