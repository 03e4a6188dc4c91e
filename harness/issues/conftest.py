"""Bugs that other projects had, each a case of programs/*.c: plain and under Gaiter, it prints the
same, and a relay that stands between sees TLS alone."""

import glob
import os
import subprocess

import pytest

from harness.lib import gaiter

HERE = os.path.dirname(os.path.abspath(__file__))
PARITY = os.path.join(gaiter.REPOSITORY, "harness", "parity", "programs", "data")
SOURCES = [os.path.join(PARITY, "parity.c"),
           *sorted(glob.glob(os.path.join(HERE, "programs", "*.c")))]
SECRET = "never to be seen on the wire"  # of issues.h too

LOCAL = ["-std=gnu17", "-D_GNU_SOURCE", "-O1", "-g", "-Wall", "-Wextra", "-Werror",
         "-Wno-nonnull", "-Wno-stringop-overflow", "-Wno-stringop-overread", "-Wno-unused-result"]


@pytest.fixture(scope="session")
def issues(tmp_path_factory):
    """The program that has all cases."""
    program = tmp_path_factory.mktemp("issues") / "issues"
    subprocess.run(["gcc", *LOCAL, "-I", PARITY, "-o", program, *SOURCES, "-lpthread"], check=True)
    return program


class Play:
    """A case once plain and once under Gaiter."""

    def __init__(self, processes, ports, relay, both, program, role):
        self.processes, self.ports, self.relay = processes, ports, relay
        self.both, self.program, self.role = both, program, role

    def once(self, case, environment=None):
        """What the case printed, and the relay that it went through."""
        port = self.ports.free()
        wire = self.relay(port, [SECRET.encode()])
        if environment is not None:
            self.both.inbound(port)
            self.both.outbound(wire.port, verify="chain")
            # Where a case is both ends itself, no relay stands between.
            self.both.outbound(port, verify="chain")
        done = self.processes.run([self.program, case, self.role, port, wire.port], timeout=25,
                                  environment=environment)
        return done.text, wire

    def __call__(self, case, wired=True, **variables):
        plain, _ = self.once(case)
        assert plain
        sealed, wire = self.once(case, self.both.environment(**variables))
        assert sealed == plain
        if wired:
            wire.prove(whole=False)
        return sealed


@pytest.fixture
def same_as_client(processes, ports, relay, side, pki, issues):
    """same_as_client(case, VARIABLE=...) plays a case of programs/*.c both ways, its subject as the
    client, and gives what it printed. The variables are for the protected one."""
    both = side("both", {"server": pki.server}, {"ca": pki.ca})
    return Play(processes, ports, relay, both, issues, "client")


@pytest.fixture(params=["client", "server"])
def same(request, same_as_client):
    """The same with the subject as client and as server."""
    same_as_client.role = request.param
    return same_as_client


@pytest.fixture
def echo(relay_to_echo):
    """The relay that leads to an echo server under Gaiter."""
    return relay_to_echo(SECRET)
