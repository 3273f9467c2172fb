#!/usr/bin/env bash
# Builds the program and runs the reliability tests in full, one after the other: kills, failing storage, power cuts,
# damage and signals; about an hour on two cores. Prints a table of what was counted at the end; exits 1 if anything
# failed. Options, such as --seed N, go to every test.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/setup.sh
configure_and_build dev

python=.venv/bin/python
[ -x "$python" ] || python=python3
injector=$(echo build/dev/tests/libfault_injector.*)
counts=$(mktemp)
trap 'rm -f "$counts"' EXIT
status=0
for test in tests/reliability/*_test.py; do
  begin=$SECONDS
  "$python" "$test" --full --binary build/dev/pdl-train --injector "$injector" "$@" | tee -a "$counts" || status=1
  echo "$test took $((SECONDS - begin)) s" >&2
done

echo
build/dev/pdl-train --version | head -1
awk -F '\t' '
  $1 == "count" && $4 == 0 { printf "%8d           %s\n", $3, $2 }
  $1 == "count" && $4 > 0 { printf "%8d %3d FAILED %s\n", $3, $4, $2 }
' "$counts"
exit "$status"
