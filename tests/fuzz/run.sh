#!/usr/bin/env bash
# Fuzzes each input layer: `tests/fuzz/run.sh [SECONDS] [TARGET...]`, 600 s and all of them by default, two at a
# time. One line each at the end; fails if there is a finding. Inputs found on the way stay in build/fuzz/corpus, findings
# in build/fuzz/findings: mend the code, then keep the input as tests/fuzz/seeds/TARGET/finding-WHAT.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
seconds=${1:-600}
shift || true
jobs/setup.sh fuzz >/dev/null
targets=("$@")
((${#targets[@]})) || targets=($(cd tests/fuzz && ls -- *_fuzz.cpp | sed 's/_fuzz.cpp//'))

# What assay promises for any input: no crash or finding, at most 5 s (an uninstrumented build is several times
# faster) and 1 GiB. libhdf5 is not instrumented, hence no container checks, and keeps free lists that look like leaks
# after each input; leaks are looked for by the replay in the preset `sanitize`
fuzz_one() {
  local target=$1 seconds=$2 code=0
  local log=build/fuzz/log/$target.log
  mkdir -p build/fuzz/{log,findings} "build/fuzz/corpus/$target"
  "build/fuzz/tests/fuzz/fuzz_$target" -max_total_time="$seconds" -timeout=5 -rss_limit_mb=2048 -malloc_limit_mb=1024 \
    -max_len=2048 -print_final_stats=1 -detect_leaks=0 -artifact_prefix="build/fuzz/findings/$target-" \
    "build/fuzz/corpus/$target" "tests/fuzz/seeds/$target" >"$log" 2>&1 || code=$?
  local last
  last=$(grep -E '^(Done [0-9]+ runs|SUMMARY|FINDING)' "$log" | tail -1)
  echo "$target: ${last:-no last line, see $log} ($(grep -oE 'cov: [0-9]+ ft: [0-9]+' "$log" | tail -1)," \
    "$(grep -oE 'peak_rss_mb: +[0-9]+' "$log" | tr -s ' ')), exit $code"
  return "$code"
}
export -f fuzz_one
export ASAN_OPTIONS=detect_container_overflow=0 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
export TMPDIR=${TMPDIR:-/dev/shm}
printf '%s\n' "${targets[@]}" | xargs -P 2 -I{} bash -c "fuzz_one {} $seconds"
