"""Fork, exit, signals, threads, descriptor numbers around an open connection: as on plain TCP."""

import os
import re
import subprocess

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.join(HERE, "programs", "processes.c")
with open(SOURCE, encoding="utf-8") as source:
    CASES = re.findall(r'^    \{"(\w+)",', source.read(), re.MULTILINE)


@pytest.fixture(scope="session")
def program(tmp_path_factory):
    path = str(tmp_path_factory.mktemp("processes") / "processes")
    subprocess.run(["gcc", "-O1", "-Wall", "-Wextra", "-pthread", "-o", path, SOURCE], check=True)
    return path


@pytest.mark.parametrize("role", ["client", "server"])
@pytest.mark.parametrize("case", CASES)
def test_the_same_as_plain(processes, ports, program, server_side, case, role):
    plain = processes.run([program, case, role, str(ports.free())])
    assert "status 0\n" in plain.text, plain.text
    port = ports.free()
    server_side.inbound(port)
    server_side.outbound(port)
    sealed = processes.run([program, case, role, str(port)],
                           environment=server_side.environment())
    assert sorted(sealed.text.splitlines()) == sorted(plain.text.splitlines())
    assert not server_side.log.events("broken"), server_side.log.events("broken")
