#define PDL_KERNELS kPortableKernels
#include "kernels.inc"
