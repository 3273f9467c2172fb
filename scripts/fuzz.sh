#!/usr/bin/env bash
# Runs the fuzz targets of tests/fuzz: fuzz.sh [SECONDS] [TARGET…], by default 60 seconds each and all of them. Installs
# what is missing and builds. Inputs that reach new code are kept in build/fuzz/corpus, for the next run. Ends at the
# first finding: an input that ends the process, leaks, takes more than 5 seconds or too much memory.
set -euo pipefail
cd "$(dirname "$0")/.."

if [[ "${1-60}" =~ ^[1-9][0-9]*$ ]]; then
  seconds=${1-60}
  [ $# -gt 0 ] && shift
else
  echo "usage: scripts/fuzz.sh [SECONDS] [TARGET…]" >&2
  exit 2
fi

source scripts/setup.sh
DEBIAN_PACKAGES+=(clang-14 libclang-rt-14-dev)
install_debian_packages
configure_and_build fuzz

targets=("$@")
if [ ${#targets[@]} -eq 0 ]; then
  for source in tests/fuzz/*_fuzz.cpp; do
    targets+=("$(basename "$source" _fuzz.cpp)")
  done
fi

work=build/fuzz
limits=(-timeout=5 -rss_limit_mb=512 -malloc_limit_mb=256)
# The limit includes freed memory that is kept to find later use.
export ASAN_OPTIONS=quarantine_size_mb=16
# Also holds libFuzzer's files for the processes in which a tokenizer is tried, which may crash.
export TMPDIR=$work/tmp
mkdir -p "$work/findings"

# fuzz TARGET LOG: false if there was a finding.
fuzz() {
  local dictionary=()
  [ -f "tests/fuzz/$1.dict" ] && dictionary=("-dict=tests/fuzz/$1.dict")
  mkdir -p "$work/corpus/$1"
  "$work/tests/fuzz/fuzz_$1" "$work/corpus/$1" "tests/fuzz/corpus/$1" "${limits[@]}" "${dictionary[@]}" \
    -max_total_time="$seconds" -max_len=16384 -print_final_stats=1 "-artifact_prefix=$TMPDIR/$1-" >"$2" 2>&1
}

# The input that ended the run of LOG; none if the program did not reach its inputs.
input_of() {
  sed -n 's/.*Test unit written to //p' "$1" | tail -1
}

# was_suspended TARGET LOG: whether an input only seemed slow, because the machine was suspended
# meanwhile.
was_suspended() {
  local input
  input=$(input_of "$2")
  [[ "$input" == */"$1"-timeout-* ]] && "$work/tests/fuzz/fuzz_$1" "${limits[@]}" "$input" >/dev/null 2>&1
}

# report_finding TARGET LOG: prints what the program said and the command that shows it again.
report_finding() {
  local input
  input=$(input_of "$2")
  grep -v '^#[0-9]*[[:space:]]' "$2" | tail -60 >&2
  [ -n "$input" ] || fail "$1: the program failed; its output is $2"
  mv "$input" "$work/findings"
  fail "$1: a finding. Replay: ASAN_OPTIONS=$ASAN_OPTIONS $work/tests/fuzz/fuzz_$1 ${limits[*]}" \
    "$work/findings/$(basename "$input")"
}

table=$(printf '%-16s %12s %9s %8s' target executions coverage seconds)
for target in "${targets[@]}"; do
  [ -x "$work/tests/fuzz/fuzz_$target" ] || fail "there is no target $target"
  log=$work/$target.log
  rm -rf "$TMPDIR"
  mkdir -p "$TMPDIR"
  echo "fuzzing $target for $seconds s"
  until fuzz "$target" "$log"; do
    was_suspended "$target" "$log" || report_finding "$target" "$log"
  done
  executions=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
  coverage=$(grep -o 'cov: [0-9]*' "$log" | tail -1 | cut -d' ' -f2)
  spent=$(sed -n 's/^Done [0-9]* runs in \([0-9]*\) second.*/\1/p' "$log")
  table+=$(printf '\n%-16s %12s %9s %8s' "$target" "$executions" "$coverage" "$spent")
done
echo "$table"
