#!/usr/bin/env bash
# Installs what is missing, builds, and runs all tests: `tests/run.sh [PRESET]`. Fails when anything fails.
# As root also under a Slurm of its own and on two hosts made of network namespaces; it says so if it cannot.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
preset=${1:-release}
cluster=()
[[ $(id -u) -ne 0 ]] || cluster=(cluster)
jobs/setup.sh "$preset" "${cluster[@]}"
for fixture in slurm hosts; do /usr/bin/python3 "tests/program/${fixture}_fixture.py"; done
[[ $(id -u) -ne 0 ]] || export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
ctest --preset "$preset" --parallel "$(nproc)"
