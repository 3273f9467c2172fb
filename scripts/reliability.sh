#!/usr/bin/env bash
# Builds the program and runs the reliability tests in full, one after the other: kills, failing storage, power cuts,
# damage and signals, and bad input; about 50 to 70 minutes on two cores. Prints a table of what was counted at the end; exits 1
# if anything failed. Options, such as --seed N, go to the tests of tests/reliability.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/setup.sh
install_debian_packages
find_libtorch
configure_and_build dev

python=.venv/bin/python
[ -x "$python" ] || python=python3
injector=$(echo build/dev/tests/libfault_injector.*)
counts=$(mktemp)
trap 'rm -f "$counts"' EXIT
status=0
# run TEST OPTION…
run() {
  local begin=$SECONDS
  "$python" "$1" --full --binary build/dev/pdl-train "${@:2}" | tee -a "$counts" || status=1
  echo "$1 took $((SECONDS - begin)) s" >&2
}
for test in tests/reliability/*_test.py; do
  run "$test" --injector "$injector" "$@"
done
for test in kill resume_every_step signal storage_error; do
  run "tests/reliability/${test}_test.py" --native --injector "$injector" "$@"
done
run tests/input/bad_input_test.py --starter build/dev/tests/pdl_starter

echo
build/dev/pdl-train --version | head -1
awk -F '\t' '
  $1 == "count" && $4 == 0 { printf "%8d           %s\n", $3, $2 }
  $1 == "count" && $4 > 0 { printf "%8d %3d FAILED %s\n", $3, $4, $2 }
' "$counts"
exit "$status"
