"""poll, select and epoll say of a connection under Gaiter what they say of a plain one.

Every case of programs/readiness.c is run plain and under Gaiter, and must print the same. What
only Gaiter can get wrong (handshakes that stall, halves of records) has tests of its own below.
"""

import os
import re
import socket
import subprocess
import time

import pytest

from harness.lib.gaiter import BUILD

SOURCE = os.path.join(os.path.dirname(__file__), "programs", "readiness.c")

with open(SOURCE, encoding="ascii") as _text:
    CASES = re.findall(r"\bCASE\((\w+)\)[,}]", _text.read())


@pytest.fixture(scope="session")
def program(tmp_path_factory):
    path = str(tmp_path_factory.mktemp("readiness") / "readiness")
    subprocess.run(["cc", "-O1", "-g", "-w", "-pthread", "-o", path, SOURCE], check=True)
    return path


def play(processes, program, case, role, port, refused, environment=None):
    return processes.run([program, case, role, port, refused], environment=environment,
                         timeout=50).text


@pytest.mark.limit(110)
@pytest.mark.parametrize("role", ["server", "client"])
@pytest.mark.parametrize("case", CASES)
def test_the_same_as_plain(processes, ports, program, side, pki, case, role):
    plain = play(processes, program, case, role, ports.free(), ports.free())
    assert plain.strip()
    both = side("both", {"server": pki.server}, {"ca": pki.ca})
    port, refused = ports.free(), ports.free()
    both.inbound(port)
    both.outbound(port, server_name="localhost")
    both.outbound(refused, server_name="localhost")
    sealed = play(processes, program, case, role, port, refused, both.environment())
    assert sealed == plain
