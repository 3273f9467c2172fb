// Shows on a terminal how much of a corpus is read.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace pdl {

// Returns a function for PipelineOptions::progress that shows "counting: 120 of 1000 MB, 40 MB/s,
// 22 s left" as the progress line of the terminal. Without a terminal the function is empty.
std::function<void(int64_t bytes, int64_t total_bytes)> corpus_progress(const std::string& what);

}  // namespace pdl
