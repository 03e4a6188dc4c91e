"""Arguments that are wrong: memory that may not be touched, counts and lengths that cannot be. The
kernel is the judge, of a program's own descriptors as well as of protected ones: no call ends the
program that gives its errno on plain TCP."""

import os
import subprocess

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.join(HERE, "programs", "arguments.c")


@pytest.fixture(scope="session")
def program(tmp_path_factory):
    path = str(tmp_path_factory.mktemp("arguments") / "arguments")
    subprocess.run(["gcc", "-std=gnu17", "-D_GNU_SOURCE", "-O1", "-w", "-o", path, SOURCE],
                   check=True)
    return path


@pytest.mark.parametrize("role", ["without", "server", "client"])
def test_the_same_as_plain(processes, ports, program, server_side, role):
    plain = processes.run([program, role, str(ports.free())])
    assert "EFAULT" in plain.text and "Segmentation" not in plain.text, plain.text
    port = ports.free()
    server_side.inbound(port)
    server_side.outbound(port)
    sealed = processes.run([program, role, str(port)], environment=server_side.environment())
    assert sealed.text.splitlines() == plain.text.splitlines()
    assert not server_side.log.events("broken"), server_side.log.events("broken")
    assert role == "without" or server_side.log.secured()
