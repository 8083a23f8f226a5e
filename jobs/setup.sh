#!/usr/bin/env bash
# Installs what is missing and builds: `jobs/setup.sh [PRESET]` (CMakePresets.json). Debian 12, root or sudo.
# `jobs/setup.sh PRESET cluster` also installs what the tests under a real Slurm and on two hosts need.
# Both commands of the README begin with this, so this is the one list of packages.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
preset=${1:-release}

packages=(
  build-essential cmake ninja-build git                    # build
  libopenmpi-dev openmpi-bin libhdf5-openmpi-dev           # ranks and parallel files
  libtorch-dev libopenblas0-openmp                         # tensors; BLAS that obeys torch's thread count
  libfaiss-dev                                             # approximate search
  libboost-dev libboost-serialization-dev                  # messages between ranks, distributions
  libspdlog-dev libfmt-dev libcli11-dev libtomlplusplus-dev nlohmann-json3-dev
  zlib1g-dev libstb-dev libturbojpeg0-dev libssl-dev       # compressed input, images, SHA-256
  libgtest-dev libgmock-dev libbenchmark-dev clang-format  # tests and benchmarks
  hdf5-tools python3-numpy python3-h5py python3-pandas python3-torch  # tests read results as users do
  dataset-fashion-mnist                                    # real data
)
cluster_packages=(slurmctld slurmd slurm-client munge iproute2)
[[ ${2:-} != cluster ]] || packages+=("${cluster_packages[@]}")
[[ $preset != fuzz ]] || packages+=(clang libclang-rt-dev)  # libFuzzer
missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
if ((${#missing[@]})); then
  as_root=()
  [[ $(id -u) -eq 0 ]] || as_root=(sudo)
  echo "installing: ${missing[*]}"
  "${as_root[@]}" apt-get update -qq
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi

mkdir -p build
cmake --preset "$preset" >"build/configure-$preset.log" 2>&1 || {
  cat "build/configure-$preset.log"
  exit 1
}
cmake --build --preset "$preset"
