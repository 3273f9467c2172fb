#define PDL_KERNELS kAvx2Kernels
#include "kernels.inc"
