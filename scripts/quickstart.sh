#!/usr/bin/env bash
# Installs what is missing, builds the program, makes an example job in demo/ and trains it.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/setup.sh
install_debian_packages
find_libtorch

configure_and_build release
[ -e demo/run.json ] || build/release/pdl-train init demo
build/release/pdl-train --config demo/run.json
echo "the trained model is demo/run/model.pt; the program is build/release/pdl-train"
