#!/usr/bin/env bash
# Installs what is missing, builds, and runs all tests: `tests/run.sh [PRESET]`. Fails when anything fails.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
preset=${1:-release}
jobs/setup.sh "$preset"
[[ $(id -u) -ne 0 ]] || export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
ctest --preset "$preset" --parallel "$(nproc)"
