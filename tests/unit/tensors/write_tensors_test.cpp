#include "pdl/tensors/write_tensors.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>

#include "pdl/base/error.h"
#include "pdl/base/sha256.h"
#include "support/temp_folder.h"
#include "tensors/tensor_files.h"

namespace pdl {
namespace {

void expect_written(const std::vector<TensorSlice>& slices, const std::string& expected) {
  const TempFolder folder;
  const FileDigest digest = write_tensors(folder / "f", slices);
  EXPECT_EQ(file_content(folder / "f"), expected);
  EXPECT_EQ(digest, (FileDigest{std::ssize(expected), sha256(expected)}));
}

TEST(WriteTensorsTest, WritesTheBytesOfTheFormat) {
  const std::string json =
      R"({"__metadata__":{"format":"pt"},"w":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},)"
      R"("n":{"dtype":"I64","shape":[],"data_offsets":[24,32]},)"
      R"("none":{"dtype":"BF16","shape":[0,4],"data_offsets":[32,32]},)"
      R"("yes":{"dtype":"BOOL","shape":[1],"data_offsets":[32,33]}})";
  const at::Tensor w = at::arange(6, at::kFloat).view({2, 3});
  expect_written(
      whole_slices({{"w", w, {}},
                    {"n", at::full({}, 258, at::kLong), {}},
                    {"none", at::empty({0, 4}, at::kBFloat16), {}},
                    {"yes", at::ones({1}, at::kBool), {}}}),
      stored_file(padded(json), bytes_of_tensor(w) + std::string("\2\1\0\0\0\0\0\0\1", 9)));
}

TEST(WriteTensorsTest, APartSaysWhatItIsAPartOf) {
  const std::string json =
      R"({"__metadata__":{"format":"pt","pdl.parts":"{\"w\":{\"shape\":[2,3],\"begin\":2},)"
      R"(\"none\":{\"shape\":[5],\"begin\":5}}"},)"
      R"("w":{"dtype":"F32","shape":[3],"data_offsets":[0,12]},)"
      R"("none":{"dtype":"U8","shape":[0],"data_offsets":[12,12]},)"
      R"("whole":{"dtype":"U8","shape":[5],"data_offsets":[12,17]}})";
  const at::Tensor w = at::arange(6, at::kFloat).view({2, 3});
  const at::Tensor u = some_values({5}, at::kByte);
  expect_written({slice_of("w", w, 2, 5), slice_of("none", u, 5, 5), slice_of("whole", u, 0, 5)},
                 stored_file(padded(json), bytes_of_tensor(w).substr(8, 12) + bytes_of_tensor(u)));
}

TEST(WriteTensorsTest, WhatMustBeCopiedIsWrittenInOrder) {
  std::vector<NamedTensor> transposed;
  std::vector<NamedTensor> contiguous;
  for (int64_t i = 0; i < 40; ++i) {
    const at::Tensor tensor = some_values({100 + i, 500}, at::kFloat).t();
    transposed.push_back({"t" + std::to_string(i), tensor.requires_grad_(i % 2 == 0), {}});
    contiguous.push_back({transposed.back().name, tensor.detach().contiguous(), {}});
  }
  const TempFolder folder;
  const FileDigest one = write_tensors(folder / "one", whole_slices(transposed));
  const FileDigest other = write_tensors(folder / "other", whole_slices(contiguous));
  EXPECT_EQ(one, other);
  EXPECT_EQ(file_content(folder / "one"), file_content(folder / "other"));
  EXPECT_EQ(one.sha256, sha256(file_content(folder / "one")));
}

TEST(WriteTensorsTest, LeavesNothingBehindWhereItFails) {
  const TempFolder folder;
  folder.file("there", "x");
  const std::vector<TensorSlice> good = whole_slices({{"w", at::ones({1'000'000}), {}}});
  EXPECT_THROW(write_tensors(folder / "there", good), StorageError);
  EXPECT_EQ(file_content(folder / "there"), "x");
  EXPECT_THROW(write_tensors(folder / "none" / "f", good), StorageError);
  const auto complex_numbers = whole_slices({{"c", at::ones({2}, at::kComplexFloat), {}}});
  EXPECT_THROW(write_tensors(folder / "f", complex_numbers), ModelError);
  EXPECT_FALSE(std::filesystem::exists(folder / "f"));
}

TEST(WriteTensorsTest, AFullDiskIsAStorageError) {
  const TempFolder folder;
  std::vector<NamedTensor> tensors;
  for (int i = 0; i < 10; ++i) {
    const at::Tensor tensor = at::ones({1000, 400});
    tensors.push_back({"t" + std::to_string(i), i % 2 == 0 ? tensor : tensor.t(), {}});
  }
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  for (const rlim_t size : {0, 1000, 2'000'000, 15'999'000}) {
    const rlimit limit{size, before.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
    EXPECT_THROW(write_tensors(folder / "f", whole_slices(tensors)), StorageError);
    EXPECT_FALSE(std::filesystem::exists(folder / "f"));
  }
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
}

}  // namespace
}  // namespace pdl
