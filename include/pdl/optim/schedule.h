// The learning rate as a pure function of the step; the formulas are those of transformers'
// schedulers.
#pragma once

#include <cstdint>

#include "pdl/config/run_config.h"

namespace pdl {

// Returns the rate of the step with index k (from 0) of `total_steps` T, with W warm-up steps and m
// = min_lr_ratio:
//
//   k < W                 learning_rate · k/W
//   else                  learning_rate · (m + (1−m)·λ)
//   constant              λ = 1
//   linear                λ = (T−k)/(T−W)
//   cosine                λ = ½·(1 + cos(π·(k−W)/(T−W)))
//   warmup_stable_decay   λ = 1 until T−D, then (T−k)/D, D = ceil(T/10)
//
// warmup_steps below 1 is a share: W = ceil(share·T).
double learning_rate_at(const ScheduleOptions& options, int64_t k, int64_t total_steps);

}  // namespace pdl
