// Counts the instructions that the kernels execute for each logit, by single-stepping a child
// process. The numbers are exact and the same on every machine with the instruction set, however
// busy it is. (Valgrind's callgrind gives the same numbers, but has no AVX-512.)
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <vector>

#include "pdl/kernels/cpu_kernels.h"

namespace {

// The child stops before and after `run`; the parent steps from one stop to the other.
int64_t count_instructions(const std::function<void()>& run) {
  const pid_t child = fork();
  if (child == 0) {
    ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
    run();  // once in advance, to bind symbols and fault pages in
    raise(SIGSTOP);
    run();
    raise(SIGUSR1);
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  int64_t count = 0;
  while (WIFSTOPPED(status) && WSTOPSIG(status) != SIGUSR1) {
    ++count;
    ptrace(PTRACE_SINGLESTEP, child, nullptr, nullptr);
    waitpid(child, &status, 0);
  }
  kill(child, SIGKILL);
  waitpid(child, &status, 0);
  return count;
}

template <class Logit>
void count_row(const pdl::RowKernels<Logit>& kernels, const char* set, const char* dtype,
               int64_t vocab_size) {
  std::vector<Logit> logits(static_cast<size_t>(vocab_size));
  const std::vector<uint8_t> bands(logits.size(), 1);
  const auto print = [&](const char* kernel, const std::function<void()>& run) {
    const int64_t empty = count_instructions([] {});
    const int64_t instructions = count_instructions(run) - empty;
    std::printf("| %s | %s | %s | %lld | %.3f |\n", kernel, set, dtype,
                static_cast<long long>(vocab_size),
                static_cast<double>(instructions) / static_cast<double>(vocab_size));
    std::fflush(stdout);
  };
  print("cross-entropy with gradient",
        [&] { kernels.cross_entropy_gradient(logits.data(), vocab_size, 5, 1.0); });
  print("evaluation", [&] { kernels.evaluate(logits.data(), vocab_size, 5, bands.data()); });
}

}  // namespace

int main() {
  std::printf(
      "| kernel | instruction set | logits | V | instructions per logit |\n"
      "|---|---|---|---:|---:|\n");
  std::fflush(stdout);
  for (const pdl::InstructionSet set : pdl::supported_instruction_sets()) {
    const pdl::CpuKernels& kernels = pdl::cpu_kernels(set);
    constexpr int64_t kVocabSize = 8192;  // stepping is slow, and more logits change nothing
    count_row(kernels.float_rows, pdl::name_of(set), "float32", kVocabSize);
    count_row(kernels.bfloat16_rows, pdl::name_of(set), "bfloat16", kVocabSize);
  }
  return EXIT_SUCCESS;
}
