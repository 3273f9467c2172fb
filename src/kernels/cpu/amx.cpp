#define PDL_KERNELS kAmxKernels
#include "kernels.inc"
