"""Two hosts on this machine: network, mount and host-name namespaces of their own, joined by a
cable. Each has its own /etc, so that a program there can be root with the usual paths."""

import os
import subprocess

NETWORK = "10.77.0"


class Host:
    """A host called `name`, as long as its holder runs. `command(...)` is what a Process must run
    to be there."""

    def __init__(self, place, name, number, processes):
        self.name = name
        self.address = f"{NETWORK}.{number}"
        self.disk = os.path.join(place, name)
        os.mkdir(self.disk)
        self._holder = processes.start(
            ["unshare", "--net", "--mount", "--uts", "sh", "-c", "echo ready; exec sleep infinity"],
            name=f"host-{name}")
        self._holder.wait_output(b"ready")
        self.pid = self._holder.pid

    def command(self, *words):
        return ["nsenter", "--target", str(self.pid), "--net", "--mount", "--uts",
                *(str(word) for word in words)]

    def shell_command(self, line):
        """A line of a shell there, as a user types it."""
        return self.command("sh", "-ec", f"cd {self.disk}; PATH={self.disk}/bin:$PATH; {line}")

    def run(self, *words, check=True):
        done = subprocess.run(self.command(*words), capture_output=True, text=True, timeout=30,
                              check=False)
        assert not check or done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done

    def shell(self, line):
        done = subprocess.run(self.shell_command(line), capture_output=True, text=True, timeout=30,
                              check=False)
        assert done.returncode == 0, f"{line}: {done.stdout}{done.stderr}"
        return done.stdout


def _own_etc(host, hosts):
    """An /etc that holds what this machine's does, and keeps what is written to it."""
    table = "".join(f"{one.address} {one.name}\n" for one in hosts)
    host.shell(
        f"mount -t tmpfs tmpfs {host.disk} && cd {host.disk} && mkdir upper work && "
        "mount -t overlay overlay -o lowerdir=/etc,upperdir=upper,workdir=work /etc && "
        "rm -rf /etc/gaiter && "
        f"printf '127.0.0.1 localhost\\n{table}' > /etc/hosts && hostname {host.name}")


def two_hosts(place, processes):
    """Two Hosts, a.internal and b.internal, that reach each other by name."""
    hosts = [Host(place, name, number, processes)
             for number, name in enumerate(("a.internal", "b.internal"), 1)]
    one, other = hosts
    one.run("ip", "link", "add", "cable", "type", "veth", "peer", "name", "cable", "netns",
            str(other.pid))
    for host in hosts:
        host.run("ip", "address", "add", f"{host.address}/24", "dev", "cable")
        for link in ("lo", "cable"):
            host.run("ip", "link", "set", link, "up")
        _own_etc(host, hosts)
    return hosts
