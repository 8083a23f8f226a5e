"""kill -9 of random ranks at random moments, again and again, resumed on random numbers of ranks: the same bytes as
undisturbed after every chain of kills. Prints where the kills struck and what was kept (docs/faults.md)."""
import argparse
import collections
import concurrent.futures
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time

import h5py

import common

LIMIT = 300  # seconds; what takes longer hangs
JOB = ("--set", "model.train.network=mlp", "--set", "model.train.checkpoint_every=1", "--set", "usage.augmentations=24",
       "--set", "compute.shard_size=16")
# With redrawn partners and reference models, in whose making the kills shall strike
CALIBRATED = ("--set", "usage.reference=partners", "--set", "model.train.epochs=1", "--set", "usage.augmentations=2",
              "--set", "generator.network=ddpm", "--set", "generator.width=8", "--set", "generator.epochs=3",
              "--set", "generator.batch_size=40", "--set", "generator.checkpoint_every=1",
              "--set", "usage.references.count=4", "--set", "usage.references.network=cnn",
              "--set", "usage.references.width=8", "--set", "usage.references.epochs=15",
              "--set", "usage.references.checkpoint_every=1")


class Run:
    """A run under mpirun, its error output kept as it comes."""

    def __init__(self, job, output, ranks, resume):
        settings = JOB + (CALIBRATED if common.options.calibrated else ())
        command = common.command(["run", job, "--output", output, *settings, *(["--resume"] if resume else [])], ranks)
        self.process = subprocess.Popen(command, env=common.ENVIRONMENT, text=True, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.PIPE)
        self.begun = threading.Event()
        self.errors = ""
        self.reader = threading.Thread(target=self.read)
        self.reader.start()

    def read(self):
        for line in self.process.stderr:
            self.errors += line
            if "suspects," in line:  # libraries are loaded, inputs read
                self.begun.set()
        self.begun.set()

    def wait(self):
        """The exit code."""
        try:
            self.process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            self.process.terminate()
            raise AssertionError(f"hangs (no end after {LIMIT} s): {self.errors[-600:]}") from None
        self.reader.join()
        return self.process.returncode


def state_of(output):
    """Shards marked in the unfinished file, and what that says of the moment."""
    if (output / "results.h5.partial").exists():
        with h5py.File(output / "results.h5.partial") as file:
            done = file["ledger/shard_done"][:]
        marked = int(done.sum())
        return marked, ("first shards" if marked == 0 else "in the pass" if marked < len(done) else "reducing")
    for made, moment in (("references", "training references"), ("partners.h5", "training references"),
                         ("partners.h5.partial", "making partners"), ("generator.ckpt", "training the generator"),
                         ("target.ckpt", "training")):
        if (output / made).exists():
            return 0, moment
    return 0, "before the first checkpoint"


def digests(output):
    """Of what a run leaves."""
    return [common.digest(output / name) for name in ("results.h5", "partners.h5") if (output / name).exists()]


# Moments that the kills are for: --calibrated or not
WANTED = {False: ("in the pass",), True: ("training the generator", "making partners", "training references")}


class Soak:
    def __init__(self, job, whole, duration, kills, seed):
        self.job, self.whole, self.duration, self.kills = job, whole, duration, kills
        self.wanted = WANTED[common.options.calibrated]
        self.random, self.lock = random.Random(seed), threading.Lock()
        self.tally, self.chains, self.late, self.kept = collections.Counter(), 0, 0, 0

    def draw(self, choose):
        with self.lock:
            return choose(self.random)

    def struck(self, output, ranks, whom):
        marked, moment = state_of(output)
        with self.lock:
            self.tally[moment, whom] += 1
            number = self.tally.total()
        print(f"kill {number}: {whom} of {ranks} ranks, {moment}, {marked} shards marked", flush=True)

    def enough(self):
        """So many kills as asked for, and more (up to ten times as many) while chance spared what they are for."""
        with self.lock:
            return self.tally.total() >= (self.kills if self.struck_wanted() else 10 * self.kills)

    def struck_wanted(self):
        return all(self.tally[moment, "one"] + self.tally[moment, "all"] for moment in self.wanted)

    def wait_for_the_moment(self, run, output):
        """Anywhere in the run; or, of several wanted moments, at the one struck least so far."""
        if len(self.wanted) == 1:
            return time.sleep(self.draw(lambda r: r.uniform(0, self.duration)))
        with self.lock:
            moment = min(self.wanted, key=lambda m: self.tally[m, "one"] + self.tally[m, "all"])
        while (not (output / "results.h5.partial").exists() and state_of(output)[1] != moment
               and run.process.poll() is None):
            time.sleep(0.002)
        time.sleep(self.draw(lambda r: r.uniform(0, 0.3)))

    def kill_once(self, output, resume):
        """False if the run was over before."""
        ranks = self.draw(lambda r: r.choice((2, 3, 4)))
        run = Run(self.job, output, ranks, resume)
        run.begun.wait(LIMIT)
        self.wait_for_the_moment(run, output)
        whom = self.draw(lambda r: r.choice(("one", "one", "all")))
        victims = common.children(run.process.pid)
        if len(victims) == ranks:
            for victim in victims if whom == "all" else [self.draw(lambda r: r.choice(victims))]:
                try:
                    os.kill(victim, signal.SIGKILL)
                except ProcessLookupError:
                    pass  # over meanwhile
        code = run.wait()
        if (output / "results.h5").exists():
            assert digests(output) == self.whole, "a finished file with other bytes"
            with self.lock:
                self.late += 1
            return False
        assert code != 0 and "assay: " not in run.errors, run.errors[-600:]
        self.struck(output, ranks, whom)
        return True

    def finish(self, output):
        """Resumes to the end; the bytes must be those of the undisturbed run, all marked shards kept."""
        marked, _ = state_of(output)
        run = Run(self.job, output, self.draw(lambda r: r.choice((1, 2, 3, 4))), True)
        assert run.wait() == 0, run.errors[-600:]
        assert digests(output) == self.whole, "other bytes"
        with h5py.File(output / "results.h5") as file:
            kept = int(file.attrs["shards_resumed"])
        assert kept == marked, f"{kept} shards kept of {marked} marked"
        with self.lock:
            self.chains += 1
            self.kept += kept

    def chain(self, output):
        """Kills one run once or several times, then lets it end."""
        resume = False
        while self.kill_once(output, resume):
            resume = True
            if self.enough() or self.draw(lambda r: r.random() < 0.5):
                return self.finish(output)

    def worker(self, folder):
        number = 0
        while not self.enough():
            self.chain(folder / str(number))
            number += 1

    def print_tally(self):
        moments = ("before the first checkpoint", "training", "training the generator", "making partners",
                   "training references", "first shards", "in the pass", "reducing")
        print("\n| moment | one rank killed | all ranks killed |\n|---|---|---|")
        for moment in moments:
            print(f"| {moment} | {self.tally[moment, 'one']} | {self.tally[moment, 'all']} |")
        print(f"\n{self.tally.total()} kills in {self.chains} runs, each resumed to the end with the bytes of an "
              f"undisturbed run; {self.kept} shards marked before the last kill, all kept; "
              f"{self.late} runs were over before their kill")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--assay", required=True)
    parser.add_argument("--mpirun", default="mpirun")
    parser.add_argument("--calibrated", action="store_true", help="a job with redrawn partners and reference models")
    parser.add_argument("--kills", type=int, default=6)
    parser.add_argument("--workers", type=int, default=1, help="runs killed at a time")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6), help="of the moments")
    options = common.options = parser.parse_args()
    options.assay = os.path.abspath(options.assay)
    print(f"(moments from --seed {options.seed})")
    with tempfile.TemporaryDirectory(prefix="assay-soak-") as scratch:
        folder = pathlib.Path(scratch)
        job = common.make_job(folder)
        whole = Run(job, folder / "whole", 2, False)
        whole.begun.wait(LIMIT)
        begin = time.monotonic()
        assert whole.wait() == 0, whole.errors
        soak = Soak(job, digests(folder / "whole"), time.monotonic() - begin, options.kills,
                    options.seed)
        with concurrent.futures.ThreadPoolExecutor(options.workers) as workers:
            folders = [folder / f"worker{n}" for n in range(options.workers)]
            for made in folders:
                made.mkdir()
            list(workers.map(soak.worker, folders))
        soak.print_tally()
    return not soak.struck_wanted()  # then nothing was shown


if __name__ == "__main__":
    sys.exit(main())
