#!/usr/bin/env bash
# Installs what is missing, builds and runs every test: first the library and the program, then
# everything without LibTorch again under AddressSanitizer and UndefinedBehaviorSanitizer together.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/setup.sh
install_debian_packages
find_libtorch
install_python_packages numpy sentencepiece tensorboard jsonschema tokenizers transformers peft \
  nltk sacrebleu lexicalrichness

configure_and_build asan
ctest --preset asan --parallel "$(nproc)"
configure_and_build dev
ctest --preset dev --parallel "$(nproc)"
