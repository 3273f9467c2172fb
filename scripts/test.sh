#!/usr/bin/env bash
# Installs what is missing, builds and runs every test: the library and the program, then what needs no LibTorch once
# more under AddressSanitizer and UndefinedBehaviorSanitizer.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/setup.sh
install_python_packages numpy sentencepiece tensorboard jsonschema transformers

for preset in asan ubsan; do
  configure_and_build "$preset"
  ctest --preset "$preset" --parallel "$(nproc)"
done
configure_and_build dev
ctest --preset dev --parallel "$(nproc)"
