"""Where ranks run: launchers that do not fit, the log of places, threads, and GPUs as the driver names them."""
import os
import shutil
import subprocess
import unittest

import h5py

import common

# Not a GPU: a driver's library of four functions, so that loading the real one by name, and the answers it may
# give, can be tried on a machine without a GPU. What a real driver does is not tested by this.
DRIVER = """
typedef struct { unsigned char bytes[16]; } Uuid;
int cuInit(unsigned flags) { return flags == 0 ? %(init)d : 1; }
int cuDeviceGetCount(int* count) { *count = 2; return 0; }
int cuDeviceGet(int* device, int ordinal) { *device = ordinal + 40; return 0; }
int cuDeviceGetUuid%(suffix)s(Uuid* uuid, int device) {
    for (int i = 0; i < 16; ++i) uuid->bytes[i] = (unsigned char)(16 * i + device - 40);
    return 0;
}
"""
UUIDS = ["GPU-00102030-4050-6070-8090-a0b0c0d0e0f0", "GPU-01112131-4151-6171-8191-a1b1c1d1e1f1"]


def environment(**variables):
    """This test's own, without what a launcher around it may have set."""
    plain = {k: v for k, v in common.ENVIRONMENT.items() if not k.startswith(("SLURM_", "PMI", "OMPI_COMM"))}
    return {**plain, **variables}


class Launch(common.ProgramTest):
    def start(self, variables, *arguments, launcher=()):
        return subprocess.Popen([*launcher, common.options.assay, *map(str, arguments)], text=True,
                                env=environment(**variables), stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def files(self):
        return sorted(str(p.relative_to(self.folder)) for p in self.folder.rglob("*"))

    def test_processes_that_do_not_know_each_other_touch_no_file(self):
        job = common.make_job(self.folder)
        before = self.files()
        for variable in ("SLURM_NTASKS", "PMI_SIZE", "OMPI_COMM_WORLD_SIZE"):
            alone = [self.start({variable: "3"}, "run", job, "--output", self.folder / "out") for _ in range(3)]
            for process in alone:
                errors = process.communicate(timeout=100)[1]
                self.assertEqual(process.returncode, 64, errors)
                self.assertIn(f"1 MPI rank(s), but {variable}=3", errors)
                self.assertIn("--allow-size-mismatch", errors)
            self.assertEqual(self.files(), before, variable)

    @unittest.skipUnless(shutil.which("mpiexec.hydra"), "no launcher of another MPI (Debian: mpich)")
    def test_the_launcher_of_another_mpi_touches_no_file(self):
        job = common.make_job(self.folder)
        before = self.files()
        launched = self.start({}, "run", job, "--output", self.folder / "out",
                              launcher=("mpiexec.hydra", "-n", "3"))
        errors = launched.communicate(timeout=100)[1]
        self.assertEqual(launched.returncode, 64, errors)
        self.assertIn("1 MPI rank(s), but PMI_SIZE=3", errors)
        self.assertEqual(self.files(), before)

    def test_the_right_launcher_is_believed(self):
        job = common.make_job(self.folder)
        for ranks, variables in ((1, {"SLURM_NTASKS": "1", "PMI_SIZE": "1"}),
                                 (2, {"SLURM_NTASKS": "2"}),
                                 (2, {"PMI_SIZE": "1"})):  # inherited from a launcher of one shell around mpirun
            done = subprocess.run(common.command(["check", job], ranks), env=environment(**variables), text=True,
                                  capture_output=True, timeout=100)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertNotIn("MPI rank(s), but", done.stderr)

    def test_a_mismatch_may_be_allowed(self):
        job = common.make_job(self.folder)
        process = self.start({"PMI_SIZE": "3"}, "run", job, "--output", self.folder / "out",
                             "--allow-size-mismatch")
        errors = process.communicate(timeout=100)[1]
        self.assertEqual(process.returncode, 0, errors)
        self.assertIn("warning 1 MPI rank(s), but PMI_SIZE=3", errors)


class Places(common.ProgramTest):
    def test_each_rank_is_logged_once_and_check_shows_the_same(self):
        job = common.make_job(self.folder)
        logged = []
        for command in (["check", job], ["run", job, "--output", self.folder / "out"]):
            errors = common.assay(*command, ranks=3).stderr
            logged.append([line.split(" ", 1)[1] for line in errors.splitlines() if " of 3 on " in line])
            if command[0] == "check":
                self.assertFalse((self.folder / "out").exists())
        self.assertEqual(logged[0], logged[1])
        self.assertEqual(len(logged[0]), 3)
        for rank, line in enumerate(logged[0]):
            self.assertRegex(line, rf"^info rank {rank} of 3 on {os.uname().nodename}: \S.* 1 thread on CPUs [\d,-]+$")
        with h5py.File(self.folder / "out/results.h5") as file:
            self.assertEqual(file.attrs["hosts"].decode(), os.uname().nodename)
            self.assertEqual(file.attrs["torch_threads"], 1)
            self.assertEqual("cuda" in file.attrs["device"].decode(), file.attrs["gpus"].decode() != "")

    def bound(self, cpus, *arguments):
        """Runs assay alone on so many of this process's CPUs; its standard error."""
        mask = sorted(os.sched_getaffinity(0))[:cpus]
        waiting = environment(OMP_WAIT_POLICY="passive")  # threads that spin starve whatever else runs here
        done = subprocess.run(common.command(arguments), env=waiting, text=True, capture_output=True, timeout=100,
                              preexec_fn=lambda: os.sched_setaffinity(0, mask))
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stderr

    def run_bound(self, cpus, out, threads, *arguments):
        return self.bound(cpus, "run", self.folder / "job.toml", "--output", self.folder / out, "--set",
                          "model.train.epochs=1", "--set", f"compute.threads={threads}", *arguments)

    def test_more_threads_than_cpus_is_a_warning(self):
        job = common.make_job(self.folder)
        self.assertIn("2 threads on 1 CPU(s)", self.bound(1, "check", job, "--set", "compute.threads=2"))
        self.assertNotIn("warning", self.bound(1, "check", job))

    @unittest.skipIf(len(os.sched_getaffinity(0)) < 2, "one CPU only")
    def test_threads_of_the_machine_on_request_only(self):
        common.make_job(self.folder)
        found = {}
        for cpus in (1, 2):
            for threads in (0, 1):
                self.run_bound(cpus, f"{cpus}-{threads}", threads)
                with h5py.File(self.folder / f"{cpus}-{threads}/results.h5") as file:
                    found[cpus, threads] = file.attrs["torch_threads"]
        self.assertEqual(found, {(1, 0): 1, (2, 0): 2, (1, 1): 1, (2, 1): 1})
        # What the job fixes does not follow from the machine
        self.assertEqual(common.differences(self.folder / "1-1/results.h5", self.folder / "2-1/results.h5"), "")

    @unittest.skipIf(len(os.sched_getaffinity(0)) < 2, "one CPU only")
    def test_going_on_with_other_threads_is_a_warning(self):
        common.make_job(self.folder)
        results = self.folder / "out/results.h5"
        for cpus, expected in ((1, False), (2, True)):
            self.run_bound(1, "out", 0, "--overwrite")
            results.rename(self.folder / "out/results.h5.partial")  # as a run that ended just before its end
            errors = self.run_bound(cpus, "out", 0, "--resume")
            self.assertEqual("begun with 1 thread(s) per rank, goes on with 2" in errors, expected, errors)


class Driver(common.ProgramTest):
    def version(self, **driver):
        (self.folder / "driver.c").write_text(DRIVER % driver)
        subprocess.run(["cc", "-shared", "-fPIC", "-o", self.folder / "libcuda.so.1", self.folder / "driver.c"],
                       check=True)
        done = subprocess.run(common.command(["version"]), env=environment(LD_LIBRARY_PATH=str(self.folder)),
                              text=True, capture_output=True, timeout=100)
        self.assertEqual(done.returncode, 0, done.stderr)
        return [line.removeprefix("driver: ") for line in done.stdout.splitlines() if line.startswith("driver: ")]

    def test_uuids_as_nvidia_smi_prints_them(self):
        self.assertEqual(self.version(init=0, suffix="_v2"), UUIDS)
        self.assertEqual(self.version(init=0, suffix=""), UUIDS)  # drivers before 11.4

    def test_a_driver_without_a_device_has_no_uuids(self):
        self.assertEqual(self.version(init=100, suffix="_v2"), [])  # CUDA_ERROR_NO_DEVICE


if __name__ == "__main__":
    common.main()
