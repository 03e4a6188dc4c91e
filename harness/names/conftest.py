"""Programs under Gaiter on a host of their own, where names lead to whom a test says."""

import os

import pytest

from harness.lib.hosts import Host
from harness.lib.peers import PYTHON
from harness.lib.pki import issue

HERE = os.path.dirname(os.path.abspath(__file__))
A, B = "a.apps.internal", "b.apps.internal"
MANY = [f"n{number}.apps.internal" for number in range(300)]
PORT = 7000  # the network is the test's own


class World:
    """A host without any network but itself. Its /etc/hosts has all of A, B and MANY for one
    address, its name server what resolver() says."""

    def __init__(self, place, processes, side, pki):
        self.place, self.processes, self.side, self.pki = place, processes, side, pki
        self.host = Host(place, "host.internal", 1, processes)
        self.host.run("ip", "link", "set", "lo", "up")
        self.bind("hosts", f"127.0.0.1 localhost host.internal {A} {B} {' '.join(MANY)}\n")
        self.bind("resolv.conf", "nameserver 127.0.0.1\noptions timeout:2\n")

    def bind(self, name, text):
        path = os.path.join(self.place, name)
        with open(path, "w", encoding="ascii") as out:
            out.write(text)
        self.host.run("mount", "--bind", path, f"/etc/{name}")

    def web(self, *names, address="127.0.0.1"):
        """A server at PORT, with a certificate for `names`."""
        files = issue("server", self.pki.ca, names=names).files(self.place, "web")
        server = self.processes.start(self.host.command(
            PYTHON, os.path.join(HERE, "programs", "web.py"), address, PORT, *files), name="web")
        server.wait_output(b"ready")

    def resolver(self, **names):
        table = [f"{name.replace('_', '.')}={where}" for name, where in names.items()]
        server = self.processes.start(self.host.command(
            PYTHON, os.path.join(HERE, "programs", "name_server.py"), *table), name="dns")
        server.wait_output(b"ready")

    def policy(self, **settings):
        self.side.outbound(PORT, **settings)

    def start(self, *argv, name=None, **environment):
        return self.processes.start(
            self.host.command(*argv), name=name,
            environment=self.side.environment(**environment))

    def run(self, *argv, gaiter=True, timeout=30, **environment):
        """What it printed, whether or not it failed."""
        under = self.side.environment(**environment) if gaiter else environment
        return self.processes.run(self.host.command(*argv), environment=under, check=False,
                                  timeout=timeout).text


@pytest.fixture
def world(place, processes, client_side, pki):
    made = World(place, processes, client_side, pki)
    made.policy()
    return made


def pytest_collection_modifyitems(items):
    if os.geteuid() == 0:
        return
    for item in items:
        if item.module and "harness.names" in item.module.__name__:
            item.add_marker(pytest.mark.skip(reason="a host of the test's own needs root"))
