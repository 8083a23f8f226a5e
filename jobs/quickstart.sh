#!/usr/bin/env bash
# From nothing to an answer on real data: installs, builds, trains a target on a known share of Fashion-MNIST samples,
# and asks what share it was. Run again, it only repeats what is missing; `--overwrite` repeats the job.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
jobs/setup.sh release
assay=build/release/assay
source_folder=/usr/share/datasets/fashion-mnist

mkdir -p data
for part in train t10k; do
  data_set=data/fashion-mnist-${part/t10k/test}.h5
  [[ -e $data_set ]] || "$assay" import "$source_folder/$part-images-idx3-ubyte.gz" -o "$data_set"
done

ranks=$(nproc)
((ranks <= 4)) || ranks=4
[[ $(id -u) -ne 0 ]] || export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
[[ ! -t 2 ]] || export ASSAY_TERMINAL=1 # under mpirun standard error is a pipe; ranks on this host inherit this
# nproc counts hardware threads, mpirun cores: without these two options it may refuse
mpirun --oversubscribe --bind-to none -n "$ranks" "$assay" run jobs/quickstart.toml "${@:---resume}"
