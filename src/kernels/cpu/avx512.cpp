#define PDL_KERNELS kAvx512Kernels
#include "kernels.inc"
