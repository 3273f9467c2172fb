# pdl_base: everything that needs no LibTorch; it builds in seconds and runs alone under the
# sanitizers. pdl_core: the rest of the library. pdl-train: the program.

set(PDL_WARNINGS -Wall -Wextra -Wshadow -Wconversion -Werror)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  # GCC 12 warns wrongly of `"literal" + std::string` (its bug 105651).
  list(APPEND PDL_WARNINGS -Wno-restrict)
endif()

pdl_glob_layers(${CMAKE_SOURCE_DIR}/src *.cpp PDL_BASE_SOURCES PDL_CORE_SOURCES)
list(FILTER PDL_CORE_SOURCES EXCLUDE REGEX "/src/cli/")  # pdl_cli, and main()
if(NOT CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  list(FILTER PDL_BASE_SOURCES EXCLUDE REGEX "kernels/cpu/(avx|amx)")
endif()
# Precompiles the headers that nearly every file of a target includes, which take most of its time.
set(PDL_PRECOMPILED <algorithm> <filesystem> <functional> <map> <memory> <optional> <span> <string> <vector>)
function(pdl_precompile target)
  target_precompile_headers(${target} PRIVATE ${ARGN})
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
    # The same bug: its warnings in the library's own headers are not suppressed once these are
    # precompiled.
    target_compile_options(${target} PRIVATE -Wno-array-bounds -Wno-stringop-overread -Wno-stringop-overflow)
  endif()
endfunction()

add_library(pdl_base STATIC ${PDL_BASE_SOURCES})
target_include_directories(pdl_base PUBLIC include)
target_include_directories(pdl_base SYSTEM PRIVATE ${SENTENCEPIECE_INCLUDE_DIR})
target_compile_options(pdl_base PRIVATE ${PDL_WARNINGS})
pdl_precompile(pdl_base ${PDL_PRECOMPILED})
target_link_libraries(pdl_base
  PRIVATE OpenSSL::Crypto ICU::uc ZLIB::ZLIB PkgConfig::ZSTD PkgConfig::PCRE2 nlohmann_json::nlohmann_json spdlog::spdlog
          ${SENTENCEPIECE_TRAIN_LIBRARY} ${SENTENCEPIECE_LIBRARY} stdc++
  PUBLIC Threads::Threads)

# The kernels of each instruction set are one source with different flags, optimised in every build
# but those with sanitizers, where that takes minutes.
# -Wno-psabi is safe because vectors only pass between inlined functions.
file(GLOB PDL_KERNEL_SOURCES src/kernels/cpu/*.cpp)
set_source_files_properties(${PDL_KERNEL_SOURCES} PROPERTIES SKIP_PRECOMPILE_HEADERS ON)
set(PDL_KERNEL_FLAGS -fno-math-errno -fno-trapping-math -ffp-contract=fast -Wno-psabi)
if(CMAKE_CXX_FLAGS MATCHES "-fsanitize=")
  list(PREPEND PDL_KERNEL_FLAGS -fexpensive-optimizations)  # fuses multiplications and additions
else()
  list(PREPEND PDL_KERNEL_FLAGS -O3)
endif()
set_source_files_properties(src/kernels/cpu/portable.cpp PROPERTIES COMPILE_OPTIONS "${PDL_KERNEL_FLAGS}")
set_source_files_properties(src/kernels/cpu/avx2.cpp PROPERTIES COMPILE_OPTIONS "${PDL_KERNEL_FLAGS};-mavx2;-mfma")
set(PDL_AVX512_FLAGS -mavx512f -mavx512bw -mavx512dq -mavx512vl -mfma -mprefer-vector-width=512)
set_source_files_properties(src/kernels/cpu/avx512.cpp PROPERTIES COMPILE_OPTIONS "${PDL_KERNEL_FLAGS};${PDL_AVX512_FLAGS}")
set_source_files_properties(src/kernels/cpu/avx512_bf16.cpp PROPERTIES COMPILE_OPTIONS
  "${PDL_KERNEL_FLAGS};${PDL_AVX512_FLAGS};-mavx512bf16")
set_source_files_properties(src/kernels/cpu/amx.cpp PROPERTIES COMPILE_OPTIONS
  "${PDL_KERNEL_FLAGS};${PDL_AVX512_FLAGS};-mavx512bf16;-mamx-tile;-mamx-bf16")

include(cmake/cuda_kernels.cmake)

if(NOT PDL_BUILD_TORCH)
  return()
endif()

if(PDL_CUDA_KERNELS AND TARGET torch_cuda)
  list(REMOVE_ITEM PDL_CORE_SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/src/ops/cross_entropy_without_cuda.cpp)
else()
  list(REMOVE_ITEM PDL_CORE_SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/src/ops/cross_entropy_cuda.cpp)
endif()

# The hash is read at each build, so that --version never names another commit.
add_custom_target(git_hash
  COMMAND ${CMAKE_COMMAND} -DSOURCE_DIR=${CMAKE_SOURCE_DIR}
          -DOUTPUT=${CMAKE_BINARY_DIR}/generated/git_hash.h -P ${CMAKE_SOURCE_DIR}/cmake/git_hash.cmake
  BYPRODUCTS ${CMAKE_BINARY_DIR}/generated/git_hash.h
  VERBATIM)

add_library(pdl_core STATIC ${PDL_CORE_SOURCES})
add_dependencies(pdl_core git_hash)
set_source_files_properties(src/run/versions.cpp PROPERTIES INCLUDE_DIRECTORIES ${CMAKE_BINARY_DIR}/generated
  COMPILE_DEFINITIONS "PDL_VERSION=\"${PROJECT_VERSION}\";PDL_SENTENCEPIECE_VERSION=\"${SENTENCEPIECE_VERSION}\"")
target_compile_options(pdl_core PRIVATE ${PDL_WARNINGS} -fopenmp)
pdl_precompile(pdl_core <ATen/core/Tensor.h> ${PDL_PRECOMPILED})
# pdl_base, and with it SentencePiece and libstdc++, must come before torch: tests/integration/link_order_test.py says why.
target_link_libraries(pdl_core PUBLIC pdl_base torch PRIVATE ${PDL_OPENMP_LIBRARY} nlohmann_json::nlohmann_json)

if(PDL_CUDA_KERNELS AND TARGET torch_cuda)
  target_link_libraries(pdl_core PRIVATE pdl_cuda_kernels)
elseif(PDL_CUDA_KERNELS)
  # A LibTorch without CUDA lacks only one header that this file needs, which is generated here. So
  # the file is at least compiled wherever there is a toolkit.
  file(WRITE ${CMAKE_BINARY_DIR}/generated/c10/cuda/impl/cuda_cmake_macros.h
    "#pragma once\n#define C10_CUDA_BUILD_SHARED_LIBS\n")
  add_library(pdl_cuda_compiled OBJECT src/ops/cross_entropy_cuda.cpp)
  target_include_directories(pdl_cuda_compiled SYSTEM PRIVATE ${CMAKE_BINARY_DIR}/generated ${CUDAToolkit_INCLUDE_DIRS})
  target_compile_options(pdl_cuda_compiled PRIVATE ${PDL_WARNINGS})
  target_link_libraries(pdl_cuda_compiled PRIVATE torch)
  target_include_directories(pdl_cuda_compiled PRIVATE include)
endif()

# All of the program but main().
file(GLOB PDL_CLI_SOURCES CONFIGURE_DEPENDS src/cli/*.cpp)
list(REMOVE_ITEM PDL_CLI_SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/src/cli/main.cpp)
add_library(pdl_cli STATIC ${PDL_CLI_SOURCES})
target_include_directories(pdl_cli PUBLIC src)
target_compile_options(pdl_cli PRIVATE ${PDL_WARNINGS})
pdl_precompile(pdl_cli ${PDL_PRECOMPILED})
target_link_libraries(pdl_cli PUBLIC pdl_core PRIVATE CLI11::CLI11 nlohmann_json::nlohmann_json)

add_executable(pdl-train src/cli/main.cpp)
target_compile_options(pdl-train PRIVATE ${PDL_WARNINGS})
target_link_libraries(pdl-train PRIVATE pdl_cli)
install(TARGETS pdl-train)
