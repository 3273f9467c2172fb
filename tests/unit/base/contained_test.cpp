#include "pdl/base/contained.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <stdexcept>
#include <vector>

namespace pdl {
namespace {

using ::testing::HasSubstr;

constexpr ContainedLimits kLimits = {.max_bytes = int64_t{256} << 20, .max_cpu_seconds = 1};

TEST(ContainedTest, ReturnsWhatTheWorkReturns) {
  EXPECT_EQ(run_contained([] { return std::string(); }, kLimits), "");
  EXPECT_EQ(run_contained([] { return std::string("no pieces"); }, kLimits), "no pieces");
}

TEST(ContainedTest, AMessageIsShortAndPrintable) {
  const std::string message =
      run_contained([] { return "\x1b[31m" + std::string(1 << 20, 'x'); }, kLimits);
  EXPECT_THAT(message, testing::StartsWith("\\u{1b}[31mxxx"));
  EXPECT_LT(message.size(), 210U);
}

TEST(ContainedTest, TheWorkLeavesThisProcessAsItIs) {
  int calls = 0;
  EXPECT_EQ(run_contained([&] { return std::to_string(++calls); }, kLimits), "1");
  EXPECT_EQ(calls, 0);
}

TEST(ContainedTest, AnExceptionIsSaid) {
  EXPECT_EQ(run_contained([]() -> std::string { throw std::runtime_error("broken"); }, kLimits),
            "broken");
  EXPECT_NE(run_contained([]() -> std::string { throw 1; }, kLimits), "");
}

TEST(ContainedTest, TheEndOfTheProcessIsSaid) {
  for (const int signal : {SIGABRT, SIGKILL, SIGFPE}) {
    const auto work = [&]() -> std::string {
      std::signal(signal, SIG_DFL);
      std::raise(signal);
      return "";
    };
    EXPECT_THAT(run_contained(work, kLimits), HasSubstr("ends with"));
  }
  for (const int code : {0, 1, 2, 3, 255}) {
    EXPECT_EQ(run_contained([&]() -> std::string { std::_Exit(code); }, kLimits),
              "it ends in an unknown error");
  }
}

TEST(ContainedTest, ItsOutputIsDropped) {
  testing::internal::CaptureStderr();
  testing::internal::CaptureStdout();
  run_contained(
      [] {
        std::fputs("to stderr\n", stderr);
        std::puts("to stdout");
        std::fflush(stdout);
        return std::string();
      },
      kLimits);
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "");
}

TEST(ContainedTest, TimeIsLimited) {
  const auto work = [] {
    while (std::clock() >= 0) {
    }
    return std::string();
  };
  EXPECT_EQ(run_contained(work, kLimits), "it takes more than 1 s");
}

#if defined(__SANITIZE_ADDRESS__)
constexpr bool kHasOwnAllocator = true;  // which ends the process instead of throwing
#else
constexpr bool kHasOwnAllocator = false;
#endif

std::string take_much_memory() {
  std::vector<std::vector<char>> held;
  for (int i = 0; i < 1024; ++i) held.emplace_back(int64_t{1} << 20, 'x');
  return "";
}

TEST(ContainedTest, MemoryIsLimited) {
  if (kHasOwnAllocator) GTEST_SKIP() << "AddressSanitizer";
  EXPECT_EQ(run_contained(take_much_memory, kLimits), "it needs more than 256 MiB of memory");
  EXPECT_EQ(run_contained(take_much_memory, {.max_bytes = int64_t{4} << 30, .max_cpu_seconds = 5}),
            "");
}

// The input must not be blamed for it.
TEST(ContainedTest, TooLittleMemoryForThisProcessIsNoResult) {
  if (kHasOwnAllocator) GTEST_SKIP() << "AddressSanitizer";
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_AS, &before), 0);
  rlimit small = before;
  small.rlim_cur = rlim_t{512} << 20;
  ASSERT_EQ(::setrlimit(RLIMIT_AS, &small), 0);
  EXPECT_THROW(
      run_contained(take_much_memory, {.max_bytes = int64_t{4} << 30, .max_cpu_seconds = 5}),
      std::bad_alloc);
  ::setrlimit(RLIMIT_AS, &before);
}

}  // namespace
}  // namespace pdl
