#include "pdl/optim/loss_scaler.h"

#include <ATen/ops/full.h>
#include <gtest/gtest.h>

namespace pdl {
namespace {

TEST(LossScalerTest, HalvesOnOverflowAndDoublesAfterTwoThousandUpdates) {
  LossScaler scaler(at::kCPU);
  const at::Tensor none = at::full({}, 0.0F);
  const at::Tensor overflow = at::full({}, 1.0F);
  EXPECT_EQ(scaler.scale().item<float>(), 65536);
  const at::Tensor before = scaler.scale();
  scaler.update(overflow);
  EXPECT_EQ(scaler.scale().item<float>(), 32768);
  EXPECT_EQ(before.item<float>(), 65536);  // the scale of a step does not change under it
  for (int i = 0; i < 1999; ++i) scaler.update(none);
  EXPECT_EQ(scaler.scale().item<float>(), 32768);
  scaler.update(none);
  EXPECT_EQ(scaler.scale().item<float>(), 65536);
}

TEST(LossScalerTest, ItsStateIsAllThatTheNextUpdateDependsOn) {
  LossScaler scaler(at::kCPU);
  for (int i = 0; i < 1999; ++i) scaler.update(at::full({}, 0.0F));
  LossScaler resumed(at::kCPU);
  for (size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(resumed.state()[i].name, scaler.state()[i].name);
    resumed.state()[i].tensor.copy_(scaler.state()[i].tensor);
  }
  resumed.update(at::full({}, 0.0F));
  EXPECT_EQ(resumed.scale().item<float>(), 131072);
}

}  // namespace
}  // namespace pdl
