"""A real Slurm for the tests: munged, slurmctld and one slurmd per host, started in folders and on ports of their own.

Nothing of the machine's own Slurm is read or disturbed: clients find this one by SLURM_CONF, and stop() ends only the
processes that start() made. Needs root and Debian's slurmctld, slurmd, slurm-client and munge; why_not() says what lacks.
"""
import os
import pathlib
import re
import secrets
import shutil
import socket
import subprocess
import time
import unittest

SKIPPED = 77  # ctest's SKIP_RETURN_CODE

CONFIGURATION = """
ClusterName=assay
SlurmctldHost={controller}
SlurmUser=root
SlurmdUser=root
# A requeued job waits as long as a credential lives: 2 minutes unless told
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
SlurmctldPort={controller_port}
SlurmdPort={node_port}
StateSaveLocation={folder}/state
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/%n/slurmd.pid
SlurmdSpoolDir={folder}/%n/spool
SlurmdLogFile={folder}/%n/slurmd.log
# No cgroups: nothing is bound, limited or isolated
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
MpiDefault=pmix
# Look at the queue every second instead of every minute
SchedulerParameters=sched_interval=1,sched_min_interval=0,bf_interval=1,batch_sched_delay=0
KillWait=10
SlurmctldTimeout=10
SlurmdTimeout={node_timeout}
ReturnToService=2
# The nodes have fewer processors, less memory and no GPUs
SlurmdParameters=config_overrides
GresTypes=gpu
{nodes}
PartitionName=test Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def why_not():
    """Why no Slurm can be started here; None if one can."""
    lacking = [p for p in ("munged", "slurmctld", "slurmd", "sbatch", "srun") if not shutil.which(p)]
    if lacking:
        return f"no {', '.join(lacking)} (apt-get install slurmctld slurmd slurm-client munge)"
    return None if os.getuid() == 0 else "not root, and slurmd starts jobs as other users"


def wait_until(condition, seconds, what):
    """The first true value of condition(); fails after so many seconds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if value := condition():
            return value
        time.sleep(0.1)
    raise TimeoutError(f"{what}: not within {seconds} s")


def free_ports(count):
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [s.getsockname()[1] for s in held]
    for s in held:
        s.close()
    return ports


class Host:
    """Where a node runs: by default this very machine. `enter` is the command prefix that gets there."""

    def __init__(self, name=None, address="127.0.0.1", enter=()):
        self.name, self.address, self.enter = name or socket.gethostname().split(".")[0], address, list(enter)


class Slurm:
    def __init__(self, folder, hosts=(Host(),), cpus=16, node_timeout=300):
        self.folder = pathlib.Path(folder)
        self.hosts = hosts
        self.daemons = {}
        (self.folder / "state").mkdir(parents=True)
        self.folder.chmod(0o755)
        for gpu in range(2):  # files in place of devices: Slurm counts and hands them out, nobody computes on them
            (self.folder / f"gpu{gpu}").touch()
        controller_port, node_port = free_ports(2)
        text = CONFIGURATION.format(
            folder=self.folder, controller=f"{hosts[0].name}({hosts[0].address})", controller_port=controller_port,
            node_port=node_port, node_timeout=node_timeout,
            nodes="\n".join(f"NodeName={h.name} NodeAddr={h.address} CPUs={cpus} RealMemory=64000 Gres=gpu:2"
                            for h in hosts))
        for host in hosts:  # the same on each, but for the place of PMIx's files: hosts here share one /tmp
            node = self.folder / host.name
            (node / "tmp").mkdir(parents=True)
            (node / "slurm.conf").write_text(text)
            (node / "gres.conf").write_text(f"Name=gpu File={self.folder}/gpu[0-1]\n")
            (node / "mpi.conf").write_text(f"PMIxCliTmpDirBase={node}/tmp\n")
        self.environment = {**{k: v for k, v in os.environ.items() if not k.startswith("SLURM")},
                            "SLURM_CONF": str(self.folder / hosts[0].name / "slurm.conf")}

    def start(self):
        key = self.folder / "munge.key"
        key.write_bytes(secrets.token_bytes(128))
        key.chmod(0o600)
        at = lambda kind: f"{self.folder}/munge.{kind}"
        self.launch("munged", [], ["munged", "--foreground", "--force", f"--key-file={key}",
                                   f"--socket={at('socket')}", f"--pid-file={at('pid')}",
                                   f"--log-file={at('log')}", f"--seed-file={at('seed')}"])
        wait_until((self.folder / "munge.socket").exists, 20, "munged")
        self.launch("slurmctld", self.hosts[0].enter, ["slurmctld", "-D"])
        for host in self.hosts:
            self.launch(f"slurmd-{host.name}", host.enter,
                        ["slurmd", "-D", "-N", host.name, "-f", self.folder / host.name / "slurm.conf"])
        try:
            wait_until(lambda: self.node_states() == {"idle"}, 60, "idle nodes")
        except TimeoutError:  # in a chroot without /sys/fs/cgroup, for one: the daemons' own words say why
            lines = [line for log in self.folder.glob("slurm*.out") for line in log.read_text().splitlines()]
            said = "; ".join([line for line in lines if "error" in line][-4:])
            self.stop()
            raise unittest.SkipTest(f"Slurm does not come up on this machine: {said}") from None

    def launch(self, name, enter, command):
        with open(self.folder / f"{name}.out", "wb") as log:
            self.daemons[name] = subprocess.Popen([str(c) for c in (*enter, *command)], stdin=subprocess.DEVNULL,
                                                  env=self.environment, stdout=log, stderr=log)

    def stop(self):
        """Cancels what runs, then ends the daemons, the last started first."""
        if "slurmctld" in self.daemons:
            self.run("scancel", "--user=root", check=False)
            try:
                wait_until(lambda: not self.run("squeue", "-h", check=False), 30, "empty queue")
            except TimeoutError:
                print(self.run("squeue", check=False))
        for daemon in reversed(self.daemons.values()):
            daemon.terminate()
            try:
                daemon.wait(20)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()

    def logs(self):
        return "\n".join(f"--- {p.name}\n{p.read_text(errors='replace')[-3000:]}"
                         for p in (self.folder / "slurmctld.out", *self.folder.glob("*/slurmd.log")))

    # --- what users do ---------------------------------------------------------------------------------------

    def run(self, *command, check=True, cwd=None, **environment):
        done = subprocess.run([*self.hosts[0].enter, *map(str, command)], env={**self.environment, **environment},
                              text=True, capture_output=True, timeout=60, cwd=cwd)
        if check and done.returncode != 0:
            raise RuntimeError(f"{command}: {done.stdout}{done.stderr}")
        return done.stdout

    def node_states(self):
        return set(self.run("sinfo", "-h", "-N", "-o", "%T", check=False).split())

    def submit(self, *arguments, cwd, **environment):
        """sbatch; returns the job's number."""
        return self.run("sbatch", "--parsable", *arguments, cwd=cwd, **environment).split(";")[0].strip()

    def job(self, number):
        """What scontrol knows of a job (of the first task of an array)."""
        text = self.run("scontrol", "show", "job", number, "--oneliner")
        return dict(re.findall(r"(\S+?)=(\S*)", text.splitlines()[0]))

    def wait(self, number, states, seconds):
        """Waits until the job is in one of these states; returns its description."""
        def reached():
            job = self.job(number)
            return job if job["JobState"] in states else None
        try:
            return wait_until(reached, seconds, f"job {number} in {states}")
        except TimeoutError:
            raise AssertionError(f"{self.job(number)}\n{self.logs()}") from None


if __name__ == "__main__":  # tests/run.sh asks
    problem = why_not()
    print("tests with label slurm: " + (f"skipped: {problem}" if problem else "will run"))
