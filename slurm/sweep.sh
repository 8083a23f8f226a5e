#!/usr/bin/env bash
# Submits a sweep: a job array with one task per line of CELLS, and after it a job that makes a table of all.
#   slurm/sweep.sh JOB.toml CELLS FOLDER [sbatch options, e.g. --ntasks=4 --time=0:30:00]
# A line of CELLS holds options of `assay run`: --set job.seed=11 --set model.train.usage_fraction=0.25
# Task N runs line N (from 0) and writes to FOLDER/N. Called again with the same arguments it does what is missing.
#   ASSAY_SUBMIT   the script of each cell         slurm/submit.sbatch
#   ASSAY_AT_ONCE  how many cells may run at once  20
set -euo pipefail
(($# >= 3)) || { echo "usage: slurm/sweep.sh JOB.toml CELLS FOLDER [sbatch options]" >&2 && exit 64; }
job=$1 folder=$3
cells=$(grep . "$2") || { echo "$2: no cells (missing or empty). Write one line of options per cell" >&2 && exit 64; }
shift 3
here=$(dirname "${BASH_SOURCE[0]}")

mkdir -p "$folder"
echo "$cells" >"$folder/cells.txt" # what the folder's numbers mean, and what the tasks read
count=$(wc -l <"$folder/cells.txt")
export ASSAY_CELLS=$folder/cells.txt ASSAY_FOLDER=$folder

array=$(sbatch --parsable --job-name=assay-sweep --array="0-$((count - 1))%${ASSAY_AT_ONCE:-20}" \
  --output="$folder/%a.log" "$@" "${ASSAY_SUBMIT:-$here/submit.sbatch}" "$job")
array=${array%%;*} # without the cluster's name
# afterany, not afterok: cells that failed are named under the table instead of keeping it from being made
table=$(sbatch --parsable --dependency="afterany:$array" --output="$folder/table.md" \
  "$here/table.sbatch" "$folder" "$count")
echo "job $array runs $count cells, then job ${table%%;*} writes $folder/table.md"
