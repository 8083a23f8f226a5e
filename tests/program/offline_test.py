"""`assay reduce` and `assay report` on assay's own files and on one written by h5py from scratch."""
import json

import h5py
import numpy as np

import common


def usage_of(folder):
    return json.loads((folder / "summary.json").read_text())["usage"]


class Offline(common.ProgramTest):
    def test_reduce_and_report_repeat_the_run(self):
        job = common.make_job(self.folder)
        run = common.assay("run", job, "--output", self.folder / "run")
        before = (self.folder / "run/results.h5").read_bytes()
        for command in ("reduce", "report"):
            again = common.assay(command, self.folder / "run/results.h5", "--output", self.folder / command)
            self.assertEqual((self.folder / "run/summary.json").read_text(),
                             (self.folder / command / "summary.json").read_text())
            self.assertEqual(run.stdout.splitlines()[-1], again.stdout.splitlines()[-1])
        common.assay("reduce", self.folder / "run/results.h5")  # beside the file: the same numbers, so no conflict
        self.assertEqual(before, (self.folder / "run/results.h5").read_bytes(), "reduce must not touch its input")

    def test_another_job_in_the_same_folder_is_refused(self):
        job = common.make_job(self.folder)
        common.assay("run", job, "--output", self.folder / "run")
        common.assay("run", job, "--output", self.folder / "run", "--resume")
        other = common.assay("run", job, "--output", self.folder / "run", "--resume", "--set", "job.seed=9", code=64)
        self.assertIn("is the result of another job: job.seed = 9 (was 5)", other.stderr)
        self.assertFalse((self.folder / "run/.lock").exists(), "left after a refusal")

    def test_other_numbers_are_not_overwritten_unasked(self):
        job = common.make_job(self.folder)
        common.assay("run", job, "--output", self.folder / "run")
        results = self.folder / "run/results.h5"
        refit = ("reduce", results, "--set", "usage.confidence=0.8")
        self.assertIn("nothing is overwritten unasked", common.assay(*refit, code=64).stderr)
        self.assertEqual(usage_of(self.folder / "run")["details"]["confidence"], 0.95)
        common.assay(*refit, "--overwrite")
        self.assertEqual(usage_of(self.folder / "run")["details"]["confidence"], 0.8)

    def test_metrics_in_the_file_are_those_of_the_summary(self):
        job = common.make_job(self.folder)
        common.assay("run", job, "--output", self.folder / "run")
        details = usage_of(self.folder / "run")["details"]
        with h5py.File(self.folder / "run/results.h5") as file:
            attributes = dict(file["metrics/usage"].attrs)
            self.assertEqual(file["metrics/usage/bootstrap"].shape, (60, 4))
        for name, value in details.items():
            stored = attributes[name]
            if isinstance(stored, bytes):
                self.assertEqual(stored.decode(), value, name)
            else:
                self.assertTrue(stored == value or (value is None and np.isnan(stored)), name)

    def write_by_hand(self, path, used, n=4000, gap=3.0):
        random = np.random.default_rng(3)
        member = np.arange(n) < used * n
        with h5py.File(path, "w") as file:
            file["samples/id"] = np.arange(n, dtype="uint64")
            for name in ("loss", "anything"):
                file[f"signals/{name}"] = (random.normal(0, 1, n) + gap * member).astype("float32")
                file[f"partners/{name}"] = random.normal(0, 1, n).astype("float32")

    def test_a_file_from_h5py_alone(self):
        self.write_by_hand(self.folder / "mine.h5", used=0.4)
        done = common.assay("reduce", self.folder / "mine.h5")
        usage = usage_of(self.folder)
        self.assertEqual(usage["status"], "estimated")
        self.assertAlmostEqual(usage["fraction"], 0.4, delta=0.08)
        self.assertLess(usage["lower_bound"], 0.4)
        self.assertTrue(usage["interval"][0] <= 0.4 <= usage["interval"][1])
        self.assertRegex(done.stdout.splitlines()[-1], r"^answer: about \d+ %")

    def test_a_file_from_h5py_without_members(self):
        self.write_by_hand(self.folder / "mine.h5", used=0.0)
        common.assay("reduce", self.folder / "mine.h5")
        usage = usage_of(self.folder)
        self.assertEqual((usage["status"], usage["lower_bound"], usage["fraction"], usage["interval"]),
                         ("no evidence", 0.0, None, None))

    def test_known_members_stand_beside_the_answer(self):
        self.write_by_hand(self.folder / "mine.h5", used=0.4)
        common.assay("reduce", self.folder / "mine.h5", "--output", self.folder / "without")
        random = np.random.default_rng(4)
        with h5py.File(self.folder / "mine.h5", "r+") as file:
            file["known_members/samples/id"] = np.arange(500, dtype="uint64")
            for name in ("loss", "anything"):
                file[f"known_members/signals/{name}"] = random.normal(3, 1, 500).astype("float32")
        done = common.assay("reduce", self.folder / "mine.h5", "--output", self.folder / "with")
        before, after = usage_of(self.folder / "without"), usage_of(self.folder / "with")
        details = after.pop("details")
        self.assertAlmostEqual(details["known_members_adjusted_count"], 0.4, delta=0.05)
        self.assertAlmostEqual(details["known_members_emq"], 0.4, delta=0.05)
        self.assertIn("EMQ, known members", done.stdout)
        for name, value in before.pop("details").items():
            self.assertTrue(details[name] == value or name.startswith("known_members"), name)
        self.assertEqual(len(after.pop("statements")), len(before.pop("statements")) + 1)
        self.assertEqual(before, after)

    def test_truth_is_sealed(self):
        """Turning the truth around changes what the report says of it, and nothing else."""
        job = common.make_job(self.folder)
        common.assay("run", job, "--output", self.folder / "run")
        results = self.folder / "run/results.h5"
        before = json.loads((self.folder / "run/summary.json").read_text())
        with h5py.File(results, "r+") as file:
            file["truth/member"][:] = 1 - file["truth/member"][:]
        common.assay("reduce", results, "--output", self.folder / "turned")
        after = json.loads((self.folder / "turned/summary.json").read_text())
        self.assertEqual(before["usage"], after["usage"])
        self.assertNotEqual(before["truth"]["member_auc"], after["truth"]["member_auc"])


if __name__ == "__main__":
    common.main()
