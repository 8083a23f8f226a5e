"""Two hosts on one machine: network namespaces with host names and addresses of their own, and a cable between them.

They share the machine's file system, as the nodes of a cluster do. Needs root. A namespace lives as long as its sleeping
process, so nothing is left behind even if stop() is never called and the test is killed with its children.
"""
import os
import shutil
import subprocess


def why_not():
    """Why no namespaces can be made here; None if they can."""
    lacking = [p for p in ("ip", "unshare", "nsenter") if not shutil.which(p)]
    if lacking:
        return f"no {', '.join(lacking)} (apt-get install iproute2 util-linux)"
    if os.getuid() != 0:
        return "not root"
    tried = subprocess.run(["unshare", "--net", "--uts", "true"], text=True, capture_output=True)
    return f"no network namespaces: {tried.stderr.strip()}" if tried.returncode else None


class Host:
    def __init__(self, name, address):
        self.name, self.address = name, address
        # The shell names the host, says so, and sleeps for ever
        self.holder = subprocess.Popen(
            ["unshare", "--net", "--uts", "sh", "-c", f"hostname {name} && ip link set lo up && echo up && exec sleep inf"],
            stdout=subprocess.PIPE, text=True)
        assert self.holder.stdout.readline() == "up\n", f"{name}: no namespace"
        self.enter = ["nsenter", "--net", "--uts", f"--target={self.holder.pid}"]

    def run(self, *command):
        subprocess.run([*self.enter, *command], check=True)

    def stop(self):
        self.holder.kill()
        self.holder.wait()
        self.holder.stdout.close()


class TwoHosts:
    def __init__(self, folder):
        self.hosts = [Host("alpha", "10.77.0.1"), Host("beta", "10.77.0.2")]
        alpha, beta = self.hosts
        alpha.run("ip", "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", str(beta.holder.pid))
        for host in self.hosts:
            host.run("ip", "address", "add", f"{host.address}/24", "dev", "eth0")
            host.run("ip", "link", "set", "eth0", "up")
        # What mpirun calls in place of ssh: agent ADDRESS COMMAND...
        self.agent = folder / "agent"
        cases = "\n".join(f"{h.address}) exec {' '.join(h.enter)} sh -c \"$*\" ;;" for h in self.hosts)
        self.agent.write_text(f"#!/bin/sh\nhost=$1\nshift\ncase $host in\n{cases}\nesac\n")
        self.agent.chmod(0o755)

    def mpirun(self, program, ranks_per_host, *options):
        """The command prefix that starts ranks on both hosts, the first ones on alpha."""
        hosts = ",".join(f"{h.address}:{ranks_per_host}" for h in self.hosts)
        return [*self.hosts[0].enter, program, "--mca", "plm_rsh_agent", str(self.agent), "--host", hosts,
                "--oversubscribe", "--bind-to", "none", *options]

    def cut(self):
        """Pulls the cable: packets vanish, nobody is told."""
        self.hosts[1].run("ip", "link", "set", "eth0", "down")

    def mend(self):
        self.hosts[1].run("ip", "link", "set", "eth0", "up")

    def stop(self):
        for host in self.hosts:
            host.stop()


if __name__ == "__main__":  # tests/run.sh asks
    problem = why_not()
    print("tests with label hosts: " + (f"skipped: {problem}" if problem else "will run"))
