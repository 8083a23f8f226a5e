"""The scripts of slurm/ under a real Slurm on this machine: submit, stop and go on, sweep, cancel, wrong task counts.

    python3 tests/program/slurm_test.py --assay PATH --mpirun PATH [Slurm.test_name] [--time-limit]

--time-limit adds the one test that waits minutes for a real time limit instead of sending its signal at once.
"""
import pathlib
import sys
import tempfile

import h5py

import common
import slurm_fixture

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
ENDED = {"COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "OUT_OF_MEMORY"}
# Shards in plenty, each of honest work, so that a stop finds the pass half done
SLOW = ("--set", "usage.augmentations=64", "--set", "compute.shard_size=16")


class Slurm(common.ProgramTest):
    @classmethod
    def setUpClass(cls):
        cls.shared = tempfile.TemporaryDirectory(prefix="assay-slurm-")
        folder = pathlib.Path(cls.shared.name)
        cls.slurm = slurm_fixture.Slurm(folder / "slurm")
        cls.addClassCleanup(cls.shared.cleanup)
        cls.addClassCleanup(cls.slurm.stop)
        cls.slurm.start()
        cls.slurm.environment.update({k: common.ENVIRONMENT[k] for k in common.ENVIRONMENT if k.startswith("OMPI_")},
                                     OMPI_MCA_mpi_yield_when_idle="1",  # more ranks than cores; mpirun knows, srun not
                                     ASSAY=common.options.assay, ASSAY_LOG="info")
        cls.job_file = common.make_job(folder)
        cls.whole = folder / "whole"
        common.assay("run", cls.job_file, "--output", cls.whole, *SLOW, ranks=2)

    def submit(self, *options, script="submit.sbatch", name="out", arguments=SLOW, **environment):
        """Submits the job as a user would, on two ranks; its log and results are named after `name`."""
        self.output, self.log = self.folder / name, self.folder / f"{name}.log"
        return self.slurm.submit("--ntasks=2", "--cpus-per-task=1", f"--output={self.log}", *options,
                                 f"slurm/{script}", self.job_file, *arguments, "--output", self.output,
                                 cwd=REPOSITORY, **environment)

    def signal_during(self, number, what, *scancel):
        """Waits until `what` has begun ("pass" or "training"), then sends the signal."""
        def begun():
            if what == "training":
                return "epochs 1 to" in self.text()
            partial = self.output / "results.h5.partial"
            return partial.exists() and self.shards_done(partial) > 0
        slurm_fixture.wait_until(begun, 60, f"{what} of job {number}")
        self.slurm.run("scancel", *scancel, number)

    @staticmethod
    def shards_done(path):
        try:  # read while it is written: the flags' place is fixed, their number may be behind
            with h5py.File(path, "r") as file:
                return int(file["ledger/shard_done"][:].sum())
        except OSError:
            return 0

    def text(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def ended(self, number, state, code="0:0", seconds=200):
        job = self.slurm.wait(number, ENDED, seconds)
        self.assertEqual((job["JobState"], job["ExitCode"]), (state, code), self.text())
        return job

    def check_same_bytes(self):
        self.assertEqual(common.differences(self.whole / "results.h5", self.output / "results.h5"), "", self.text())

    def shards_resumed(self):
        with h5py.File(self.output / "results.h5") as file:
            return int(file.attrs["shards_resumed"])

    # --- Stop and go on ------------------------------------------------------------------------------------------

    def check_stop_and_go_on(self, launcher):
        number = self.submit(ASSAY_LAUNCHER=launcher)
        self.signal_during(number, "pass", "--signal=USR1", "--batch")
        job = self.ended(number, "COMPLETED")
        self.assertEqual(job["Restarts"], "1", self.text())
        self.assertIn("asking all ranks to stop", self.text())
        self.assertIn("restart 0 of", self.text())  # the log goes on, it does not begin again
        self.assertIn("restart 1 of", self.text())
        self.assertGreater(self.shards_resumed(), 0)
        self.check_same_bytes()

    def test_stop_in_the_pass_goes_on_under_srun(self):
        self.check_stop_and_go_on("srun")

    def test_stop_in_the_pass_goes_on_under_mpirun(self):
        self.check_stop_and_go_on("mpirun")

    def test_stop_in_training_goes_on(self):
        epochs = ("--set", "model.train.epochs=60")
        number = self.submit(arguments=epochs)
        self.signal_during(number, "training", "--signal=USR1", "--batch")
        self.ended(number, "COMPLETED")
        self.assertRegex(self.text(), r"stopped on a signal after epoch \d+/60")
        self.assertRegex(self.text(), r"epochs ([2-9]|\d\d) to 60")
        undisturbed = self.folder / "undisturbed"
        common.assay("run", self.job_file, "--output", undisturbed, *epochs, ranks=2)
        self.assertEqual(common.differences(undisturbed / "results.h5", self.output / "results.h5"), "")

    def test_restarts_are_bounded(self):
        number = self.submit(ASSAY_MAX_RESTARTS="0")
        self.signal_during(number, "pass", "--signal=USR1", "--batch")
        job = self.ended(number, "FAILED", "75:0")
        self.assertEqual(job["Restarts"], "0")
        self.assertIn("not finished after 0 restarts", self.text())

    def test_cancelled_and_submitted_again(self):
        number = self.submit()
        self.signal_during(number, "pass")
        self.assertEqual(self.slurm.wait(number, ENDED, 40)["JobState"], "CANCELLED")
        # Slurm says so at once; the ranks still finish their shards, and hold the folder until they have
        slurm_fixture.wait_until(lambda: not self.slurm.run("squeue", "-h", "-j", number, check=False), 60, "end")
        again = self.submit("--ntasks=3")
        self.ended(again, "COMPLETED")
        self.assertGreater(self.shards_resumed(), 0)
        self.check_same_bytes()

    # --- Finish, refuse ------------------------------------------------------------------------------------------

    def test_gpu_flavour_finishes(self):
        number = self.submit("--ntasks-per-node=2", "--gpus-per-node=2", script="nvidia.sbatch")
        self.ended(number, "COMPLETED")
        self.check_same_bytes()

    def test_laptop_flavour_finishes_as_it_is(self):
        self.output, self.log = self.folder / "out", self.folder / "out.log"
        number = self.slurm.submit(f"--output={self.log}", "slurm/laptop.sbatch", self.job_file, *SLOW, "--output",
                                   self.output, cwd=REPOSITORY)
        self.ended(number, "COMPLETED")
        self.check_same_bytes()

    def test_wrong_job_file_is_not_repeated(self):
        job = self.ended(self.submit(arguments=("--set", "usage.nonsense=1")), "FAILED", "64:0")
        self.assertEqual(job["Restarts"], "0")
        self.assertIn("usage.nonsense", self.text())

    def test_wrong_task_count_is_refused(self):
        log = self.folder / "log"
        number = self.slurm.submit("--ntasks=2", f"--output={log}", "--wrap",
                                   f"mpirun -n 1 {common.options.assay} run {self.job_file} --output {self.folder}/out",
                                   cwd=REPOSITORY)
        self.log = log
        self.ended(number, "FAILED", "64:0")
        self.assertIn("1 MPI rank(s), but SLURM_NTASKS=2", self.text())
        self.assertFalse((self.folder / "out").exists())

    # --- Sweeps --------------------------------------------------------------------------------------------------

    def test_sweep_and_table(self):
        job, folder = self.folder / "sweep.toml", self.folder / "sweep"
        held_out = self.folder / "held_out.h5"
        job.write_text(self.job_file.read_text() + f'[sweep.grid]\n"dataset.held_out" = ["{held_out}", ""]\n'
                       '"job.seed" = [1, 2]\n')

        def sweep():
            words = self.slurm.run("slurm/sweep.sh", job, folder, "--ntasks=1", "--cpus-per-task=1",
                                   cwd=REPOSITORY).split()
            return int(words[1]), int(words[words.index("then") + 2])
        array, table = sweep()
        self.log = folder / "table.md"
        self.ended(table, "FAILED", "65:0")
        self.assertIn("2 of 4 cells are not complete (cell-0000, cell-0001)", self.text())
        self.assertRegex(self.text(), r"\| all \| 2 \|")
        self.assertIn("no such file", (folder / "0.log").read_text())
        finished = (folder / "cell-0003/results.h5").stat().st_mtime_ns
        common.write_data_set(held_out, 320, seed=2)
        array, table = sweep()
        self.ended(table, "COMPLETED")
        self.assertRegex(self.text(), r"\| all \| 4 \|")
        self.assertEqual((folder / "cell-0003/results.h5").stat().st_mtime_ns, finished)  # was not computed again
        # All of it in one allocation finds nothing left to do
        self.log = self.folder / "whole.log"
        number = self.slurm.submit("--ntasks=2", "--cpus-per-task=1", f"--output={self.log}", "slurm/submit.sbatch", job,
                                   "--output", folder, cwd=REPOSITORY, ASSAY_COMMAND="sweep")
        self.ended(number, "COMPLETED")
        self.assertIn("answer: 4 of 4 cells are complete", self.text())

    def test_real_time_limit(self):
        if not common.options.time_limit:
            self.skipTest("takes minutes; run with --time-limit")
        common.write_data_set(self.folder / "a.h5", 4000, seed=3)
        common.write_data_set(self.folder / "b.h5", 2000, seed=4)
        keys = {"dataset.suspects": self.folder / "a.h5", "dataset.suspect_count": 4000,
                "dataset.held_out": self.folder / "b.h5", "dataset.held_out_count": 2000,
                "model.train.usage_fraction": 0.05}
        more = [*SLOW, *(word for key, value in keys.items() for word in ("--set", f"{key}={value}"))]
        number = self.submit("--time=1", "--signal=B:USR1@20", arguments=more, ASSAY_MAX_RESTARTS="30")
        job = self.slurm.wait(number, ENDED, 1200)
        self.assertEqual(job["JobState"], "COMPLETED", self.text())
        self.assertGreater(int(job["Restarts"]), 0, self.text())
        self.assertGreater(self.shards_resumed(), 0)
        print(f"{job['Restarts']} restarts")
        whole = self.folder / "whole"
        common.assay("run", self.job_file, "--output", whole, *more, ranks=2, timeout=1200)
        self.assertEqual(common.differences(whole / "results.h5", self.output / "results.h5"), "")


if __name__ == "__main__":
    if problem := slurm_fixture.why_not():
        print(f"skipped: no Slurm can be started here: {problem}")
        sys.exit(slurm_fixture.SKIPPED)
    common.main()
