"""Every fault at every point of a run, resumed on the same, fewer and more ranks: the table of docs/faults.md.

A cell is good if the run ended with the bytes of an undisturbed one, or was killed, or refused to go on with one line
that names the file and says what to do - and if, the cause removed, --resume ends with those bytes on any number of
ranks, having kept every shard that was marked. Small disks need the right to mount; without it those rows are skipped.
"""
import argparse
import collections
import concurrent.futures
import fcntl
import os
import pathlib
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import time

import h5py

import common

RANKS = 2
RESUMED_ON = (2, 1, 3)  # the same, fewer, more
LIMIT = 300            # seconds any run may take: what takes longer hangs
FAST = ("--set", "model.train.network=mlp", "--set", "model.train.epochs=3", "--set", "model.train.checkpoint_every=1",
        "--set", "usage.augmentations=2", "--set", "usage.bootstrap=50")

# Points of a run and the time of passing at which the fault strikes (16 shards, 8 columns, 8 rounds on two ranks)
POINTS = {"checkpoint": 2, "create": 1, "shard": 20, "mark": 3, "reduce": 1, "rename": 1}

# What the shell does when root is at the point; $PPID is root
OTHERS = "$(cat /proc/$(cut -d' ' -f4 /proc/$PPID/stat)/task/*/children)"
Fault = collections.namedtuple("Fault", "disk command ends", defaults=(None, "", "refused"))
FAULTS = {
    "kill -9 root": Fault(command="kill -9 $PPID", ends="killed"),
    # The launcher needs a moment to end root; it stays at the point till then
    "kill -9 another rank": Fault(command=f"for p in {OTHERS}; do [ $p = $PPID ] || kill -9 $p; done; sleep 5",
                                  ends="killed"),
    "SIGTERM": Fault(command="kill -TERM $PPID", ends="stopped"),
    "disk full": Fault("tmpfs", "cat /dev/zero >{disk}/filler; true"),
    "file size limit": Fault(command=f"for p in {OTHERS}; do prlimit --pid $p --fsize=4096; done"),
    "size limit, one rank": Fault(command="prlimit --pid $PPID --fsize=4096"),
    "read-only": Fault("ext4", "echo 1 >/sys/fs/ext4/{device}/trigger_fs_error"),
    "slow write, killed": Fault(command="(sleep 0.02; kill -9 $PPID) &", ends="killed"),
    "power loss": Fault("ext4", f"{sys.executable} {__file__} --shut-down {{disk}}; kill -9 {OTHERS}", ends="killed"),
}


class CannotMount(Exception):
    pass


class Disk:
    """A small file system of its own, or a plain folder."""

    def __init__(self, kind, folder):
        self.kind, self.path, self.image, self.device = kind, folder / "disk", folder / "image", ""
        self.path.mkdir()
        if kind == "tmpfs":
            self.call("mount", "-t", "tmpfs", "-o", "size=2m", "none", self.path)
        elif kind == "ext4":
            with open(self.image, "wb") as file:
                file.truncate(32 << 20)
            self.call("mkfs.ext4", "-q", self.image)
            self.mount()

    @staticmethod
    def call(*command):
        done = subprocess.run([str(c) for c in command], text=True, capture_output=True)
        if done.returncode != 0:
            raise CannotMount(f"{command[0]}: {done.stderr.strip()}")
        return done.stdout

    def mount(self):
        # A device of its own each time: another mount namespace may hold on to the broken file system of the last
        self.device = self.call("losetup", "--find", "--show", self.image).strip()
        self.call("mount", "-o", "errors=remount-ro", self.device, self.path)

    def mend(self):
        """Removes the cause, as an administrator would."""
        if self.kind == "tmpfs":
            (self.path / "filler").unlink(missing_ok=True)
        elif self.kind == "ext4":
            self.close()
            subprocess.run(["e2fsck", "-fy", str(self.image)], capture_output=True)
            self.mount()

    def close(self):
        if self.kind:
            subprocess.run(["umount", str(self.path)], capture_output=True)
        if self.device:  # goes when its last user has gone
            subprocess.run(["losetup", "--detach", self.device], capture_output=True)


def shut_down(path):
    """Cuts an ext4 off from its device: what is not on the device by now never will be."""
    folder = os.open(path, os.O_RDONLY)
    fcntl.ioctl(folder, 0x8004587D, struct.pack("I", 2))  # EXT4_IOC_SHUTDOWN, EXT4_GOING_FLAGS_NOLOGFLUSH


class Failure(Exception):
    pass


def run(job, output, ranks, resume=False, environment={}):
    command = common.command(["run", job, "--output", output, *FAST, *(["--resume"] if resume else [])], ranks)
    process = subprocess.Popen(command, env={**common.ENVIRONMENT, **environment}, text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        process.communicate_result = process.communicate(timeout=LIMIT)
    except subprocess.TimeoutExpired:
        process.terminate()
        process.communicate()
        raise Failure(f"hangs (no end after {LIMIT} s)") from None
    return process.returncode, *process.communicate_result


def judge(result, output, whole, ends):
    """How a run ended, in words that begin with "same bytes", "killed", "stopped" or "refused"; else Failure."""
    code, _, errors = result
    results = output / "results.h5"
    if results.exists() and common.digest(results) != whole:
        raise Failure("a finished file with other bytes")
    if code == 0:
        if not results.exists():
            raise Failure("exit code 0, and no results")
        return "same bytes"
    said = [line for line in errors.splitlines() if line.startswith("assay: ")]
    if code not in (65, 74, 75):
        if ends == "killed" and not said:
            return "killed"
        raise Failure(f"exit code {code}: {said or errors[-600:]}")
    if len(said) != 1 or not re.search(r"--resume|--output|--overwrite", said[0]):
        raise Failure(f"exit code {code} without one line that says what to do: {said or errors[-600:]}")
    if code != 75 and str(output) not in said[0]:
        raise Failure(f"names no file: {said[0]}")
    if common.options.verbose:
        print(said[0])
    if results.exists():
        return f"same bytes, no summary ({code})"
    return "stopped (75)" if code == 75 else f"refused ({code})"


def marked_shards(output):
    """How many shards the unfinished file of `output` claims to hold; None if there is none."""
    if not (output / "results.h5.partial").exists():
        return None
    with h5py.File(output / "results.h5.partial") as file:
        return int(file["ledger/shard_done"][:].sum())


def check_resumed(job, output, ranks, whole, may_forget):
    """Resumes to the end; how many shards were kept, None if there was nothing left to compute."""
    finished = (output / "results.h5").exists()
    marked = marked_shards(output)
    result = run(job, output, ranks, resume=True)
    if result[0] != 0 or judge(result, output, whole, "") != "same bytes":
        raise Failure(f"resumed on {ranks}: exit code {result[0]}: {result[2][-600:]}")
    with h5py.File(output / "results.h5") as file:
        kept = int(file.attrs["shards_resumed"])
    if not finished and kept != (marked or 0) and not (may_forget and kept < marked):
        raise Failure(f"resumed on {ranks}: {kept} shards kept of {marked} marked")
    return None if finished else kept


def try_cell(job, folder, fault_name, point, resumed_on, whole):
    """One fault at one point; a line that says what happened."""
    fault = FAULTS[fault_name]
    disk = Disk(fault.disk, folder)
    try:
        output = disk.path / "out"
        struck = folder / "struck"
        command = fault.command.format(disk=disk.path, device=os.path.basename(disk.device))
        environment = {"ASSAY_FAULT_POINT": point, "ASSAY_FAULT_COUNT": str(POINTS[point]),
                       "ASSAY_FAULT_COMMAND": f"touch {struck}; {command}"}
        if fault_name.startswith("slow"):
            environment["ASSAY_SLOW_WRITES"] = "1"
        end = judge(run(job, output, RANKS, environment=environment), output, whole, fault.ends)
        if not struck.exists():
            raise Failure("the fault did not strike")
        if fault.ends == "killed" and end == "same bytes":
            raise Failure("the kill came too late")
        again = ""
        if fault_name in ("disk full", "read-only"):
            again = ", again " + judge(run(job, output, RANKS, resume=True), output, whole, fault.ends)
        disk.mend()
        kept = []
        for ranks in resumed_on:
            copy = folder / f"on{ranks}"
            shutil.copytree(output, copy)
            kept.append(check_resumed(job, copy, ranks, whole, may_forget=fault_name == "power loss"))
        if None in kept:
            return end + again
        if point in ("shard", "mark") and min(kept) == 0:
            raise Failure("nothing was kept of the shards marked before")
        return f"{end}{again}; kept {', '.join(map(str, kept))}"
    finally:
        disk.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--assay", help="the program with the fault injector (build/release/tests/assay_faulty)")
    parser.add_argument("--mpirun", default="mpirun")
    parser.add_argument("--fault", help="only faults whose name holds this")
    parser.add_argument("--point", help="only this point")
    parser.add_argument("--quick", action="store_true", help="each fault at one point, resumed on more ranks only")
    parser.add_argument("--verbose", action="store_true", help="print the refusals")
    parser.add_argument("--workers", type=int, default=2, help="cells tried at a time")
    parser.add_argument("--shut-down", help=argparse.SUPPRESS)
    options = common.options = parser.parse_args()
    if options.shut_down:
        return shut_down(options.shut_down)
    options.assay = os.path.abspath(options.assay)

    begin = time.monotonic()
    faults = [f for f in FAULTS if not options.fault or options.fault in f]
    points = [p for p in POINTS if not options.point or options.point == p]
    cells = [(f, p) for f in faults for p in points]
    if options.quick:
        cells = [(f, points[(1 + i) % len(points)]) for i, f in enumerate(faults)]
    table, failed, skipped = {}, 0, 0
    with tempfile.TemporaryDirectory(prefix="assay-faults-") as scratch:
        root = pathlib.Path(scratch)
        job = common.make_job(root)
        for name, environment in (("whole", {}), ("slow", {"ASSAY_SLOW_WRITES": "1"})):
            result = run(job, root / name, RANKS, environment=environment)
            if result[0] != 0:
                sys.exit(f"the undisturbed run fails: {result[2]}")
        whole = common.digest(root / "whole/results.h5")
        if common.digest(root / "slow/results.h5") != whole:
            sys.exit("slow writes change the results")
        if any(root.joinpath("whole").glob("*.partial*")):
            sys.exit("a finished run leaves a partial file")

        def attempt(numbered):
            number, (fault, point) = numbered
            folder = root / str(number)
            folder.mkdir()
            try:
                return fault, point, try_cell(job, folder, fault, point, RESUMED_ON[2:] if options.quick else RESUMED_ON,
                                              whole), "ok"
            except Failure as failure:
                return fault, point, f"FAIL {failure}", "failed"
            except CannotMount as reason:
                return fault, point, f"skipped ({reason})", "skipped"

        with concurrent.futures.ThreadPoolExecutor(options.workers) as workers:
            for fault, point, said, verdict in workers.map(attempt, enumerate(cells)):
                print(f"{fault} at {point}: {said}", flush=True)
                table[fault, point] = said
                failed += verdict == "failed"
                skipped += verdict == "skipped"

    print(f"\nAfter the fault the run ended so; then --resume on {', '.join(map(str, RESUMED_ON))} ranks ended with the "
          "bytes of an undisturbed run,\nhaving kept so many of 16 shards:\n")
    print("| fault | " + " | ".join(points) + " |\n|" + "---|" * (1 + len(points)))
    for fault in faults:
        print(f"| {fault} | " + " | ".join(table.get((fault, p), "") for p in points) + " |")
    print(f"\n{len(cells) - failed - skipped} cells good, {failed} failed, {skipped} skipped, "
          f"{time.monotonic() - begin:.0f} s")
    return failed > 0 or failed + skipped == len(cells)


if __name__ == "__main__":
    sys.exit(main())
