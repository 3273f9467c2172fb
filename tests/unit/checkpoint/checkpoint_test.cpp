#include "pdl/checkpoint/checkpoint.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "pdl/base/error.h"
#include "pdl/base/sha256.h"
#include "pdl/checkpoint/records/manifest.h"
#include "pdl/tensors/write_tensors.h"
#include "support/temp_folder.h"
#include "tensors/tensor_files.h"

namespace pdl {
namespace {

using ::testing::HasSubstr;

CheckpointTensors tensors(double value) {
  return {whole_slices({{"w", at::full({2, 3}, value), {}}, {"ids", at::arange(5), {}}}),
          whole_slices({{"w.step", at::full({}, value), {}}})};
}

std::filesystem::path save_all(const TempFolder& folder, int64_t step,
                               const CheckpointTensors& tensors) {
  TrainerState state;
  state.step = step;
  RunIdentity identity;
  identity.config_json = "{}";
  return save_checkpoint(folder.path(), tensors, state, identity);
}

std::filesystem::path save(const TempFolder& folder, int64_t step, double value = 1.5) {
  return save_all(folder, step, tensors(value));
}

TEST(CheckpointTest, LoadsWhatItSaved) {
  const TempFolder folder;
  const auto checkpoint = save(folder, 7);
  EXPECT_EQ(checkpoint.filename(), "checkpoint-7");
  EXPECT_EQ(find_damage(checkpoint), "");
  const CheckpointTensors loaded = tensors(0);
  load_checkpoint_tensors(checkpoint, loaded);
  EXPECT_TRUE(at::equal(loaded.model[0].tensor, tensors(1.5).model[0].tensor));
  EXPECT_EQ(loaded.optimizer[0].tensor.item<double>(), 1.5);
  EXPECT_EQ(load_trainer_state(checkpoint).first.step, 7);
}

TEST(CheckpointTest, EveryChangedByteIsDamage) {
  const TempFolder folder;
  const auto checkpoint = save(folder, 7);
  for (const auto& entry : std::filesystem::directory_iterator(checkpoint)) {
    const std::string content = file_content(entry.path());
    for (size_t at = 0; at < content.size(); at += 7) {
      std::string changed = content;
      changed[at] = static_cast<char>(changed[at] ^ 1);
      std::ofstream(entry.path(), std::ios::binary) << changed;
      EXPECT_NE(find_damage(checkpoint), "") << entry.path() << " byte " << at;
    }
    std::ofstream(entry.path(), std::ios::binary) << content;
  }
  EXPECT_EQ(find_damage(checkpoint), "");
  std::filesystem::remove(checkpoint / "optimizer.safetensors");
  EXPECT_NE(find_damage(checkpoint), "");
  EXPECT_EQ(find_damage(folder / "none"), "there is no such folder");
}

TEST(CheckpointTest, DamageNamesTheFileWithoutItsFolder) {
  const TempFolder folder;
  const auto checkpoint = save(folder, 7);
  const auto damage_with = [&](const std::string& name, const std::string& content) {
    const std::string good = file_content(checkpoint / name);
    Manifest manifest = parse_manifest(file_content(checkpoint / "MANIFEST.json"), "m");
    manifest.files[name] = {std::ssize(content), sha256(content)};
    const std::string listing = file_content(checkpoint / "MANIFEST.json");
    folder.file("checkpoint-7/MANIFEST.json", to_json(manifest));
    folder.file("checkpoint-7/" + name, content);
    const std::string damage = find_damage(checkpoint);
    folder.file("checkpoint-7/MANIFEST.json", listing);
    folder.file("checkpoint-7/" + name, good);
    return damage;
  };
  EXPECT_EQ(damage_with("optimizer.safetensors", "short"),
            "'optimizer.safetensors' is not a valid safetensors file: it is shorter than 8 bytes");
  EXPECT_THAT(damage_with("trainer_state.json", "{}"),
              ::testing::StartsWith("'trainer_state.json' is not a trainer state"));
  EXPECT_EQ(find_damage(checkpoint), "");
}

TEST(CheckpointTest, OtherTensorsAreRefusedAndNothingIsCopied) {
  const TempFolder folder;
  const auto checkpoint = save(folder, 1);
  const auto refusal = [&](const std::function<void(CheckpointTensors&)>& change) {
    CheckpointTensors other = tensors(0);
    change(other);
    std::string message;
    try {
      load_checkpoint_tensors(checkpoint, other);
    } catch (const CheckpointError& problem) {
      message = problem.what();
    }
    EXPECT_EQ(other.model[0].tensor.abs().sum().item<double>(), 0);
    return message;
  };
  const std::string model = "'" + (checkpoint / "model.safetensors").string() + "' does not fit ";
  const std::string optimizer = "'" + (checkpoint / "optimizer.safetensors").string() + "' does ";
  EXPECT_EQ(refusal([](auto& other) {
              other.model[1] = whole_slices({{"ids", at::zeros({4}, at::kLong), {}}})[0];
            }),
            model + "the model: it has 'ids' as I64 [5] instead of I64 [4]");
  EXPECT_EQ(refusal([](auto& other) { other.model[1].tensor = at::zeros({5}, at::kInt); }),
            model + "the model: it has 'ids' as I64 [5] instead of I32 [5]");
  EXPECT_EQ(refusal([](auto& other) { other.model.pop_back(); }),
            model + "the model: it also has 'ids'");
  EXPECT_EQ(refusal([](auto& other) { other.model[0].name = "v"; }),
            model + "the model: it lacks 'v'");
  EXPECT_EQ(refusal([](auto& other) { other.optimizer[0].tensor = at::zeros({}, at::kDouble); }),
            optimizer + "not fit the model: it has 'w.step' as F32 [] instead of F64 []");
}

// Makes a checkpoint byte by byte, without the program's writers. They must write the same, so that
// checkpoints of earlier versions can be read.
struct StoredCheckpoint {
  std::string model = stored_file(
      padded(
          R"({"__metadata__":{"format":"pt"},"w":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},)"
          R"("ids":{"dtype":"I64","shape":[5],"data_offsets":[24,64]}})"),
      repeated("\0\0\xc0\x3f", 6) + std::string("\0\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\2\0\0\0"
                                                "\0\0\0\0\3\0\0\0\0\0\0\0\4\0\0\0\0\0\0\0",
                                                40));
  std::string optimizer = stored_file(
      padded(
          R"({"__metadata__":{"format":"pt"},"w.step":{"dtype":"F32","shape":[],"data_offsets":[0,4]}})"),
      repeated("\0\0\xc0\x3f", 1));
  std::string state = file_content(PDL_TEST_DATA "/fuzz/corpus/trainer_state/full.json");

  static std::string repeated(const char* four_bytes, int times) {
    std::string bytes;
    for (int i = 0; i < times; ++i) bytes.append(four_bytes, 4);
    return bytes;
  }
  std::string manifest() const {
    const auto entry = [](const std::string& name, const std::string& content) {
      return "  \"" + name + "\": {\n   \"sha256\": \"" + sha256(content) +
             "\",\n   \"size\": " + std::to_string(content.size()) + "\n  }";
    };
    return "{\n \"files\": {\n" + entry("model.safetensors", model) + ",\n" +
           entry("optimizer.safetensors", optimizer) + ",\n" + entry("trainer_state.json", state) +
           "\n },\n \"format\": \"pdl-checkpoint\",\n \"step\": 7,\n \"version\": 2\n}\n";
  }
};

TEST(CheckpointTest, WritesTheFilesOfFormerVersions) {
  const TempFolder folder;
  const auto checkpoint = save(folder, 7);
  StoredCheckpoint expected;
  EXPECT_EQ(file_content(checkpoint / "model.safetensors"), expected.model);
  EXPECT_EQ(file_content(checkpoint / "optimizer.safetensors"), expected.optimizer);
  expected.state = file_content(checkpoint / "trainer_state.json");
  EXPECT_EQ(file_content(checkpoint / "MANIFEST.json"), expected.manifest());
}

TEST(CheckpointTest, LoadsTheFilesOfFormerVersions) {
  const TempFolder folder;
  const StoredCheckpoint stored;
  folder.file("checkpoint-7/model.safetensors", stored.model);
  folder.file("checkpoint-7/optimizer.safetensors", stored.optimizer);
  folder.file("checkpoint-7/trainer_state.json", stored.state);
  folder.file("checkpoint-7/MANIFEST.json", stored.manifest());
  EXPECT_EQ(find_damage(folder / "checkpoint-7"), "");
  EXPECT_EQ(load_trainer_state(folder / "checkpoint-7").first.ledger.num_tokens, 1000);
  const CheckpointTensors loaded = tensors(0);
  loaded.model[1].tensor.zero_();
  load_checkpoint_tensors(folder / "checkpoint-7", loaded);
  EXPECT_TRUE(at::equal(loaded.model[0].tensor, at::full({2, 3}, 1.5)));
  EXPECT_TRUE(at::equal(loaded.model[1].tensor, at::arange(5)));
  EXPECT_EQ(loaded.optimizer[0].tensor.item<double>(), 1.5);
}

// Makes a checkpoint whose optimizer is in one file per rank. Each rank saves its part, and the
// first one the model too.
class RankCheckpoint {
 public:
  explicit RankCheckpoint(const std::vector<std::vector<TensorSlice>>& ranks) {
    save("model.safetensors", tensors(1.5).model);
    const auto num_ranks = std::ssize(ranks);
    for (int64_t rank = 0; rank < num_ranks; ++rank) {
      save(tensor_file_name("optimizer", rank, num_ranks), ranks[static_cast<size_t>(rank)]);
    }
    const std::string state = file_content(PDL_TEST_DATA "/fuzz/corpus/trainer_state/full.json");
    folder_.file("trainer_state.json", state);
    manifest_.files["trainer_state.json"] = {std::ssize(state), sha256(state)};
    write_manifest();
  }

  const std::filesystem::path& path() const { return folder_.path(); }
  void save(const std::string& file, const std::vector<TensorSlice>& slices) {
    std::filesystem::remove(folder_ / file);
    manifest_.files[file] = write_tensors(folder_ / file, slices);
  }
  void forget(const std::string& file) { manifest_.files.erase(file); }
  void write_manifest() const { folder_.file("MANIFEST.json", to_json(manifest_)); }

 private:
  TempFolder folder_;
  Manifest manifest_{.step = 7, .files = {}};
};

std::vector<NamedTensor> moments(double factor) {
  return {{"w.exp_avg", at::arange(1.0, 36.0).view({5, 7}).mul(factor), {}},
          {"b.exp_avg", at::arange(1.0, 4.0).mul(factor), {}},
          {"w.step", at::full({}, factor), {}},
          {"none.exp_avg", at::zeros({0, 2}), {}}};
}

TEST(CheckpointTest, AnyNumberOfRanksReadsWhatAnyNumberWrote) {
  std::mt19937 generator(3);
  const std::vector<NamedTensor> saved = moments(1);
  for (const int64_t writers : {1, 2, 3, 5}) {
    const RankCheckpoint checkpoint(cut_at_random(saved, writers, generator));
    ASSERT_EQ(find_damage(checkpoint.path()), "");
    for (const int64_t readers : {1, 2, 4}) {
      const std::vector<NamedTensor> loaded = moments(0);
      for (const auto& optimizer : cut_at_random(loaded, readers, generator)) {
        load_checkpoint_tensors(checkpoint.path(), {tensors(0).model, optimizer});
      }
      for (size_t i = 0; i < saved.size(); ++i) {
        EXPECT_TRUE(at::equal(loaded[i].tensor, saved[i].tensor)) << saved[i].name;
      }
    }
  }
}

TEST(CheckpointTest, PartsThatAreNotAWholeAreDamage) {
  std::mt19937 generator(4);
  const auto ranks = cut_at_random(moments(1), 3, generator);
  const std::string second = tensor_file_name("optimizer", 1, 3);
  RankCheckpoint missing(ranks);
  missing.forget(second);
  missing.write_manifest();
  EXPECT_THAT(find_damage(missing.path()), HasSubstr("'MANIFEST.json' does not list 'optimizer-"));
  RankCheckpoint twice(ranks);
  twice.save(second, ranks[0]);
  twice.write_manifest();
  EXPECT_THAT(find_damage(twice.path()), HasSubstr("' has elements of '"));
  RankCheckpoint gone(ranks);
  std::filesystem::remove(gone.path() / second);
  EXPECT_EQ(find_damage(gone.path()), second + " does not exist");
  EXPECT_THROW(load_checkpoint_tensors(gone.path(), {tensors(0).model, ranks[0]}), CheckpointError);
}

TEST(CheckpointTest, StatesOfRandomGeneratorsInOlderCheckpointsAreLeftOut) {
  const TempFolder folder;
  CheckpointTensors older = tensors(2);
  older.optimizer.push_back({"generator.cpu", {5056}, 0, at::zeros({5056}, at::kByte)});
  const auto checkpoint = save_all(folder, 1, older);
  const CheckpointTensors loaded = tensors(0);
  load_checkpoint_tensors(checkpoint, loaded);
  EXPECT_EQ(loaded.optimizer[0].tensor.item<double>(), 2);
}

TEST(CheckpointTest, ListsStepsInOrderAndNothingElse) {
  const TempFolder folder;
  for (const int64_t step : {9, 10, 2}) save(folder, step);
  std::filesystem::create_directories(folder / "checkpoint-x");
  std::filesystem::create_directories(folder / "checkpoint-");
  std::filesystem::create_directories(folder / "checkpoint-11");  // damaged, but there
  const auto checkpoints = list_checkpoints(folder.path());
  std::vector<int64_t> steps;
  for (const auto& [step, path] : checkpoints) steps.push_back(step);
  EXPECT_EQ(steps, (std::vector<int64_t>{2, 9, 10, 11}));
  EXPECT_TRUE(list_checkpoints(folder / "none").empty());
}

TEST(CheckpointTest, PruningKeepsTheNewestAndTheBest) {
  const TempFolder folder;
  for (const int64_t step : {1, 2, 3, 4, 5}) save(folder, step);
  prune_checkpoints(folder.path(), {.limit = 0, .current_step = 5});
  EXPECT_EQ(list_checkpoints(folder.path()).size(), 5U);
  prune_checkpoints(folder.path(), {.limit = 3, .current_step = 5, .best_step = 1});
  std::vector<int64_t> steps;
  for (const auto& [step, path] : list_checkpoints(folder.path())) steps.push_back(step);
  EXPECT_EQ(steps, (std::vector<int64_t>{1, 4, 5}));
}

std::vector<int64_t> steps_in(const TempFolder& folder) {
  std::vector<int64_t> steps;
  for (const auto& [step, path] : list_checkpoints(folder.path())) steps.push_back(step);
  return steps;
}

TEST(CheckpointTest, PruningNeverTakesTheCheckpointJustSaved) {
  const TempFolder folder;
  for (const int64_t step : {7, 8, 9, 12}) save(folder, step);  // 12 was skipped
  prune_checkpoints(folder.path(), {.limit = 2, .current_step = 9});
  EXPECT_EQ(steps_in(folder), (std::vector<int64_t>{8, 9}));
}

TEST(CheckpointTest, PruningLeavesTwo) {
  const TempFolder folder;
  for (const int64_t step : {1, 2, 3}) save(folder, step);
  prune_checkpoints(folder.path(), {.limit = 1, .current_step = 3});
  EXPECT_EQ(steps_in(folder), (std::vector<int64_t>{2, 3}));
}

TEST(CheckpointTest, PruningLeavesTwoThatVerify) {
  const TempFolder folder;
  for (const int64_t step : {1, 2, 3, 4}) save(folder, step);
  folder.file("checkpoint-3/model.safetensors", "rotten");
  prune_checkpoints(folder.path(), {.limit = 2, .current_step = 4});
  EXPECT_EQ(steps_in(folder), (std::vector<int64_t>{2, 3, 4}));
}

TEST(CheckpointTest, ACheckpointOfAnotherStepThanItsNameIsDamaged) {
  const TempFolder folder;
  save(folder, 3);
  std::filesystem::rename(folder / "checkpoint-3", folder / "checkpoint-4");
  EXPECT_NE(find_damage(folder / "checkpoint-4"), "");
  std::filesystem::rename(folder / "checkpoint-4", folder / "my copy");
  EXPECT_EQ(find_damage(folder / "my copy"), "");
}

TEST(CheckpointTest, FilesOfAnotherCheckpointAreDamage) {
  const TempFolder folder;
  save(folder, 3, 1.0);
  save(folder, 4, 2.0);
  for (const char* name :
       {"model.safetensors", "optimizer.safetensors", "trainer_state.json", "MANIFEST.json"}) {
    const std::string own = file_content(folder / "checkpoint-3" / name);
    folder.file(std::string("checkpoint-3/") + name, file_content(folder / "checkpoint-4" / name));
    EXPECT_NE(find_damage(folder / "checkpoint-3"), "") << name;
    folder.file(std::string("checkpoint-3/") + name, own);
  }
  EXPECT_EQ(find_damage(folder / "checkpoint-3"), "");
}

TEST(CheckpointTest, SavingAStepAgainReplacesIt) {
  const TempFolder folder;
  save(folder, 3, 1.0);
  const auto checkpoint = save(folder, 3, 2.0);
  const CheckpointTensors loaded = tensors(0);
  load_checkpoint_tensors(checkpoint, loaded);
  EXPECT_EQ(loaded.optimizer[0].tensor.item<double>(), 2.0);
}

}  // namespace
}  // namespace pdl
