#!/usr/bin/env bash
# Runs one usage job over usage fractions and seeds, then prints a table of errors and coverage against the truth:
#   jobs/usage/grid.sh JOB.toml FOLDER "SEED ..." [--set section.key=value ...]
# One process per core, each on its own cell; finished cells are kept, so that it can be stopped and started again.
set -euo pipefail
job=$1 folder=$2 seeds=$3
shift 3
[[ $(id -u) -ne 0 ]] || export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
mkdir -p "$folder"
run_cell() { # [--set ...] FRACTION SEED
  local fraction=${*: -2:1} seed=${*: -1}
  local cell=$folder/$fraction-$seed
  /tmp/w/assay_grid run "$job" --output "$cell" --resume --set "job.seed=$seed" \
    --set "model.train.usage_fraction=$fraction" "${@:1:$#-2}" >"$cell.log" 2>&1 ||
    { echo "$cell failed:" && tail -n 3 "$cell.log" && exit 255; }
}
export -f run_cell
export job folder
for seed in $seeds; do for fraction in 0 0.25 0.5 0.75 1; do echo "$fraction $seed"; done; done |
  xargs -P "$(nproc)" -L 1 bash -c 'run_cell "$@"' - "$@"
/usr/bin/python3 "$(dirname "${BASH_SOURCE[0]}")/table.py" "$folder"
