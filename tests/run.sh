#!/bin/bash
# Runs the golden cases and the include table with the release build.
# usage: tests/run.sh [--update] [FILE.golden...]
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

python3 tests/include_test.py || exit 1
python3 tests/golden/run_golden.py build/release/lamina "$@"
