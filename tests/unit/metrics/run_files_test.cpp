#include "pdl/metrics/run_files.h"

#include <gtest/gtest.h>

#include "pdl/metrics/metrics.h"

namespace pdl {
namespace {

TEST(RunFilesTest, ARunIsFinishedAfterAllStepsOrAnEarlyStop) {
  for (const RunStatus status : {RunStatus::kFinished, RunStatus::kEarlyStopped})
    EXPECT_TRUE(is_finished(name_of(status))) << name_of(status);
  for (const RunStatus status :
       {RunStatus::kInterrupted, RunStatus::kTimeLimit, RunStatus::kDiverged})
    EXPECT_FALSE(is_finished(name_of(status))) << name_of(status);
  for (const char* other : {"", "Finished", "finished "}) EXPECT_FALSE(is_finished(other)) << other;
}

}  // namespace
}  // namespace pdl
