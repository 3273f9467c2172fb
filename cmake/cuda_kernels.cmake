# pdl_cuda_kernels: the CUDA kernels, with a C interface. Building them needs nvcc and the CUDA
# runtime, but no LibTorch, device or driver.

if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES)
  set(CMAKE_CUDA_ARCHITECTURES 80)  # to try the compiler; the kernels have their own
endif()
set(nvcc_found OFF)
if(PDL_BUILD_TORCH AND (PDL_BUILD_TESTS OR TARGET torch_cuda))  # else nothing would use them
  include(CheckLanguage)
  check_language(CUDA)
  if(CMAKE_CUDA_COMPILER)
    set(nvcc_found ON)
  endif()
endif()
option(PDL_CUDA_KERNELS "Build the CUDA kernels" ${nvcc_found})
if(NOT PDL_CUDA_KERNELS)
  return()
endif()

enable_language(CUDA)
find_package(CUDAToolkit REQUIRED)
set(architectures 80 90)
if(CMAKE_CUDA_COMPILER_VERSION VERSION_GREATER_EQUAL 12.8)
  list(APPEND architectures 100)
endif()
set(PDL_CUDA_ARCHITECTURES ${architectures} CACHE STRING "Compute capabilities of the CUDA kernels")

add_library(pdl_cuda_kernels STATIC src/kernels/cuda/cross_entropy.cu)
target_include_directories(pdl_cuda_kernels PUBLIC include PRIVATE src)
# CMake before 3.25.2 has no C++20 for nvcc.
set_target_properties(pdl_cuda_kernels PROPERTIES
  CUDA_ARCHITECTURES "${PDL_CUDA_ARCHITECTURES}" CUDA_STANDARD 17 CUDA_STANDARD_REQUIRED ON CUDA_EXTENSIONS OFF
  POSITION_INDEPENDENT_CODE ON)
target_compile_options(pdl_cuda_kernels PRIVATE --Werror=all-warnings -Xcompiler=-Wall,-Wextra)
target_link_libraries(pdl_cuda_kernels PUBLIC CUDA::cudart_static)
