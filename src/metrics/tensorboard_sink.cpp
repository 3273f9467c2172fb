#include "pdl/metrics/tensorboard_sink.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <chrono>
#include <string>
#include <string_view>

#include "pdl/base/error.h"
#include "pdl/metrics/crc32c.h"
#include "pdl/metrics/fields.h"

namespace pdl {
namespace {

constexpr std::string_view kFilePrefix = "events.out.tfevents.";

// ------------------------------------------------------------------ protocol buffers, wire format

enum class WireType : uint32_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

template <class Unsigned>
void append_little_endian(std::string& out, Unsigned value) {
  for (size_t i = 0; i < sizeof(value); ++i) {
    out += static_cast<char>((value >> (8 * i)) & 0xFFU);
  }
}

void append_varint(std::string& out, uint64_t value) {
  for (; value >= 0x80; value >>= 7) {
    out += static_cast<char>((value & 0x7FU) | 0x80U);
  }
  out += static_cast<char>(value);
}

void append_key(std::string& out, uint32_t field, WireType type) {
  append_varint(out, (field << 3) | static_cast<uint32_t>(type));
}

void append_int64(std::string& out, uint32_t field, int64_t value) {
  append_key(out, field, WireType::kVarint);
  append_varint(out, static_cast<uint64_t>(value));
}

void append_double(std::string& out, uint32_t field, double value) {
  append_key(out, field, WireType::kFixed64);
  append_little_endian(out, std::bit_cast<uint64_t>(value));
}

void append_float(std::string& out, uint32_t field, float value) {
  append_key(out, field, WireType::kFixed32);
  append_little_endian(out, std::bit_cast<uint32_t>(value));
}

void append_bytes(std::string& out, uint32_t field, std::string_view value) {
  append_key(out, field, WireType::kBytes);
  append_varint(out, value.size());
  out += value;
}

// ------------------------------------------------------------------ tensorflow.Event

// Event { double wall_time = 1; int64 step = 2; … }
std::string new_event(int64_t step) {
  std::string event;
  const std::chrono::duration<double> since_epoch =
      std::chrono::system_clock::now().time_since_epoch();
  append_double(event, 1, since_epoch.count());
  append_int64(event, 2, step);
  return event;
}

// Event { string file_version = 3 }, the first record of every file.
std::string version_event() {
  std::string event = new_event(0);
  append_bytes(event, 3, "brain.Event:2");
  return event;
}

// Event { SessionLog session_log = 7 }, SessionLog { SessionStatus status = 1 }: readers drop
// points of earlier files from `step` on.
std::string session_start_event(int64_t step) {
  constexpr int64_t kStart = 1;
  std::string session_log;
  append_int64(session_log, 1, kStart);
  std::string event = new_event(step);
  append_bytes(event, 7, session_log);
  return event;
}

// Summary { repeated Value value = 1 }, Value { string tag = 1; float simple_value = 2 }
struct ScalarAppender {
  std::string& summary;
  std::string prefix;

  template <class Number>
  void operator()(const char* name, Number number) const {
    std::string value;
    append_bytes(value, 1, prefix + name);
    append_float(value, 2, static_cast<float>(number));
    append_bytes(summary, 1, value);
  }
  void operator()(const char* name, const std::optional<double>& number) const {
    if (number.has_value()) {
      (*this)(name, *number);
    }
  }
};

// As a block of code, because TensorBoard renders texts as Markdown.
std::string as_code(std::string_view text) {
  std::string code = "    ";
  for (const char c : text) {
    code += c;
    if (c == '\n') code += "    ";
  }
  return code;
}

// Value { string tag = 1; TensorProto tensor = 8; SummaryMetadata metadata = 9 },
// TensorProto { DataType dtype = 1; TensorShapeProto tensor_shape = 2; string string_val = 8 },
// TensorShapeProto { Dim { int64 size = 1 } dim = 2 },
// SummaryMetadata { PluginData { string plugin_name = 1 } plugin_data = 1 }
std::string text_value(std::string_view tag, std::string_view text) {
  constexpr int64_t kString = 7;
  std::string dim;
  append_int64(dim, 1, 1);
  std::string shape;
  append_bytes(shape, 2, dim);
  std::string tensor;
  append_int64(tensor, 1, kString);
  append_bytes(tensor, 2, shape);
  append_bytes(tensor, 8, text);
  std::string plugin;
  append_bytes(plugin, 1, "text");
  std::string metadata;
  append_bytes(metadata, 1, plugin);
  std::string value;
  append_bytes(value, 1, tag);
  append_bytes(value, 8, tensor);
  append_bytes(value, 9, metadata);
  return value;
}

// Event { Summary summary = 5 }
std::string summary_event(int64_t step, std::string_view summary) {
  std::string event = new_event(step);
  append_bytes(event, 5, summary);
  return event;
}

// ------------------------------------------------------------------ TFRecord

// A CRC of data that holds CRCs is weak; the format therefore rotates it and adds a constant.
uint32_t masked_crc(std::string_view bytes) { return std::rotr(crc32c(bytes), 15) + 0xA282EAD8U; }

std::string record_of(std::string_view event) {
  std::string record;
  append_little_endian(record, static_cast<uint64_t>(event.size()));
  append_little_endian(record, masked_crc(record));
  record += event;
  append_little_endian(record, masked_crc(event));
  return record;
}

// ------------------------------------------------------------------ the file

// Returns the seconds in the name of an event file, or -1 for another name.
int64_t seconds_in_name(std::string_view name) {
  if (!name.starts_with(kFilePrefix)) {
    return -1;
  }
  name.remove_prefix(kFilePrefix.size());
  int64_t seconds = -1;
  std::from_chars(name.data(), name.data() + name.size(), seconds);
  return seconds;
}

// Readers read the files of a folder in the order of their names, which begin with a time in
// seconds. The new file must come last even if the run was started twice within a second or the
// clock was set back.
std::filesystem::path new_file_path(const std::filesystem::path& folder) {
  int64_t seconds = std::chrono::duration_cast<std::chrono::seconds>(
                        std::chrono::system_clock::now().time_since_epoch())
                        .count();
  std::error_code error;
  for (std::filesystem::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    seconds = std::max(seconds, seconds_in_name(entry->path().filename().string()) + 1);
  }
  if (error) {
    throw StorageError("cannot list folder '" + folder.string() + "': " + error.message());
  }
  std::array<char, 256> host{};
  if (gethostname(host.data(), host.size() - 1) != 0 || host[0] == '\0') {
    host = {"localhost"};
  }
  return folder / (std::string(kFilePrefix) + std::to_string(seconds) + "." + host.data());
}

std::filesystem::path prepare_folder(const std::filesystem::path& folder) {
  make_folder(folder);
  return new_file_path(folder);
}

}  // namespace

TensorBoardSink::TensorBoardSink(const std::filesystem::path& folder,
                                 std::optional<int64_t> resumed_step)
    : file_(prepare_folder(folder)) {
  file_.append(record_of(version_event()));
  file_.append(record_of(session_start_event(resumed_step.has_value() ? *resumed_step + 1 : 0)));
}

void TensorBoardSink::on_step(const StepMetrics& step) {
  std::string summary;
  for_each_field(step, ScalarAppender{summary, "train/"});
  file_.append(record_of(summary_event(step.step, summary)));
}

void TensorBoardSink::on_eval(const EvalMetrics& eval) {
  std::string summary;
  for_each_field(eval, ScalarAppender{summary, "eval/"});
  for (size_t i = 0; i < kFrequencyBands.size(); ++i) {
    const std::string prefix = "eval_bands/" + std::string(kFrequencyBands[i].name) + "/";
    for_each_field(eval.eval_bands[i], ScalarAppender{summary, prefix});
  }
  const ScalarAppender append{summary, "eval/"};
  append("best_tau", eval.best_tau);
  append("detilted_ce", eval.detilted_ce);
  file_.append(record_of(summary_event(eval.step, summary)));
}

void TensorBoardSink::on_sample(const SampleMetrics& sample) {
  const std::string tag = "samples/" + std::to_string(sample.sample.prompt_index) + "/text_summary";
  std::string summary;
  append_bytes(summary, 1, text_value(tag, as_code(sample.prompt + sample.sample.text)));
  file_.append(record_of(summary_event(sample.step, summary)));
}

}  // namespace pdl
