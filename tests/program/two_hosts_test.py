"""Ranks on two hosts (network namespaces): the same bytes, and what happens when the cable between them is pulled.

    python3 tests/program/two_hosts_test.py --assay PATH --mpirun PATH [TwoHosts.test_name]
"""
import pathlib
import re
import subprocess
import sys
import tempfile
import time

import h5py

import common
import hosts_fixture
import slurm_fixture

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
SLOW = ("--set", "usage.augmentations=64", "--set", "compute.shard_size=16")
# The settings of slurm/run.sh with which mpirun notices a lost host, and the seconds that takes
NOTICE = re.findall(r"--mca (oob_tcp_keepalive_\w+) (\d+)", (REPOSITORY / "slurm/run.sh").read_text())
SECONDS_TO_NOTICE = (lambda time, interval, probes: time + interval * probes)(*(int(v) for _, v in NOTICE))


class Hosts(common.ProgramTest):
    @classmethod
    def setUpClass(cls):
        shared = tempfile.TemporaryDirectory(prefix="assay-test-")
        cls.addClassCleanup(shared.cleanup)
        cls.job = common.make_job(shared.name)
        cls.whole = pathlib.Path(shared.name) / "whole"
        common.assay("run", cls.job, "--output", cls.whole, *SLOW, ranks=2)

    def setUp(self):
        super().setUp()
        self.output = self.folder / "out"
        self.two = hosts_fixture.TwoHosts(self.folder)
        self.addCleanup(self.two.stop)

    def wait_for_shards(self):
        def begun():
            try:
                with h5py.File(self.output / "results.h5.partial", "r") as file:
                    return file["ledger/shard_done"][:].any()
            except OSError:
                return False
        slurm_fixture.wait_until(begun, 60, "first shards")

    def check_result(self, hosts, resumed, log=""):
        self.assertEqual(common.differences(self.whole / "results.h5", self.output / "results.h5"), "")
        with h5py.File(self.output / "results.h5") as file:
            self.assertEqual(file.attrs["hosts"].decode(), hosts)  # of the run that began the file
            self.assertEqual(file.attrs["shards_resumed"] > 0, resumed, log)

    def ranks_left(self):
        """This test's ranks and daemons of launchers that still run, on either host."""
        found = subprocess.run(["pgrep", "-a", "-f", f"run.*{self.folder}"], text=True, capture_output=True)
        return [line for line in found.stdout.splitlines() if "pgrep" not in line]

    # --- mpirun --------------------------------------------------------------------------------------------------

    def mpirun(self, ranks_per_host, *options):
        command = [*self.two.mpirun(common.options.mpirun, ranks_per_host, *options), common.options.assay, "run",
                   str(self.job), "--output", str(self.output), *SLOW]
        return subprocess.Popen(command, env=common.ENVIRONMENT, text=True, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE)

    def test_same_bytes(self):
        process = self.mpirun(1)
        _, errors = process.communicate(timeout=300)
        self.assertEqual(process.returncode, 0, errors)
        self.check_result("alpha beta", resumed=False)

    def test_cut_off_host_ends_mpirun(self):
        process = self.mpirun(1, *(word for name, value in NOTICE for word in ("--mca", name, value)))
        self.wait_for_shards()
        self.two.cut()
        begin = time.monotonic()
        _, errors = process.communicate(timeout=4 * SECONDS_TO_NOTICE)
        print(f"noticed after {time.monotonic() - begin:.0f} s (keepalive: {SECONDS_TO_NOTICE} s)")
        self.assertEqual(process.returncode, 205, errors)
        self.assertIn("lost communication with a remote daemon", errors)
        self.assertIn(self.two.hosts[1].address, errors)  # which host it was
        # The other side gives up too, although nobody can tell it to
        slurm_fixture.wait_until(lambda: not self.ranks_left(), 2 * SECONDS_TO_NOTICE, "end of the cut-off ranks")
        common.assay("run", self.job, "--output", self.output, *SLOW, "--resume", ranks=3)
        self.check_result("alpha beta", resumed=True)

    # --- Slurm ---------------------------------------------------------------------------------------------------

    def submit(self, launcher, node_timeout):
        if problem := slurm_fixture.why_not():
            self.skipTest(problem)
        self.slurm = slurm_fixture.Slurm(self.folder / "slurm", self.two.hosts, node_timeout=node_timeout)
        self.addCleanup(self.slurm.stop)
        self.slurm.start()
        self.log = self.folder / "log"
        environment = {k: common.ENVIRONMENT[k] for k in common.ENVIRONMENT if k.startswith("OMPI_")}
        return self.slurm.submit("--nodes=2", "--ntasks=2", "--cpus-per-task=1", f"--output={self.log}",
                                 "slurm/submit.sbatch", self.job, *SLOW, "--output", self.output, cwd=REPOSITORY,
                                 ASSAY=common.options.assay, ASSAY_LOG="info", ASSAY_LAUNCHER=launcher,
                                 OMPI_MCA_mpi_yield_when_idle="1", **environment)  # both hosts share our cores

    def finish(self, number):
        job = self.slurm.wait(number, {"COMPLETED", "FAILED", "CANCELLED", "TIMEOUT"}, 200)
        self.assertEqual((job["JobState"], job["Restarts"]), ("COMPLETED", "1"), self.log.read_text())
        self.check_result("alpha beta", resumed=True, log=self.log.read_text())

    def test_slurm_loses_a_node_under_srun(self):
        """Slurm notices, ends the job and puts it back into the queue; here it goes on with the node that is left."""
        number = self.submit("srun", node_timeout=10)
        self.wait_for_shards()
        self.two.cut()
        self.slurm.wait(number, {"PENDING"}, 90)
        self.assertIn("Node failure on beta", self.log.read_text())
        self.slurm.run("scontrol", "update", f"JobId={number}", "NumNodes=1")
        self.finish(number)
        self.two.mend()  # so that Slurm can end what is left there
        slurm_fixture.wait_until(lambda: not self.ranks_left(), 150, "end of the cut-off ranks")

    def test_mpirun_loses_a_node_before_slurm_knows(self):
        """mpirun notices, and the batch script puts the job back into the queue."""
        number = self.submit("mpirun", node_timeout=300)
        self.wait_for_shards()
        self.two.cut()
        slurm_fixture.wait_until(lambda: "DUE TO JOB REQUEUE" in self.log.read_text(), 4 * SECONDS_TO_NOTICE,
                                 "mpirun notices")
        self.two.mend()  # not before the ranks are ended, or they go on
        self.assertIn("lost communication", self.log.read_text())
        self.finish(number)


if __name__ == "__main__":
    if problem := hosts_fixture.why_not():
        print(f"skipped: no two hosts on this machine: {problem}")
        sys.exit(slurm_fixture.SKIPPED)
    common.main()
