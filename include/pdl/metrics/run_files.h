// The names of the files in the output_dir of a run that others read: who compares or shows runs
// needs nothing else of them.
#pragma once

#include <string_view>

namespace pdl {

// Names without a folder.
namespace run_files {

inline constexpr const char* kConfig = "config.json";
inline constexpr const char* kFrequency = "frequency.json";
inline constexpr const char* kMetrics = "metrics.jsonl";
inline constexpr const char* kSamples = "samples.jsonl";
inline constexpr const char* kSummary = "summary.json";
inline constexpr const char* kDocuments = "documents.jsonl";
inline constexpr const char* kReport = "report.html";
inline constexpr const char* kTextQuality = "text_quality.json";  // of eval --text_quality_output

}  // namespace run_files

// Returns whether a run with this `status` in its summary.json has come to its end: it has taken
// all steps, or stopped early.
bool is_finished(std::string_view status);

}  // namespace pdl
