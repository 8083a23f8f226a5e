"""kill -9 of a random rank at a random moment, resumed on another number of ranks: the same bytes as undisturbed."""
import os
import pathlib
import random
import re
import signal
import subprocess
import time

import h5py

import common


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


class Kill(common.ProgramTest):
    # Long enough to be hit: training and pass take some seconds each
    SLOW = ("--set", "usage.augmentations=48", "--set", "compute.shard_size=16", "--set", "model.train.epochs=10")

    def start(self, job, output, ranks, *extra):
        return subprocess.Popen(common.command(["run", job, "--output", output, *self.SLOW, *extra], ranks),
                                env=common.ENVIRONMENT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def shards_on_disk(self, output):
        partial = output / "results.h5.partial"
        return partial.exists() and partial.stat().st_size > 0

    def kill_after(self, process, output, delay, during_pass, sig=signal.SIGKILL):
        """Sends `sig` to a random rank `delay` seconds into the run or the pass; False if it was over before."""
        while during_pass and not self.shards_on_disk(output) and process.poll() is None:
            time.sleep(0.002)
        time.sleep(delay)
        ranks = [p for p in children(process.pid)]
        if process.poll() is not None or not ranks:
            return False
        os.kill(self.random.choice(ranks), sig)
        return True

    def setUp(self):
        super().setUp()
        seed = common.options.seed if common.options.seed is not None else random.SystemRandom().randrange(10**6)
        print(f"(moments from --seed {seed})")
        self.random = random.Random(seed)
        self.job = common.make_job(self.folder)
        begin = time.monotonic()
        common.assay("run", self.job, "--output", self.folder / "whole", *self.SLOW, ranks=2)
        self.duration = time.monotonic() - begin

    def check_resumed(self, output, ranks):
        done = common.assay("run", self.job, "--output", output, *self.SLOW, "--resume", ranks=ranks)
        self.assertEqual(common.differences(self.folder / "whole/results.h5", output / "results.h5"), "")
        return re.search(r"resuming: (\d+) of (\d+) shards", done.stderr)

    def test_killed_and_resumed(self):
        done, resumed = 0, 0
        for attempt in range(5 * common.options.kills):
            if done == common.options.kills:
                break
            ranks = self.random.choice((2, 3, 4))
            during_pass = done % 2 == 0
            output = self.folder / f"killed{attempt}"
            process = self.start(self.job, output, ranks)
            longest = self.duration * (0.3 if during_pass else 1)
            hit = self.kill_after(process, output, self.random.uniform(0, longest), during_pass)
            process.communicate(timeout=100)
            if not hit or (output / "results.h5").exists():
                continue  # came too late
            self.assertNotEqual(process.returncode, 0)
            again = self.random.choice([r for r in (1, 2, 3, 4) if r != ranks])
            log = self.check_resumed(output, again)
            print(f"kill {done}: {ranks} ranks, resumed on {again}: "
                  + (f"{log[1]} of {log[2]} shards not recomputed" if log else "killed before the first shard"))
            resumed += log is not None
            done += 1
        self.assertEqual(done, common.options.kills, "too many kills came too late")
        self.assertGreater(resumed, 0, "no run was killed with finished shards: nothing was shown")

    def stop_in_the_pass(self):
        """A run of two ranks, one of them sent SIGTERM when some shards, not all, are on disk; its folder."""
        for delay in (0.2, 0.1, 0.4, 0.05, 0.8, 1.6):
            output = self.folder / f"stopped{delay}"
            process = self.start(self.job, output, 2)
            self.kill_after(process, output, delay, True, signal.SIGTERM)
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
        self.assertEqual(common.differences(self.folder / "whole/results.h5", output / "results.h5"), "")


if __name__ == "__main__":
    common.main()
