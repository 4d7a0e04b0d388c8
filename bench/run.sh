#!/usr/bin/env bash
# Installs the peers, builds the release preset and measures.
set -euo pipefail
cd "$(dirname "$0")/.."
./scripts/build.sh
./scripts/setup.sh --peers
exec python3 bench/run_bench.py build/release/lamina --markdown "$@"
