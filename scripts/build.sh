#!/bin/bash
# Builds build/release/lamina from a fresh clone.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/setup.sh
cmake --preset release
cmake --build --preset release --target lamina
