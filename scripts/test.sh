#!/bin/bash
# Builds and runs every test: unit tests (release and with sanitizers), golden
# cases, the include table, the fuzzers for a minute each, and the differential
# tests beside buildah. The last line is `N passed, N failed[, N skipped]`. With
# CI=true a test that was skipped because it needs root or a peer counts as
# failed.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

scripts/setup.sh --peers || exit 1
results=build/test-results
rm -rf "$results"

# run PRESET: builds everything and runs ctest; the results go to
# $results/PRESET.
run() {
  echo "== $1"
  mkdir -p "$results/$1/gtest"
  if ! { cmake --preset "$1" >/dev/null && cmake --build --preset "$1"; }; then
    echo "build of $1: 0 passed, 1 failed" | tee "$results/$1/build.txt"
    return
  fi
  GTEST_OUTPUT="xml:$PWD/$results/$1/gtest/" ctest --test-dir "build/$1" --parallel 2 \
    --output-on-failure --timeout 900 \
    --output-junit "$PWD/$results/$1/ctest.xml"
}

run release
run sanitize

echo "== fuzz"
python3 tests/fuzz/run_fuzzers.py build/sanitize/tests/fuzz 2>&1 | tee "$results/fuzz.txt"
grep -qE '[0-9]+ passed' "$results/fuzz.txt" || echo "0 passed, 1 failed" >> "$results/fuzz.txt"

echo "== differential"
compare=../shared/tools/compare_images.py
differential=$results/differential.txt
if [ ! -f "$compare" ]; then
  echo "skipped: $compare is not there"
  echo "0 passed, 0 failed, 1 skipped" > "$differential"
elif [ "$(id -u)" != 0 ]; then
  echo "skipped: needs root"
  echo "0 passed, 0 failed, 1 skipped: needs root" > "$differential"
else
  python3 tests/differential/run_differential.py build/release/lamina \
    "$compare" 2>&1 | tee "$differential"
  grep -qE '[0-9]+ passed' "$differential" ||
    echo "0 passed, 1 failed" >> "$differential"
fi

echo
python3 scripts/count_tests.py "$results"
