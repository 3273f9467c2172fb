// Runs a suite of tests once for each instruction set that this CPU has.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "pdl/kernels/cpu_kernels.h"

#define PDL_FOR_EACH_INSTRUCTION_SET(Suite)                                                     \
  INSTANTIATE_TEST_SUITE_P(, Suite,                                                             \
                           testing::ValuesIn(::pdl::supported_instruction_sets().begin(),       \
                                             ::pdl::supported_instruction_sets().end()),        \
                           [](const testing::TestParamInfo<::pdl::InstructionSet>& parameter) { \
                             std::string name = ::pdl::name_of(parameter.param);                \
                             std::erase_if(name, [](char c) { return c == '-' || c == ' '; });  \
                             return name;                                                       \
                           })
