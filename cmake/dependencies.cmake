# Finds everything that the program links: Debian packages, and LibTorch from the wheel in .venv or
# where Torch_DIR or CMAKE_PREFIX_PATH points.

find_package(Threads REQUIRED)
find_package(OpenSSL REQUIRED COMPONENTS Crypto)
find_package(ICU REQUIRED COMPONENTS uc)
find_package(ZLIB REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(spdlog REQUIRED)
find_package(CLI11 REQUIRED)

find_package(PkgConfig REQUIRED)
pkg_check_modules(SENTENCEPIECE REQUIRED sentencepiece)
pkg_check_modules(PCRE2 REQUIRED IMPORTED_TARGET libpcre2-8)
pkg_check_modules(ZSTD REQUIRED IMPORTED_TARGET libzstd)
find_path(SENTENCEPIECE_INCLUDE_DIR sentencepiece_processor.h REQUIRED)
find_library(SENTENCEPIECE_LIBRARY sentencepiece REQUIRED)
find_library(SENTENCEPIECE_TRAIN_LIBRARY sentencepiece_train REQUIRED)

if(NOT PDL_BUILD_TORCH)
  return()
endif()

if(NOT Torch_DIR AND NOT CMAKE_PREFIX_PATH)
  execute_process(
    COMMAND ${CMAKE_SOURCE_DIR}/.venv/bin/python -W ignore -c "import torch; print(torch.utils.cmake_prefix_path)"
    OUTPUT_VARIABLE wheel_prefix OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  list(APPEND CMAKE_PREFIX_PATH ${wheel_prefix})
endif()
set(kineto_LIBRARY dl CACHE STRING "The wheel has no kineto library; nothing links it")
# Without this, a CUDA LibTorch would compile a C++20 program to find the machine's GPU, for which
# CMake before 3.25.2 has no nvcc flags. LibTorch is built already, and the project's kernels have
# their own flags for nvcc.
if(NOT DEFINED TORCH_CUDA_ARCH_LIST)
  set(TORCH_CUDA_ARCH_LIST 8.0)
endif()
find_package(Torch QUIET)
unset(CMAKE_CUDA_FLAGS)
if(NOT Torch_FOUND)
  message(FATAL_ERROR "LibTorch was not found. Run scripts/quickstart.sh, which installs it in .venv, "
                      "or give -DTorch_DIR=<folder of TorchConfig.cmake>.")
endif()
if(PDL_REQUIRE_CUDA AND NOT TARGET torch_cuda)
  message(FATAL_ERROR "This LibTorch (${Torch_DIR}) has no CUDA. Point Torch_DIR to one that has.")
endif()
# at::parallel_for runs in one thread if a file is compiled without OpenMP. The library is
# LibTorch's own copy, because a second one in the process would start a second team of threads.
get_target_property(torch_library torch IMPORTED_LOCATION_RELEASE)
if(NOT torch_library)
  get_target_property(torch_library torch IMPORTED_LOCATION)
endif()
get_filename_component(torch_folder ${torch_library} DIRECTORY)
file(GLOB PDL_OPENMP_LIBRARY ${torch_folder}/libgomp*.so*)
if(NOT PDL_OPENMP_LIBRARY OR NOT CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  find_package(OpenMP REQUIRED COMPONENTS CXX)
  set(PDL_OPENMP_LIBRARY OpenMP::OpenMP_CXX)
endif()

# The wheel names /lib/intel64, which does not exist, in the run path of everything that links it.
if(TARGET caffe2::mkl)
  set_property(TARGET caffe2::mkl PROPERTY INTERFACE_LINK_DIRECTORIES "")
endif()
