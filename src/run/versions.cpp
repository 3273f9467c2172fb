#include <ATen/Context.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <torch/version.h>

#include "git_hash.h"
#include "pdl/run/versions.h"

namespace pdl {
namespace {

std::string cuda_version() {
  if (!at::hasCUDA()) return "none";
  const auto version = at::detail::getCUDAHooks().versionCUDART();
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

}  // namespace

std::vector<std::pair<std::string, std::string>> component_versions() {
  return {{"pdl-train", PDL_VERSION},
          {"LibTorch", TORCH_VERSION},
          {"CUDA", cuda_version()},
          {"SentencePiece", PDL_SENTENCEPIECE_VERSION}};
}

std::string git_hash() { return PDL_GIT_HASH; }

}  // namespace pdl
