// Runs ranks as threads of one process, to test a process group.
#pragma once

#include <barrier>
#include <cstdint>
#include <functional>
#include <span>
#include <thread>
#include <vector>

#include "pdl/distributed/process_group.h"

namespace pdl {

class ThreadRanks {
 public:
  explicit ThreadRanks(int64_t size)
      : size_(size), tensors_(static_cast<size_t>(size)), barrier_(size) {}

  // Calls work() on a thread for each rank and waits for all.
  void run(const std::function<void(ProcessGroup&)>& work) {
    std::vector<std::thread> threads;
    for (int64_t rank = 0; rank < size_; ++rank) {
      threads.emplace_back([this, rank, &work] {
        Rank group(*this, static_cast<int>(rank));
        work(group);
      });
    }
    for (std::thread& thread : threads) thread.join();
  }

 private:
  class Rank : public ProcessGroup {
   public:
    Rank(ThreadRanks& ranks, int rank) : ranks_(ranks), rank_(rank) {}
    int rank() const override { return rank_; }
    int size() const override { return static_cast<int>(ranks_.size_); }
    void all_reduce_sum(std::span<const at::Tensor> tensors) override {
      const auto own = static_cast<size_t>(rank_);
      ranks_.tensors_[own].clear();
      for (const at::Tensor& tensor : tensors) ranks_.tensors_[own].push_back(tensor.clone());
      ranks_.barrier_.arrive_and_wait();
      for (size_t i = 0; i < tensors.size(); ++i) {
        tensors[i].zero_();
        for (const auto& of_rank : ranks_.tensors_) tensors[i].add_(of_rank.at(i));
      }
      ranks_.barrier_.arrive_and_wait();
    }

   private:
    ThreadRanks& ranks_;
    int rank_;
  };

  int64_t size_;
  std::vector<std::vector<at::Tensor>> tensors_;  // the tensors of each rank
  std::barrier<> barrier_;
};

}  // namespace pdl
