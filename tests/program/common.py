"""What the whole-program tests share: small data sets, a job, the real binary under the real launcher, h5diff."""
import argparse
import hashlib
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

import h5py
import numpy as np

ENVIRONMENT = {**os.environ, "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
               "OMP_NUM_THREADS": "1", "ASSAY_LOG": "info"}
# Everything that must not depend on ranks or interruptions; the root's attributes name the run
GROUPS = ("/samples", "/signals", "/metrics", "/truth", "/ledger", "/references", "/redrawn", "/redrawn_2")
options = None


def write_data_set(path, n, seed, side=8, classes=4):
    """Noisy class patterns, uint8 [n, 1, side, side]."""
    random = np.random.default_rng(seed)
    patterns = np.random.default_rng(0).integers(0, 256, (classes, 1, side, side))
    labels = random.integers(0, classes, n)
    noise = random.normal(0, 90, (n, 1, side, side))
    with h5py.File(path, "w") as file:
        file["samples"] = np.clip(patterns[labels] + noise, 0, 255).astype("uint8")
        file["samples"].attrs["layout"] = "NCHW"
        file["labels"] = labels.astype("int64")
        file["ids"] = (np.arange(n) * 7 + 3).astype("uint64")


JOB = """
[job]
name = "small"
seed = 5
[dataset]
suspects = "{folder}/a.h5"
suspect_count = 400
held_out = "{folder}/b.h5"
held_out_count = 300
label_noise = 0.3
[model.train]
network = "cnn"
width = 4
usage_fraction = 0.5
filler = "{folder}/a.h5"
set_size = 400
epochs = 6
batch_size = 40
micro_batch = 8
checkpoint_every = 2
[compute]
batch_size = 16
shard_size = 48
[output]
commit_seconds = 0.0
[usage]
augmentations = 3
bootstrap = 60
"""


def make_job(folder):
    """Two data sets and a job that trains on one of them; returns the job file's path."""
    folder = pathlib.Path(folder)
    write_data_set(folder / "a.h5", 700, seed=1)
    write_data_set(folder / "b.h5", 320, seed=2)
    (folder / "job.toml").write_text(JOB.format(folder=folder))
    return folder / "job.toml"


def command(arguments, ranks=0):
    launcher = [options.mpirun, "--oversubscribe", "--bind-to", "none", "-n", str(ranks)] if ranks else []
    return launcher + [options.assay] + [str(a) for a in arguments]


def assay(*arguments, ranks=0, code=0, timeout=300):
    """Runs assay (under mpirun for ranks > 0) and returns the finished process; its exit code must be `code`."""
    done = subprocess.run(command(arguments, ranks), env=ENVIRONMENT, timeout=timeout, text=True,
                          capture_output=True)
    assert done.returncode == code, f"{arguments}: exit {done.returncode}, not {code}\n{done.stdout}{done.stderr}"
    return done


def differences(a, b, groups=GROUPS):
    """What h5diff finds between two results files, groups that neither has left out."""
    found = ""
    for group in groups + (("/held_out",) if "held_out" in h5py.File(a, "r") else ("/partners", "/partners_2", "/partners_3", "/partners_4")):
        with h5py.File(a, "r") as fa, h5py.File(b, "r") as fb:
            if group not in fa and group not in fb:
                continue
        found += compare_group(a, b, group)
    return found


def compare_group(a, b, group):
    """What h5diff finds in one group."""
    # -c would list incomparable objects; NaN equals NaN by default in h5diff 1.10
    done = subprocess.run(["h5diff", "-v", str(a), str(b), group], text=True, capture_output=True)
    return "" if done.returncode == 0 else f"{group}: exit {done.returncode}\n{done.stdout[-2000:]}{done.stderr}"


def children(pid):
    """Processes whose parent is `pid`."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if int(entry.joinpath("stat").read_text().rsplit(")", 1)[1].split()[1]) == pid:
                    found.append(int(entry.name))
            except (FileNotFoundError, ProcessLookupError):
                pass  # gone meanwhile
    return found


def digest(path):
    """One hash of every dataset's bytes and every attribute of a results file; the root's attributes name the run."""
    found = hashlib.sha256()

    def add(name, thing):
        found.update(name.encode())
        if isinstance(thing, h5py.Dataset):
            found.update(f"{thing.dtype}{thing.shape}".encode() + thing[()].tobytes())
        for key in sorted(thing.attrs):
            found.update(key.encode() + np.asarray(thing.attrs[key]).tobytes())

    with h5py.File(path) as file:
        file.visititems(add)
    return found.hexdigest()


class ProgramTest(unittest.TestCase):
    def setUp(self):
        self.scratch = tempfile.TemporaryDirectory(prefix="assay-test-")
        self.addCleanup(self.scratch.cleanup)  # after whatever a test cleans up
        self.folder = pathlib.Path(self.scratch.name)


def main():
    global options
    parser = argparse.ArgumentParser()
    parser.add_argument("--assay", required=True)
    parser.add_argument("--mpirun", required=True)
    parser.add_argument("--time-limit", action="store_true", help="slurm_test waits for a real time limit, too")
    options, rest = parser.parse_known_args()
    options.assay = os.path.abspath(options.assay)
    sys.modules["common"] = sys.modules[__name__]
    unittest.main(module="__main__", argv=[sys.argv[0]] + rest, verbosity=2)
