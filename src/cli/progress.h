// How far the reading of a corpus is, on a terminal.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace pdl {

// For PipelineOptions::progress: "counting: 120 of 1000 MB, 40 MB/s, 22 s left" as the progress
// line of the terminal; an empty function if there is none.
std::function<void(int64_t bytes, int64_t total_bytes)> corpus_progress(const std::string& what);

}  // namespace pdl
