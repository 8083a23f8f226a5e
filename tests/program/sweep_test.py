"""A grid of jobs on groups of ranks: each cell as if it had run alone, whatever happens to the others."""
import os
import pathlib
import signal
import subprocess
import tempfile
import time

import h5py
import numpy as np

import common

GRID = """
[sweep.grid]
"model.train.usage_fraction" = [0.25, 0.75]
"job.seed" = [5, 6]
"""
RETRAIN = """
[job]
kind = "generate"
name = "retrain"
[dataset]
training = "{folder}/a.h5"
share = 0.5
[generator]
network = "vae"
width = 8
epochs = 1
batch_size = 40
micro_batch = 8
[generate]
count = 0
score = "{folder}/b.h5"
score_draws = 2
[sweep.grid]
"dataset.subset" = [0, 1, 2, 3]
"""
CELLS = [(p, seed) for p in (0.25, 0.75) for seed in (5, 6)]
# Long enough to be hit
SLOW = ("--set", "usage.augmentations=48", "--set", "compute.shard_size=16", "--set", "model.train.epochs=10")


def name(cell):
    return f"cell-{cell:04}"


class Sweep(common.ProgramTest):
    @classmethod
    def setUpClass(cls):
        shared = tempfile.TemporaryDirectory(prefix="assay-test-")
        cls.addClassCleanup(shared.cleanup)
        cls.shared = pathlib.Path(shared.name)
        cls.single = common.make_job(cls.shared)
        cls.alone = {}

    def setUp(self):
        super().setUp()
        self.job = self.with_sweep(GRID)
        self.out = self.folder / "out"

    def with_sweep(self, text, file="sweep.toml"):
        path = self.folder / file
        path.write_text(self.single.read_text() + text)
        return path

    def sweep(self, *arguments, output=None, **options):
        return common.assay("sweep", self.job, "--output", output or self.out, *arguments, **options)

    def run_alone(self, *sets):
        """Folders of the cells' jobs, run one by one without a sweep; once for all tests."""
        if sets not in self.alone:
            folders = [self.shared / f"alone{len(self.alone)}-{cell}" for cell in range(len(CELLS))]
            for folder, (p, seed) in zip(folders, CELLS):
                common.assay("run", self.single, "--output", folder, "--set", f"model.train.usage_fraction={p}",
                             "--set", f"job.seed={seed}", *sets)
            self.alone[sets] = folders
        return self.alone[sets]

    def check_cells(self, alone, output=None):
        for cell, folder in enumerate(alone):
            found = (output or self.out) / name(cell)
            self.assertEqual(common.digest(folder / "results.h5"), common.digest(found / "results.h5"), name(cell))
            self.assertEqual((folder / "summary.json").read_bytes(), (found / "summary.json").read_bytes())

    def start(self, ranks, *arguments):
        return subprocess.Popen(common.command(["sweep", self.job, "--output", self.out, *SLOW, *arguments], ranks),
                                env=common.ENVIRONMENT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def wait_for(self, process, condition):
        while process.poll() is None and not condition():
            time.sleep(0.005)

    # --- Undisturbed ---------------------------------------------------------------------------------------------

    def test_cells_are_what_they_are_alone_on_any_number_of_ranks(self):
        alone = self.run_alone()
        tables, files = set(), set()
        for ranks, per_cell in ((0, 1), (3, 1), (4, 2), (2, 4)):
            output = self.folder / f"{ranks}-{per_cell}"
            done = self.sweep("--set", f"sweep.ranks_per_cell={per_cell}", output=output, ranks=ranks)
            self.check_cells(alone, output)
            tables.add(done.stdout.replace(str(output), ""))
            files.add((output / "sweep.h5").read_bytes())
            with h5py.File(output / "cell-0003/results.h5") as file:
                groups = min(4, max(1, ranks // per_cell))
                mine = [rank for rank in range(ranks) if rank * groups // ranks == 3 % groups]
                self.assertEqual(file.attrs["mpi_size"], max(1, len(mine)))
        self.assertEqual((len(tables), len(files)), (1, 1))

    def test_table_and_file_hold_what_the_cells_found(self):
        done = self.sweep(ranks=2)
        lines = done.stdout.splitlines()
        self.assertEqual(lines[-1], "answer: 4 of 4 cells are complete")
        self.assertIn(f"results: {self.out}/sweep.h5", lines)
        with h5py.File(self.out / "sweep.h5") as file:
            self.assertEqual(file["axes/model.train.usage_fraction"][:].tolist(), [p for p, _ in CELLS])
            self.assertEqual(file["axes/job.seed"][:].tolist(), [seed for _, seed in CELLS])
            self.assertEqual(file["axes/job.seed"].dtype, np.int64)
            self.assertEqual(file["cells/folder"][:].tolist(), [name(c).encode() for c in range(4)])
            self.assertEqual(file["cells/complete"][:].tolist(), [1] * 4)
            self.assertEqual(file["truth/fraction"][:].tolist(), [p for p, _ in CELLS])
            for cell in range(4):
                with h5py.File(self.out / name(cell) / "results.h5") as results:
                    for key, value in results["metrics/usage"].attrs.items():
                        found = file["metrics/usage"][key][cell]
                        if isinstance(value, bytes):
                            self.assertEqual(found, value.rstrip(b"\0"))
                        else:
                            np.testing.assert_array_equal(found, value)  # NaN equals NaN
        self.assertIn("| cell-0002 | 0.75 | 5 | ", done.stdout)
        self.assertRegex(done.stdout, r"(?m)^\| 0\.25 \| 2 \| ")  # per value of the slowest axis
        self.assertRegex(done.stdout, r"(?m)^\| all \| 4 \| ")
        # Cells speak in the log, with their names, and nowhere else
        self.assertNotIn("This rests on", done.stdout)
        for cell in range(4):
            self.assertRegex(done.stderr, rf"\[{name(cell)}\] answer: ")

    def test_axes_of_text_and_lists(self):
        self.job = self.with_sweep('[sweep.grid]\n"usage.signals" = [["loss"], ["loss", "margin"]]\n'
                                   f'"dataset.held_out" = ["{self.shared}/b.h5", ""]\n')
        self.sweep("--set", "model.train.epochs=1")
        with h5py.File(self.out / "sweep.h5") as file:
            self.assertEqual(file["axes/usage.signals"][3], b"['loss', 'margin']")
            self.assertEqual(file["axes/dataset.held_out"][:].tolist(), [f"{self.shared}/b.h5".encode(), b""] * 2)

    def test_retrained_generators_score_a_valuation(self):
        self.job = self.folder / "retrain.toml"
        self.job.write_text(RETRAIN.format(folder=self.shared))
        done = self.sweep(ranks=2)
        self.assertIn("| cell-0003 | 3 |", done.stdout)
        with h5py.File(self.out / "lds.h5") as file:
            masks, outputs = file["masks"][:], file["outputs"][:]
            for cell in range(4):
                with h5py.File(self.out / name(cell) / "results.h5") as results:
                    np.testing.assert_array_equal(masks[cell], results["training/used"])
                    np.testing.assert_array_equal(outputs[cell], -results["scored/loss"][:].astype("float64"))
                    np.testing.assert_array_equal(file["ids"], results["training/id"])
                    np.testing.assert_array_equal(file["generated_ids"], results["scored/id"])
        self.assertEqual((masks.sum(axis=1).tolist(), masks.shape, outputs.shape), ([350] * 4, (4, 700), (4, 320)))
        self.assertEqual(len({row.tobytes() for row in masks}), 4)
        value = self.folder / "value.toml"
        value.write_text(f'[job]\nkind = "valuation"\n[dataset]\ntraining = "{self.shared}/a.h5"\n'
                         f'generated = "{self.shared}/b.h5"\n[valuation]\nk = 5\nlds = "{self.out}/lds.h5"\n')
        common.assay("run", value, "--output", self.folder / "credit")
        with h5py.File(self.folder / "credit/results.h5") as results:
            self.assertEqual(results["metrics/valuation"].attrs["lds_subsets"], 4)
            self.assertTrue(np.isfinite(results["metrics/valuation"].attrs["lds"]))

    # --- One by one, as a job array does -------------------------------------------------------------------------

    def test_single_cells_then_collect(self):
        self.sweep()
        whole = (self.out / "sweep.h5").read_bytes()
        apart = self.folder / "apart"
        listed = self.sweep("--list").stdout.splitlines()
        self.assertEqual(listed, [f"{name(c)} model.train.usage_fraction={p} job.seed={s}"
                                  for c, (p, s) in enumerate(CELLS)])
        for cell in (2, 0):
            done = self.sweep("--cell", str(cell), "--resume", output=apart, ranks=2)
            self.assertRegex(done.stdout, "(?m)^answer: ")
        self.assertFalse((apart / "sweep.h5").exists())
        done = self.sweep("--collect", output=apart, code=65)
        self.assertIn("2 of 4 cells are not complete (cell-0001, cell-0003)", done.stderr)
        with h5py.File(apart / "sweep.h5") as file:
            self.assertEqual(file["cells/complete"][:].tolist(), [1, 0, 1, 0])
            self.assertEqual(np.isnan(file["metrics/usage/auc_suspects_reference"][:]).tolist(), [False, True] * 2)
        for cell in (1, 3):
            self.sweep("--cell", str(cell), output=apart)
        done = self.sweep("--collect", output=apart)
        self.assertEqual((apart / "sweep.h5").read_bytes(), whole)
        again = self.sweep("--resume", output=apart, ranks=2)  # all complete: the table alone
        self.assertEqual(done.stdout, again.stdout)
        self.assertNotIn("[cell-", again.stderr)
        for number in ("4", "-1"):
            self.assertIn("cells 0 to 3", self.sweep("--cell", number, code=64).stderr)

    # --- Disturbed -----------------------------------------------------------------------------------------------

    def shards_done(self, cell):
        try:
            with h5py.File(self.out / name(cell) / "results.h5.partial") as file:
                return int(file["ledger/shard_done"][:].sum())
        except OSError:
            return 0

    def test_killed_and_resumed(self):
        alone = self.run_alone(*SLOW)
        first = self.out / name(0) / "results.h5"
        for moment, whom in ((lambda: self.shards_done(1) > 1, 0), (first.exists, 1)):
            process = self.start(2, "--resume")
            self.wait_for(process, moment)
            ranks = common.children(process.pid)
            os.kill(ranks[whom], signal.SIGKILL)
            process.communicate(timeout=100)
            self.assertNotEqual(process.returncode, 0)
            self.assertFalse((self.out / "sweep.h5").exists())
        before = first.stat().st_mtime_ns
        done = self.sweep("--resume", *SLOW, ranks=3)
        self.check_cells(alone)
        self.assertEqual(first.stat().st_mtime_ns, before)  # was not computed again
        self.assertNotIn("[cell-0000]", done.stderr)

    def test_stopped_and_resumed(self):
        alone = self.run_alone(*SLOW)
        process = self.start(2)
        self.wait_for(process, lambda: self.shards_done(0) > 1 and self.shards_done(1) > 1)
        process.send_signal(signal.SIGUSR1)  # the launcher tells all ranks
        out, errors = process.communicate(timeout=100)
        self.assertEqual(process.returncode, 75, errors)
        self.assertIn("the sweep stopped on a signal", errors)
        self.assertEqual(out, "")
        for cell in (0, 1):
            self.assertTrue((self.out / name(cell) / "results.h5.partial").exists())
        self.assertFalse((self.out / name(2)).exists())
        done = self.sweep("--resume", *SLOW, ranks=4)
        self.assertRegex(done.stderr, r"\[cell-0000\] resuming: \d+ of \d+ shards")
        self.check_cells(alone)

    def test_a_restart_without_progress_says_70(self):
        process = self.start(1)
        self.wait_for(process, lambda: self.shards_done(0) > 1)
        process.send_signal(signal.SIGUSR1)
        process.communicate(timeout=100)
        process = self.start(0, "--resume")
        for line in process.stderr:
            if "cells, " in line:  # is about to begin with the first
                process.send_signal(signal.SIGUSR1)
                break
        _, errors = process.communicate(timeout=100)
        # Before the cell or in it: the first has nothing to say against another try
        self.assertIn(process.returncode, (70, 75), errors)
        self.assertEqual(process.returncode == 70, "before this restart finished a shard or epoch" in errors, errors)

    def test_a_failing_cell_leaves_the_others_alone(self):
        alone = self.run_alone()
        broken = self.folder / "broken.h5"
        common.write_data_set(broken, 320, seed=2)
        with h5py.File(broken, "r+") as file:
            file["labels"][7] = -1
        self.job = self.with_sweep(f'[sweep.grid]\n"dataset.held_out" = ["{self.shared}/b.h5", "{broken}"]\n'
                                   '"model.train.usage_fraction" = [0.25, 0.75]\n')
        for ranks in (0, 3):
            output = self.folder / f"failing{ranks}"
            done = self.sweep(output=output, ranks=ranks, code=65)
            self.assertRegex(done.stderr,
                             r"assay: 2 of 4 cells failed \(cell-0002, cell-0003\)\. cell-0002: .*broken.h5")
            self.assertRegex(done.stderr, r"error \[cell-0003\] .*broken.h5")
            for cell, same in ((0, 0), (1, 2)):  # seed 5
                self.assertEqual(common.digest(alone[same] / "results.h5"),
                                 common.digest(output / name(cell) / "results.h5"))
            self.assertIn("answer: 2 of 4 cells are complete", done.stdout)
            with h5py.File(output / "sweep.h5") as file:
                self.assertEqual(file["cells/complete"][:].tolist(), [1, 1, 0, 0])
        common.write_data_set(broken, 320, seed=2)
        done = self.sweep("--resume", output=output, ranks=2)
        self.assertIn("answer: 4 of 4 cells are complete", done.stdout)

    # --- Refused before any work ---------------------------------------------------------------------------------

    def refused(self, *parts, code=64, **options):
        errors = self.sweep(code=code, **options).stderr
        lines = [line for line in errors.splitlines() if line.startswith("assay: ")]
        self.assertEqual(len(lines), 1, errors)
        for part in parts:
            self.assertIn(part, lines[0])
        self.assertFalse(self.out.exists())

    def test_bad_grids_are_refused(self):
        for grid, parts in (
                ('[sweep.grid]\n"job.seed" = [1, "x"]\n', ("cell 1 (job.seed='x')", "a whole number")),
                ('[sweep.grid]\n"job.seed" = [1, 2, 1]\n', ("cells 0 and 2", "the same job")),
                ('[sweep.grid]\n"job.sed" = [1]\n', ("unknown key job.sed",)),
                ('[sweep.grid]\n"job.seed" = []\n', ("job.seed", "one value or more")),
                ('[sweep.gird]\n"job.seed" = [1]\n', ("unknown key sweep.gird",)),
                ('[sweep.grid]\n"compute.threads" = [1, 2]\n', ("compute.threads", "same for all cells")),
                ('[sweep]\nranks_per_cell = 0\n[sweep.grid]\n"job.seed" = [1]\n', ("sweep.ranks_per_cell=0",)),
                ("", ("no keys in [sweep.grid]", "assay run"))):
            with self.subTest(grid):
                self.job = self.with_sweep(grid)
                self.refused(*parts, ranks=2)
        for wrong in ("run", "check"):
            done = common.assay(wrong, self.with_sweep(GRID), "--output", self.out, code=64)
            self.assertIn("has a section [sweep]", done.stderr)
            self.assertIn("assay sweep", done.stderr)

    def test_nothing_is_overwritten_unasked(self):
        fast = ("--set", "model.train.epochs=1")
        self.sweep(*fast)
        before = common.digest(self.out / "cell-0001/results.h5")
        done = self.sweep(*fast, code=64)
        self.assertIn("cell-0000/results.h5 exists", done.stderr)
        done = self.sweep(*fast, "--set", "usage.confidence=0.9", "--resume", code=64)
        self.assertIn("is the result of another job: usage.confidence = 0.9 (was 0.95)", done.stderr)
        self.assertEqual(common.digest(self.out / "cell-0001/results.h5"), before)
        self.sweep(*fast, "--set", "usage.confidence=0.9", "--overwrite", ranks=2)
        self.assertNotEqual(common.digest(self.out / "cell-0001/results.h5"), before)


if __name__ == "__main__":
    common.main()
