#define PDL_KERNELS kAvx512Bf16Kernels
#include "kernels.inc"
