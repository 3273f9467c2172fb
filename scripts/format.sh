#!/usr/bin/env bash
# Formats the C++ sources in place. With --check it changes nothing and fails if a file would
# change.
set -euo pipefail
cd "$(dirname "$0")/.."

case "${1-}" in
  "") options=(-i) ;;
  --check) options=(--dry-run --Werror) ;;
  *)
    echo "usage: scripts/format.sh [--check]" >&2
    exit 2
    ;;
esac
command -v clang-format >/dev/null || {
  echo "error: clang-format is missing; install the Debian package clang-format" >&2
  exit 1
}
find include src tests bench \( -name .venv -prune \) -o -type f \( -name '*.h' -o -name '*.c' -o -name '*.cpp' -o -name '*.inc' -o -name '*.cu' -o -name '*.cuh' \) -print0 | xargs -0 clang-format "${options[@]}"
