#include "pdl/metrics/tensorboard_sink.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "example_metrics.h"
#include "pdl/base/error.h"
#include "pdl/metrics/crc32c.h"
#include "support/temp_folder.h"

namespace pdl {
namespace {

// Reads fields of a protocol buffer by number, independently of the sink.
struct Message {
  std::multimap<uint64_t, std::string> bytes;  // length-delimited and fixed-width fields
  std::map<uint64_t, uint64_t> varints;

  std::string only(uint64_t field) const {
    EXPECT_EQ(bytes.count(field), 1U);
    return bytes.find(field)->second;
  }
};

uint64_t read_varint(std::string_view& data) {
  uint64_t value = 0;
  for (int shift = 0;; shift += 7) {
    const auto byte = static_cast<unsigned char>(data.at(0));
    data.remove_prefix(1);
    value |= static_cast<uint64_t>(byte & 0x7FU) << shift;
    if (byte < 0x80) {
      return value;
    }
  }
}

Message parse_message(std::string_view data) {
  Message message;
  while (!data.empty()) {
    const uint64_t key = read_varint(data);
    if ((key & 7U) == 0) {
      message.varints[key >> 3] = read_varint(data);
      continue;
    }
    const std::map<uint64_t, size_t> fixed_sizes = {{1, 8}, {5, 4}};
    const auto fixed = fixed_sizes.find(key & 7U);
    const size_t size = fixed != fixed_sizes.end() ? fixed->second : read_varint(data);
    message.bytes.emplace(key >> 3, data.substr(0, size));
    data.remove_prefix(size);
  }
  return message;
}

template <class Value>
Value value_at(std::string_view data, size_t offset) {
  Value value{};
  std::memcpy(&value, data.substr(offset, sizeof(value)).data(), sizeof(value));
  return value;
}

uint32_t unmasked(uint32_t masked) {
  const uint32_t rotated = masked - 0xA282EAD8U;
  return (rotated << 15) | (rotated >> 17);
}

std::vector<Message> read_events(const std::filesystem::path& path) {
  const std::string content = file_content(path);
  std::vector<Message> events;
  for (std::string_view rest = content; !rest.empty();) {
    const auto size = value_at<uint64_t>(rest, 0);
    EXPECT_EQ(unmasked(value_at<uint32_t>(rest, 8)), crc32c(rest.substr(0, 8)));
    const std::string_view event = rest.substr(12, size);
    EXPECT_EQ(unmasked(value_at<uint32_t>(rest, 12 + size)), crc32c(event));
    events.push_back(parse_message(event));
    rest.remove_prefix(16 + size);
  }
  return events;
}

std::map<std::string, float> scalars_of(const Message& event) {
  std::map<std::string, float> scalars;
  const Message summary = parse_message(event.only(5));
  for (const auto& [field, bytes] : summary.bytes) {
    const Message value = parse_message(bytes);
    scalars[value.only(1)] = value_at<float>(value.only(2), 0);
  }
  return scalars;
}

class TensorBoardSinkTest : public testing::Test {
 protected:
  std::vector<std::filesystem::path> files() const {
    std::vector<std::filesystem::path> found;
    for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
      found.push_back(entry.path());
    }
    std::sort(found.begin(), found.end());
    return found;
  }

  TempFolder temporary_;
  std::filesystem::path folder_ = temporary_ / "runs";
};

TEST_F(TensorBoardSinkTest, FileBeginsWithItsVersionAndTheStartOfTheSession) {
  TensorBoardSink sink(folder_, 20);
  ASSERT_EQ(files().size(), 1U);
  const std::vector<Message> events = read_events(files()[0]);
  ASSERT_EQ(events.size(), 2U);
  EXPECT_EQ(events[0].only(3), "brain.Event:2");
  EXPECT_EQ(events[1].varints.at(2), 21U);  // points of steps >= 21 are forgotten
  EXPECT_EQ(parse_message(events[1].only(7)).varints.at(1), 1U);
}

TEST_F(TensorBoardSinkTest, RunWithoutResumeForgetsEverything) {
  TensorBoardSink sink(folder_, std::nullopt);
  EXPECT_EQ(read_events(files().at(0)).at(1).varints.at(2), 0U);
}

TEST_F(TensorBoardSinkTest, StepHasAScalarAField) {
  TensorBoardSink sink(folder_, std::nullopt);
  sink.on_step(example_step(300));  // a step of two varint bytes
  const Message event = read_events(files().at(0)).at(2);
  EXPECT_EQ(event.varints.at(2), 300U);
  EXPECT_GT(value_at<double>(event.only(1), 0), 1.6e9);
  const std::map<std::string, float> expected = {
      {"train/loss", 0.1F},          {"train/ce", 2.5F},
      {"train/ppl", 12.25F},         {"train/learning_rate", 5e-5F},
      {"train/grad_norm", 1.5F},     {"train/epoch", 0.75F},
      {"train/num_tokens", 1234567}, {"train/weight_sum", 98.5F},
      {"train/n_eff", 64.5F},        {"train/skipped_steps", 3},
      {"train/step_ms", 7.25F},      {"train/tokens_per_second", 4096.5F}};
  EXPECT_EQ(scalars_of(event), expected);
}

TEST_F(TensorBoardSinkTest, EvalHasBandsAndNoPointForWhatDoesNotExist) {
  TensorBoardSink sink(folder_, std::nullopt);
  sink.on_eval(example_eval(20));
  const std::map<std::string, float> scalars = scalars_of(read_events(files().at(0)).at(2));
  EXPECT_EQ(scalars.at("eval/loss"), 3.5F);
  EXPECT_EQ(scalars.at("eval/ce"), 3.25F);
  EXPECT_EQ(scalars.at("eval/ppl"), 25.75F);
  EXPECT_EQ(scalars.at("eval/tokens"), 210);
  EXPECT_EQ(scalars.at("eval/accuracy"), 0.375F);
  EXPECT_EQ(scalars.at("eval_bands/2000+/ce"), 6.5F);
  EXPECT_EQ(scalars.at("eval_bands/2000+/accuracy"), 0.375F);
  EXPECT_EQ(scalars.at("eval_bands/1-4/predicted_mass"), 1.0F / 32);
  EXPECT_EQ(scalars.at("eval_bands/0/tokens"), 0);
  EXPECT_FALSE(scalars.contains("eval_bands/0/ce"));
  EXPECT_FALSE(scalars.contains("eval_bands/0/accuracy"));
}

TEST_F(TensorBoardSinkTest, EachStartHasAFileThatSortsLast) {
  TensorBoardSink first(folder_, std::nullopt);
  const std::filesystem::path first_path = files().at(0);
  TensorBoardSink second(folder_, 10);
  TensorBoardSink third(folder_, 20);
  ASSERT_EQ(files().size(), 3U);
  EXPECT_EQ(files()[0], first_path);
  EXPECT_EQ(read_events(files()[1]).at(1).varints.at(2), 11U);
  EXPECT_EQ(read_events(files()[2]).at(1).varints.at(2), 21U);
}

TEST_F(TensorBoardSinkTest, FileInPlaceOfTheFolderIsAStorageError) {
  AppendFile in_the_way(folder_);
  EXPECT_THROW(TensorBoardSink(folder_, std::nullopt), StorageError);
}

}  // namespace
}  // namespace pdl
