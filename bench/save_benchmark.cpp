// Times saving a checkpoint against its lower bounds: a copy in memory for the part that training
// waits for, and write() and fsync() of as many bytes for the part on another thread.
//
//   pdl_save_benchmark FOLDER [MEGABYTES [ROUNDS]]
//
// FOLDER is in the file system to be measured. Prints medians, and medians of the ratios in each
// round.

#include <ATen/ops/randn.h>
#include <fcntl.h>
#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <functional>
#include <limits>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "pdl/base/file.h"
#include "pdl/base/log.h"
#include "pdl/checkpoint/checkpoint_saver.h"

namespace {

namespace fs = std::filesystem;

double seconds_of(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

// Makes a model with its two moments, in tensors of 16 MB.
pdl::CheckpointTensors make_state(int64_t megabytes) {
  pdl::CheckpointTensors tensors;
  constexpr int64_t kElements = 4'000'000;
  for (int64_t i = 0; i * 16 < megabytes; ++i) {
    auto& group = i % 3 == 0 ? tensors.model : tensors.optimizer;
    group.push_back({"t" + std::to_string(i), {kElements}, 0, at::randn({kElements})});
  }
  return tensors;
}

template <class Visit>
void for_each_tensor(const pdl::CheckpointTensors& tensors, const Visit& visit) {
  for (const auto* group : {&tensors.model, &tensors.optimizer}) {
    for (const pdl::TensorSlice& slice : *group)
      visit(static_cast<const char*>(slice.tensor.const_data_ptr()), slice.tensor.nbytes());
  }
}

void copy_plainly(const pdl::CheckpointTensors& tensors) {
  std::vector<std::unique_ptr<char[]>> kept;
  for_each_tensor(tensors, [&](const char* data, size_t size) {
    kept.emplace_back(new char[size]);
    std::memcpy(kept.back().get(), data, size);
    asm volatile("" : : "r"(kept.back().get()) : "memory");
  });
}

void write_plainly(const pdl::CheckpointTensors& tensors, const fs::path& path) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
  bool complete = file >= 0;
  for_each_tensor(tensors, [&](const char* data, size_t size) {
    while (complete && size > 0) {
      const ssize_t written = ::write(file, data, size);
      complete = written > 0;
      if (complete) data += written, size -= static_cast<size_t>(written);
    }
  });
  if (!complete || ::fsync(file) != 0 || ::close(file) != 0)
    throw std::runtime_error("cannot write " + path.string());
}

struct Times {
  std::vector<double> copy, stall, write, save, verify;
};

void print(const char* what, const std::vector<double>& times, double bytes) {
  std::printf("| %s | %.3f | %.0f |\n", what, median(times), bytes / median(times) / 1e6);
}

double median_ratio(const std::vector<double>& a, const std::vector<double>& b) {
  std::vector<double> ratios;
  for (size_t i = 0; i < a.size(); ++i) ratios.push_back(a[i] / b[i]);
  return median(ratios);
}

void measure(const fs::path& folder, int64_t megabytes, int rounds) {
  const pdl::CheckpointTensors tensors = make_state(megabytes);
  const auto bytes = static_cast<double>(pdl::checkpoint_bytes(tensors));
  pdl::RunIdentity identity;
  identity.config_json = "{}";
  Times times;
  for (int round = -1; round < rounds; ++round) {  // the first one is not counted
    pdl::TrainerState state;
    state.step = round + 2;
    const fs::path output_dir = folder / "output";
    pdl::make_folder(output_dir);
    const double copy = seconds_of([&] { copy_plainly(tensors); });
    const double write = seconds_of([&] { write_plainly(tensors, folder / "plain"); });
    double stall = 0;
    const double save = seconds_of([&] {
      pdl::CheckpointSaver saver({.output_dir = output_dir, .companions = {}}, identity);
      stall = seconds_of([&] { saver.start(tensors, state, -1); });
    });
    const fs::path checkpoint = output_dir / ("checkpoint-" + std::to_string(state.step));
    const double verify = seconds_of([&] { pdl::find_damage(checkpoint); });
    fs::remove_all(output_dir);
    if (round < 0) continue;
    times.copy.push_back(copy);
    times.stall.push_back(stall);
    times.write.push_back(write);
    times.save.push_back(save - stall);
    times.verify.push_back(verify);
  }
  std::printf("| %.0f MB | seconds | MB/s |\n|---|---:|---:|\n", bytes / 1e6);
  print("copy in memory", times.copy, bytes);
  print("training waits for a save", times.stall, bytes);
  print("write and fsync", times.write, bytes);
  print("the save meanwhile: write, hash, sync, read back, hash", times.save, bytes);
  print("of it reading back", times.verify, bytes);
  std::vector<double> written;
  for (size_t i = 0; i < times.save.size(); ++i) written.push_back(times.save[i] - times.verify[i]);
  std::printf("| **waiting / copy** | %.2f | |\n", median_ratio(times.stall, times.copy));
  std::printf("| **rate of the save / of write and fsync** | %.2f | |\n",
              median_ratio(times.write, times.save));
  std::printf("| **the same without reading back** | %.2f | |\n",
              median_ratio(times.write, written));
}

}  // namespace

int main(int argc, char** argv) {
  // As in pdl-train, freed memory is used again and not faulted in anew.
  mallopt(M_MMAP_THRESHOLD, std::numeric_limits<int>::max());
  mallopt(M_TRIM_THRESHOLD, -1);
  if (argc < 2) {
    std::fprintf(stderr, "usage: pdl_save_benchmark FOLDER [MEGABYTES [ROUNDS]]\n");
    return 2;
  }
  try {
    measure(fs::path(argv[1]), argc > 2 ? std::stol(argv[2]) : 1000,
            argc > 3 ? std::stoi(argv[3]) : 5);
  } catch (const std::exception& problem) {
    std::fprintf(stderr, "error: %s\n", problem.what());
    return 1;
  }
  return 0;
}
