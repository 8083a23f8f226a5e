"""A stop signal saves the finished shards; what is broken in them is computed again (kills: soak_test.py)."""
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import time

import h5py

import common


class Stop(common.ProgramTest):
    # Long enough to be hit: training and pass take some seconds each
    SLOW = ("--set", "usage.augmentations=48", "--set", "compute.shard_size=16", "--set", "model.train.epochs=10")

    def start(self, job, output, ranks, *extra):
        return subprocess.Popen(common.command(["run", job, "--output", output, *self.SLOW, *extra], ranks),
                                env=common.ENVIRONMENT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def shards_on_disk(self, output):
        partial = output / "results.h5.partial"
        return partial.exists() and partial.stat().st_size > 0

    def stop_after(self, process, output, delay):
        """Sends SIGTERM to one rank `delay` seconds into the pass."""
        while not self.shards_on_disk(output) and process.poll() is None:
            time.sleep(0.002)
        time.sleep(delay)
        ranks = common.children(process.pid)
        if ranks:
            os.kill(ranks[0], signal.SIGTERM)

    @classmethod
    def setUpClass(cls):
        shared = tempfile.TemporaryDirectory(prefix="assay-test-")
        cls.addClassCleanup(shared.cleanup)
        cls.shared = pathlib.Path(shared.name)
        cls.job = common.make_job(cls.shared)
        cls.whole = cls.shared / "whole/results.h5"
        cls.stopped = None
        common.assay("run", cls.job, "--output", cls.whole.parent, *cls.SLOW, ranks=2)

    def check_resumed(self, output, ranks):
        done = common.assay("run", self.job, "--output", output, *self.SLOW, "--resume", ranks=ranks)
        self.assertEqual(common.differences(self.whole, output / "results.h5"), "")
        return re.search(r"resuming: (\d+) of (\d+) shards", done.stderr)

    def stop_in_the_pass(self):
        """A copy of the folder of a run of two ranks, one of them sent SIGTERM when some shards, not all, were on disk."""
        if self.stopped is None:
            type(self).stopped = self.run_and_stop()
        return shutil.copytree(self.stopped, self.folder / "stopped")

    def stop_in_training(self, checkpoint, epochs):
        """One rank is sent SIGTERM once `checkpoint` is there; resumed on 3 ranks, the results are the same."""
        output = self.folder / "stopped"
        process = self.start(self.job, output, 2)
        while not (output / checkpoint).exists() and process.poll() is None:
            time.sleep(0.002)
        os.kill(common.children(process.pid)[0], signal.SIGTERM)
        _, errors = process.communicate(timeout=100)
        self.assertEqual(process.returncode, 75, errors)
        self.assertRegex(errors, f"stopped on a signal after epoch [0-9]+/{epochs}\\b")
        self.assertIsNone(self.check_resumed(output, 3))

    def run_and_stop(self):
        for delay in (0.2, 0.1, 0.4, 0.05, 0.8, 1.6):
            output = self.shared / f"stopped{delay}"
            process = self.start(self.job, output, 2)
            self.stop_after(process, output, delay)
            _, errors = process.communicate(timeout=100)
            if (output / "results.h5").exists():
                continue
            self.assertEqual(process.returncode, 75, errors)
            self.assertIn("Run again with --resume", errors)
            with h5py.File(output / "results.h5.partial") as file:
                if file["ledger/shard_done"][:].any():
                    return output
        self.fail("no delay stopped a run in its pass")

    def test_stop_signal_saves_and_says_75(self):
        self.assertIsNotNone(self.check_resumed(self.stop_in_the_pass(), 3))

    def stopped_at_once(self, output):
        """A run that is sent SIGUSR1 as soon as it listens; its exit code and last words."""
        process = self.start(self.job, output, 0, "--resume")
        caught = 0
        while process.poll() is None and not caught >> (signal.SIGUSR1 - 1) & 1:
            status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
            caught = int(re.search(r"SigCgt:\s*(\w+)", status)[1], 16)
        process.send_signal(signal.SIGUSR1)
        _, errors = process.communicate(timeout=100)
        return process.returncode, errors

    def test_a_restart_without_progress_says_70(self):
        code, errors = self.stopped_at_once(self.folder / "new")
        self.assertEqual(code, 75, errors)
        output = self.stop_in_the_pass()
        code, errors = self.stopped_at_once(output)
        self.assertEqual(code, 70, errors)
        self.assertIn("before this restart finished a shard or epoch", errors)
        self.assertIsNotNone(self.check_resumed(output, 2))

    def test_a_broken_shard_is_computed_again(self):
        output = self.stop_in_the_pass()
        with h5py.File(output / "results.h5.partial", "r+") as file:
            shard = int(file["ledger/shard_done"][:].nonzero()[0][0])
            file["signals/loss"][16 * shard] += 1
        done = common.assay("run", self.job, "--output", output, *self.SLOW, "--resume")
        self.assertIn(f"shard {shard} does not match its checksum", done.stderr)
        self.assertEqual(common.differences(self.whole, output / "results.h5"), "")


class StopReferences(Stop):
    SLOW = tuple(a for s in (
        "usage.reference=partners", "usage.references.count=4", "usage.references.network=mlp",
        "usage.references.epochs=20", "usage.references.checkpoint_every=1", "model.train.epochs=1",
        "compute.shard_size=16") for a in ("--set", s))
    test_a_restart_without_progress_says_70 = test_a_broken_shard_is_computed_again = None
    test_stop_signal_saves_and_says_75 = None

    def test_stop_signal_in_the_training_of_references_saves_the_epoch(self):
        self.stop_in_training("references/1.ckpt", 20)


class StopRedraw(Stop):
    SLOW = tuple(a for s in (
        "usage.reference=partners", "generator.network=ddpm", "generator.width=16", "generator.epochs=2",
        "generator.checkpoint_every=1", "model.train.epochs=1", "compute.shard_size=16", "usage.references.count=4",
        "usage.references.network=mlp", "usage.references.width=8", "usage.references.epochs=1") for a in ("--set", s))
    test_a_restart_without_progress_says_70 = test_a_broken_shard_is_computed_again = None
    test_stop_signal_saves_and_says_75 = None

    def test_stop_signal_while_partners_are_made_saves_the_shards(self):
        output = self.folder / "stopped"
        process = self.start(self.job, output, 2)
        while not (output / "partners.h5.partial").exists() and process.poll() is None:
            time.sleep(0.002)
        time.sleep(0.3)
        os.kill(common.children(process.pid)[0], signal.SIGTERM)
        _, errors = process.communicate(timeout=100)
        self.assertEqual(process.returncode, 75, errors)
        self.assertFalse((output / "results.h5.partial").exists(), errors)
        self.check_resumed(output, 3)
        self.assertEqual(common.differences(self.whole.parent / "partners.h5", output / "partners.h5",
                                            ("/samples", "/ledger")), "")


class StopAutoregressive(Stop):
    SLOW = tuple(a for s in (
        "model.family=autoregressive", "model.train.network=transformer", "model.train.width=32", "model.train.pool=1",
        "model.train.optimizer=adam", "model.train.learning_rate=0.001", "model.train.epochs=4",
        "model.train.checkpoint_every=1", "compute.shard_size=16") for a in ("--set", s))
    test_a_restart_without_progress_says_70 = test_a_broken_shard_is_computed_again = None  # the same in any family

    def test_stop_signal_in_training_saves_the_epoch(self):
        self.stop_in_training("target.ckpt", 4)


if __name__ == "__main__":
    common.main()
