# pdl_cuda_kernels: the CUDA kernels behind a C interface. They need nvcc and the CUDA runtime, and no LibTorch, no
# device and no driver to be built.

set(nvcc_found OFF)
if(PDL_BUILD_TORCH)  # else the build is one of pdl_base alone
  include(CheckLanguage)
  set(CMAKE_CUDA_ARCHITECTURES 80 90 100 CACHE STRING "Compute capabilities of the CUDA kernels")
  check_language(CUDA)
  if(CMAKE_CUDA_COMPILER)
    set(nvcc_found ON)
  endif()
endif()
option(PDL_CUDA_KERNELS "Build the CUDA kernels" ${nvcc_found})
if(NOT PDL_CUDA_KERNELS)
  return()
endif()

set(CMAKE_CUDA_ARCHITECTURES 80 90 100 CACHE STRING "Compute capabilities of the CUDA kernels")
enable_language(CUDA)
find_package(CUDAToolkit REQUIRED)
add_library(pdl_cuda_kernels STATIC src/kernels/cuda/cross_entropy.cu)
target_include_directories(pdl_cuda_kernels PUBLIC include PRIVATE src)
# CMake before 3.25.2 has no C++20 for nvcc.
set_target_properties(pdl_cuda_kernels PROPERTIES
  CUDA_STANDARD 17 CUDA_STANDARD_REQUIRED ON CUDA_EXTENSIONS OFF POSITION_INDEPENDENT_CODE ON)
target_compile_options(pdl_cuda_kernels PRIVATE --Werror=all-warnings -Xcompiler=-Wall,-Wextra)
target_link_libraries(pdl_cuda_kernels PUBLIC CUDA::cudart_static)
