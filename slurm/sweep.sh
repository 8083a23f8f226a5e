#!/usr/bin/env bash
# Submits a sweep: a job array with one task per cell of the job file's [sweep], and after it a job that makes the table.
#   slurm/sweep.sh JOB.toml FOLDER [sbatch options, e.g. --ntasks=4 --time=0:30:00]
# Task N runs cell N and writes to FOLDER/cell-N. Called again with the same arguments it does what is missing.
#   ASSAY          the program                      build/release/assay
#   ASSAY_SUBMIT   the script of each cell          slurm/submit.sbatch
#   ASSAY_AT_ONCE  how many cells may run at once   20
set -euo pipefail
(($# >= 2)) || { echo "usage: slurm/sweep.sh JOB.toml FOLDER [sbatch options]" >&2 && exit 64; }
job=$1 folder=$2
shift 2
here=$(dirname "${BASH_SOURCE[0]}")

cells=$("${ASSAY:-build/release/assay}" sweep "$job" --list) # what is wrong with any cell is found here
count=$(wc -l <<<"$cells")
mkdir -p "$folder"
array=$(sbatch --parsable --job-name=assay-sweep --array="0-$((count - 1))%${ASSAY_AT_ONCE:-20}" \
  --output="$folder/%a.log" "$@" "${ASSAY_SUBMIT:-$here/submit.sbatch}" "$job" --output "$folder")
array=${array%%;*} # without the cluster's name
# afterany, not afterok: cells that failed are named under the table instead of keeping it from being made
table=$(sbatch --parsable --dependency="afterany:$array" --output="$folder/table.md" "$here/table.sbatch" "$job" "$folder")
echo "job $array runs $count cells, then job ${table%%;*} writes $folder/table.md and $folder/sweep.h5"
