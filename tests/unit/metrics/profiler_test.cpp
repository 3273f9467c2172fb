#include "pdl/metrics/profiler.h"

#include <gtest/gtest.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace pdl {
namespace {

void pause(int milliseconds) {
  std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
}

TEST(ProfilerTest, TotalsLeaveOutThePhasesInside) {
  Profiler profiler;
  for (int i = 0; i < 2; ++i) {
    const ProfiledPhase outer(&profiler, "outer");
    pause(5);
    const ProfiledPhase inner(&profiler, "inner");
    pause(20);
  }
  const double wall = profiler.elapsed();
  const auto& times = profiler.times();
  ASSERT_EQ(times.size(), 2U);
  EXPECT_EQ(times[0].name, "outer");
  EXPECT_EQ(times[0].calls, 2);
  EXPECT_EQ(times[1].name, "inner");
  EXPECT_GE(times[0].seconds, 0.010);
  EXPECT_GE(times[1].seconds, 0.040);
  EXPECT_LE(times[0].seconds + times[1].seconds, wall);
  EXPECT_GE(times[0].seconds + times[1].seconds, wall - 0.005);
  const auto table = profile_table(times, wall);
  ASSERT_EQ(table.size(), 3U);
  EXPECT_NE(table[0].find("outer"), std::string::npos);
  EXPECT_NE(table[2].find("between phases"), std::string::npos);
}

TEST(ProfilerTest, TheTraceHasEveryPhaseInTime) {
  Profiler profiler;
  {
    const ProfiledPhase outer(&profiler, "outer");
    const ProfiledPhase inner(&profiler, "a \"quoted\" phase");
    pause(2);
  }
  const auto events = nlohmann::json::parse(profiler.trace_json()).at("traceEvents");
  ASSERT_EQ(events.size(), 2U);  // in the order of their ends
  EXPECT_EQ(events[0].at("name"), "a \"quoted\" phase");
  EXPECT_EQ(events[1].at("name"), "outer");
  for (const auto& event : events) {
    EXPECT_EQ(event.at("ph"), "X");
    EXPECT_GE(event.at("dur").get<double>(), 2000);
  }
  EXPECT_LE(events[1].at("ts").get<double>(), events[0].at("ts").get<double>());
}

TEST(ProfilerTest, WaitsForTheDeviceAtBothEnds) {
  int waits = 0;
  Profiler profiler([&] { ++waits; });
  { const ProfiledPhase phase(&profiler, "phase"); }
  EXPECT_EQ(waits, 2);
}

// Waiting for a failing device fails too, even while the first failure unwinds.
TEST(ProfilerTest, AFailureGoesThroughAPhase) {
  bool is_broken = false;
  Profiler profiler([&] {
    if (is_broken) throw std::runtime_error("broken device");
  });
  const auto fail = [&] {
    const ProfiledPhase phase(&profiler, "phase");
    is_broken = true;
    throw std::logic_error("first");
  };
  EXPECT_THROW(fail(), std::logic_error);
  EXPECT_EQ(profiler.times()[0].calls, 1);
  is_broken = false;
  const auto wait = [&] {
    const ProfiledPhase phase(&profiler, "phase");
    is_broken = true;
  };
  EXPECT_THROW(wait(), std::runtime_error);
}

TEST(ProfilerTest, ProductsBelongToTheInnermostPhase) {
  double multiplications = 1000;
  Profiler profiler({}, [&] { return multiplications; });
  {
    const ProfiledPhase outer(&profiler, "outer");
    multiplications += 30;
    const ProfiledPhase inner(&profiler, "inner");
    multiplications += 500;
  }
  const ProfiledPhase other(&profiler, "other");
  const std::vector<PhaseTime> times = with_floors(profiler.times(), 1e3);
  ASSERT_EQ(times.size(), 3U);
  EXPECT_EQ(times[0].floor_seconds, 0.03);
  EXPECT_EQ(times[1].floor_seconds, 0.5);
  EXPECT_FALSE(times[2].floor_seconds);
  const auto table = profile_table(times, 1);
  EXPECT_NE(table[1].find("products alone 500.000 ms"), std::string::npos) << table[1];
  EXPECT_EQ(table[2].find("products"), std::string::npos) << table[2];
}

TEST(ProfilerTest, WithoutAProfilerNothingHappens) { const ProfiledPhase phase(nullptr, "phase"); }

}  // namespace
}  // namespace pdl
