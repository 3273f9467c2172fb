#include "pdl/tensors/tensor_store.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/zeros.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "pdl/base/error.h"
#include "pdl/tensors/write_tensors.h"
#include "support/temp_folder.h"
#include "tensors/tensor_files.h"

namespace pdl {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

// Makes tensors of every dtype in shapes of odd sizes, scalars and empty tensors.
std::vector<NamedTensor> all_kinds() {
  std::vector<NamedTensor> tensors;
  for (const at::ScalarType dtype : kStoredDtypes) {
    int64_t number = 0;
    for (const std::vector<int64_t>& shape :
         std::vector<std::vector<int64_t>>{{}, {0}, {3, 0, 2}, {1}, {7}, {3, 5}, {2, 3, 7}}) {
      tensors.push_back({std::string(c10::toString(dtype)) + "." + std::to_string(number++),
                         some_values(shape, dtype),
                         {}});
    }
  }
  return tensors;
}

// Reads whole tensors and random slices of them.
void expect_holds(const TensorStore& store, const std::vector<NamedTensor>& tensors) {
  std::mt19937 generator(1);
  EXPECT_EQ(store.names().size(), tensors.size());
  for (const auto& [name, whole, aliases] : tensors) {
    ASSERT_TRUE(store.contains(name)) << name;
    EXPECT_EQ(store.info(name), (TensorInfo{whole.scalar_type(), whole.sizes().vec()})) << name;
    const at::Tensor all = at::zeros(whole.sizes(), whole.options());
    store.read({name, whole.sizes().vec(), 0, all});
    EXPECT_TRUE(at::equal(all, whole)) << name;
    std::uniform_int_distribution<int64_t> place(0, whole.numel());
    for (int i = 0; i < 20; ++i) {
      const auto [begin, end] = std::minmax({place(generator), place(generator)});
      const TensorSlice slice = slice_of(name, whole, begin, end);
      const at::Tensor read = at::zeros({end - begin}, whole.options());
      store.read({name, slice.global_shape, begin, read});
      EXPECT_TRUE(at::equal(read, slice.tensor)) << name << " " << begin << " to " << end;
    }
  }
}

TEST(TensorStoreTest, AnySliceOfAFileIsThatOfTheTensor) {
  const TempFolder folder;
  const std::vector<NamedTensor> tensors = all_kinds();
  write_tensors(folder / "x.safetensors", whole_slices(tensors));
  expect_holds(TensorStore::open<ModelError>(folder / "x.safetensors"), tensors);
}

TEST(TensorStoreTest, AnySliceOfShardsIsThatOfTheTensor) {
  const TempFolder folder;
  const std::vector<NamedTensor> tensors = all_kinds();
  constexpr size_t kShards = 3;
  std::string weight_map;
  for (size_t shard = 0; shard < kShards; ++shard) {
    const std::string file = "x-" + std::to_string(shard) + ".safetensors";
    std::vector<NamedTensor> own;
    for (size_t i = shard; i < tensors.size(); i += kShards) {
      own.push_back(tensors[i]);
      weight_map += (weight_map.empty() ? "\"" : ", \"") + tensors[i].name + "\": \"" + file + "\"";
    }
    write_tensors(folder / file, whole_slices(own));
  }
  folder.file("x.safetensors.index.json", "{\"weight_map\": {" + weight_map + "}}");
  expect_holds(TensorStore::open<ModelError>(folder / "x.safetensors.index.json"), tensors);
}

TEST(TensorStoreTest, AnySliceOfPartsIsThatOfTheTensor) {
  const std::vector<NamedTensor> tensors = all_kinds();
  std::mt19937 generator(2);
  for (const int64_t num_ranks : {1, 2, 3, 7}) {
    const TempFolder folder;
    std::vector<std::filesystem::path> paths;
    for (const std::vector<TensorSlice>& slices : cut_at_random(tensors, num_ranks, generator)) {
      paths.push_back(folder / ("part" + std::to_string(paths.size())));
      write_tensors(paths.back(), slices);
    }
    expect_holds(TensorStore::open_parts<CheckpointError>(paths), tensors);
    std::reverse(paths.begin(), paths.end());  // their order does not matter
    expect_holds(TensorStore::open_parts<CheckpointError>(paths), tensors);
  }
}

TEST(TensorStoreTest, ReadsFilesThatOthersWrite) {
  // Neither data nor names need be in this program's order.
  const TempFolder folder;
  const std::string json = R"({ "b":{"data_offsets":[4,8], "shape":[2],"dtype":"I16"},)"
                           R"("a":{"dtype":"F32","shape":[1,1],"data_offsets":[0,4]}})";
  ASSERT_NE(json.size() % 8, 0U);
  folder.file("x.safetensors", stored_file(json, std::string("\0\0\x80\x3f\1\0\2\1", 8)));
  const TensorStore store = TensorStore::open<ModelError>(folder / "x.safetensors");
  const at::Tensor a = at::zeros({1, 1});
  const at::Tensor b = at::zeros({2}, at::kShort);
  store.read({"a", {1, 1}, 0, a});
  store.read({"b", {2}, 0, b});
  EXPECT_EQ(a.item<float>(), 1);
  EXPECT_EQ(b[0].item<int64_t>(), 1);
  EXPECT_EQ(b[1].item<int64_t>(), 258);
}

TEST(TensorStoreTest, CastsFloatingPointAsATensorDoes) {
  const TempFolder folder;
  constexpr int64_t kSize = 1'500'001;  // several times the buffer
  const std::vector<at::ScalarType> dtypes = {at::kHalf, at::kBFloat16, at::kFloat, at::kDouble};
  for (const at::ScalarType stored : dtypes) {
    const at::Tensor whole = at::randn({kSize}).to(stored);
    const std::filesystem::path path = folder / c10::toString(stored);
    write_tensors(path, whole_slices({{"w", whole, {}}}));
    const TensorStore store = TensorStore::open<ModelError>(path);
    for (const at::ScalarType wanted : dtypes) {
      for (const auto& [begin, end] :
           {std::pair<int64_t, int64_t>{0, kSize}, {12'345, kSize - 1}}) {
        const at::Tensor read = at::zeros({end - begin}, at::dtype(wanted));
        store.read({"w", {kSize}, begin, read});
        EXPECT_TRUE(at::equal(read, whole.narrow(0, begin, end - begin).to(wanted)));
      }
    }
  }
}

TEST(TensorStoreTest, FillsTensorsOfAnyLayoutAndThoseThatAreTrained) {
  const TempFolder folder;
  const at::Tensor whole = at::randn({6, 4});
  write_tensors(folder / "f", whole_slices({{"w", whole, {}}}));
  const TensorStore store = TensorStore::open<ModelError>(folder / "f");
  const at::Tensor transposed = at::zeros({4, 6}).t();
  store.read({"w", {6, 4}, 0, transposed});
  EXPECT_TRUE(at::equal(transposed, whole));
  const at::Tensor lower = at::zeros({4, 3}, at::kDouble).t();  // rows 2 to 5, cast, not contiguous
  store.read({"w", {6, 4}, 8, lower});
  EXPECT_TRUE(at::equal(lower, whole.narrow(0, 2, 3).to(at::kDouble)));
  const at::Tensor trained = at::zeros({6, 4}).requires_grad_(true);
  store.read({"w", {6, 4}, 0, trained});
  EXPECT_TRUE(at::equal(trained, whole));
  EXPECT_TRUE(trained.requires_grad() && trained.is_leaf());
}

// Returns the message of the `Blame` that work() must throw.
template <class Blame>
std::string message_of(const std::function<void()>& work) {
  try {
    work();
  } catch (const Blame& problem) {
    return problem.what();
  }
  ADD_FAILURE() << "nothing was thrown";
  return "";
}

TEST(TensorStoreTest, RefusesWhatATensorIsNot) {
  const TempFolder folder;
  write_tensors(folder / "f",
                whole_slices({{"w", at::full({2, 3}, 1.0F), {}}, {"ids", at::arange(6), {}}}));
  const TensorStore store = TensorStore::open<ModelError>(folder / "f");
  const auto refusal = [&](const std::string& name, const std::vector<int64_t>& shape,
                           int64_t begin, const at::Tensor& into) {
    const at::Tensor before = into.clone();
    const std::string message = message_of<ModelError>([&] {
      store.read({name, shape, begin, into});
    });
    EXPECT_TRUE(at::equal(into, before));
    return message;
  };
  const std::string file = "'" + (folder / "f").string() + "' ";
  EXPECT_EQ(refusal("v", {2, 3}, 0, at::zeros({6})), file + "has no tensor 'v'");
  EXPECT_EQ(refusal("w", {3, 2}, 0, at::zeros({6})),
            file + "has 'w' as F32 [2, 3], which cannot be read as F32 [3, 2]");
  EXPECT_EQ(refusal("w", {2, 3}, 0, at::zeros({6}, at::kInt)),
            file + "has 'w' as F32 [2, 3], which cannot be read as I32 [2, 3]");
  EXPECT_EQ(refusal("ids", {6}, 0, at::zeros({6})),
            file + "has 'ids' as I64 [6], which cannot be read as F32 [6]");
  EXPECT_EQ(refusal("ids", {6}, 0, at::zeros({6}, at::kInt)),
            file + "has 'ids' as I64 [6], which cannot be read as I32 [6]");
  for (const auto& [begin, size] : {std::pair{-1, 2}, {5, 2}, {0, 7}, {7, 0}}) {
    EXPECT_THAT(refusal("w", {2, 3}, begin, at::zeros({size})), HasSubstr("are not inside"));
  }
  EXPECT_THAT(message_of<ModelError>([&] { store.info("v"); }), HasSubstr("has no tensor 'v'"));
}

template <class Blame>
std::string problem_of_opening(const std::filesystem::path& path) {
  return message_of<Blame>([&] { TensorStore::open<Blame>(path); });
}

TEST(TensorStoreTest, BlamesWhomItsCallerBlames) {
  const TempFolder folder;
  const std::string good =
      stored_file(R"({"w":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}})", "data");
  std::filesystem::create_directory(folder / "folder");
  EXPECT_THAT(problem_of_opening<DataError>(folder / "none"), HasSubstr("/none' does not exist"));
  EXPECT_THAT(problem_of_opening<ModelError>(folder / "folder"), HasSubstr("/folder' is a folder"));
  EXPECT_THAT(
      problem_of_opening<CheckpointError>(folder.file("short", good.substr(0, good.size() - 1))),
      HasSubstr("/short' is not a valid safetensors file: its data are longer or shorter"));
  EXPECT_THAT(problem_of_opening<CheckpointError>(folder.file("cut", good.substr(0, 30))),
              HasSubstr("/cut' is not a valid safetensors file: its header is longer than the fi"));
  EXPECT_THAT(problem_of_opening<CheckpointError>(folder.file("empty", "")),
              HasSubstr("/empty' is not a valid safetensors file: it is shorter than 8 bytes"));
  const std::filesystem::path path = folder.file("f", good);
  const TensorStore store = TensorStore::open<DataError>(path);
  std::filesystem::resize_file(path, good.size() - 1);  // while it is open
  const auto read = [&] { store.read({"w", {4}, 0, at::zeros({4}, at::kByte)}); };
  EXPECT_THAT(message_of<DataError>(read), HasSubstr("/f' became shorter while it was read"));
}

// Threads read it.
TEST(TensorStoreTest, RefusesALargeFileThatBecomesShorter) {
  const TempFolder folder;
  const std::filesystem::path path = folder / "f";
  const at::Tensor whole = at::randn({3'000'001});
  write_tensors(path, whole_slices({{"w", whole, {}}}));
  const TensorStore store = TensorStore::open<DataError>(path);
  std::filesystem::resize_file(path, std::filesystem::file_size(path) - 1);
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
    const auto read = [&] {
      store.read({"w", {whole.numel()}, 0, at::zeros(whole.sizes(), at::dtype(dtype))});
    };
    EXPECT_THAT(message_of<DataError>(read), HasSubstr("/f' became shorter while it was read"));
  }
}

TEST(TensorStoreTest, RefusesAnIndexThatDoesNotFitItsFiles) {
  const TempFolder folder;
  const auto problem_of = [&](const std::string& index) {
    const std::filesystem::path path = folder.file("x.safetensors.index.json", index);
    return problem_of_opening<ModelError>(path);
  };
  write_tensors(folder / "a", whole_slices({{"w", at::zeros({2}), {}}}));
  write_tensors(folder / "b", whole_slices({{"v", at::zeros({2}), {}}}));
  EXPECT_THAT(
      problem_of(R"({"weight_map": {"w": "a", "v": "c"}})"),
      AllOf(HasSubstr("/c' does not exist"), HasSubstr("/x.safetensors.index.json' names")));
  EXPECT_THAT(problem_of(R"({"weight_map": {"w": "a", "v": "a"}})"),
              HasSubstr("index.json' says that 'v' is in 'a', where it is not"));
  EXPECT_THAT(problem_of(R"({"weight_map": {"w": "b", "v": "b"}})"),
              HasSubstr("says that 'w' is in 'b', where it is not"));
  EXPECT_THAT(problem_of(R"({"weight_map": {"w": "../a"}})"),
              HasSubstr("x.safetensors.index.json' is not a valid index of safetensors files: "));
  folder.file("b", "no tensors");
  EXPECT_THAT(problem_of(R"({"weight_map": {"w": "a", "v": "b"}})"),
              HasSubstr("/b' is not a valid safetensors file: "));
}

TEST(TensorStoreTest, RefusesPartsThatAreNotAWhole) {
  const TempFolder folder;
  const at::Tensor w = at::arange(10, at::kFloat);
  const auto problem_of = [&](const std::vector<TensorSlice>& slices) {
    std::vector<std::filesystem::path> paths;
    for (const TensorSlice& slice : slices) {
      paths.push_back(folder / ("part" + std::to_string(paths.size())));
      std::filesystem::remove(paths.back());
      write_tensors(paths.back(), std::vector{slice});
    }
    return message_of<CheckpointError>([&] { TensorStore::open_parts<CheckpointError>(paths); });
  };
  EXPECT_THAT(problem_of({slice_of("w", w, 0, 4), slice_of("w", w, 5, 10)}),
              HasSubstr("/part1' has elements of 'w' from 5 on, but those before it end at 4"));
  EXPECT_THAT(problem_of({slice_of("w", w, 3, 10), slice_of("w", w, 0, 4)}),
              HasSubstr("/part0' has elements of 'w' from 3 on, but those before it overlap"));
  EXPECT_THAT(problem_of({slice_of("w", w, 0, 10), slice_of("w", w, 0, 10)}), HasSubstr("overlap"));
  EXPECT_THAT(problem_of({slice_of("w", w, 0, 4), slice_of("w", w, 4, 9)}),
              HasSubstr("/part0 to part1' has 9 elements of 'w', which is F32 [10]"));
  EXPECT_THAT(problem_of({slice_of("w", w, 0, 4)}),
              HasSubstr("/part0' has 4 elements of 'w', which is F32 [10]"));
  EXPECT_THAT(problem_of({slice_of("w", w, 0, 4), slice_of("w", w.view({2, 5}), 4, 10)}),
              AllOf(HasSubstr("/part1' has 'w' as F32 [2, 5]"), HasSubstr("/part0' as F32 [10]")));
  EXPECT_THAT(problem_of({slice_of("w", w, 0, 4), slice_of("w", w.to(at::kHalf), 4, 10)}),
              HasSubstr("/part1' has 'w' as F16 [10]"));
}

// Returns the peak of this process in bytes, since it was last reset.
int64_t peak_resident_bytes() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmHWM:")) return 1024 * std::stoll(line.substr(6));
  }
  ADD_FAILURE() << "the system does not say what is resident";
  return 0;
}

TEST(TensorStoreTest, AFileOfAGigabyteIsNotReadIntoMemory) {
  constexpr int64_t kGigabyte = int64_t{1} << 30;
  const TempFolder folder;
  const std::string json = R"({"big":{"dtype":"BF16","shape":[512,1048576],"data_offsets":[0,)" +
                           std::to_string(kGigabyte) + R"(]},"end":{"dtype":"U8","shape":[3],)" +
                           R"("data_offsets":[)" + std::to_string(kGigabyte) + "," +
                           std::to_string(kGigabyte + 3) + "]}}";
  const std::filesystem::path path = folder.file("x.safetensors", stored_file(json, ""));
  const uintmax_t data_begin = std::filesystem::file_size(path);
  std::filesystem::resize_file(path, data_begin + kGigabyte);  // a hole, which takes no space
  std::ofstream(path, std::ios::binary | std::ios::app) << "end";

  std::ofstream("/proc/self/clear_refs") << "5";  // the peak begins anew
  const int64_t before = peak_resident_bytes();
  const TensorStore store = TensorStore::open<ModelError>(path);
  const at::Tensor middle = at::full({100'001}, 1.0, at::kBFloat16);
  store.read({"big", {512, 1048576}, kGigabyte / 4 + 1, middle});
  const at::Tensor cast = at::full({100'001}, 1.0, at::kFloat);
  store.read({"big", {512, 1048576}, kGigabyte / 2 - 100'001, cast});
  const at::Tensor end = at::zeros({3}, at::kByte);
  store.read({"end", {3}, 0, end});
  EXPECT_LT(peak_resident_bytes() - before, 8'000'000);
  EXPECT_EQ(middle.abs().sum().item<double>() + cast.abs().sum().item<double>(), 0);
  EXPECT_EQ(bytes_of_tensor(end), "end");
}

}  // namespace
}  // namespace pdl
