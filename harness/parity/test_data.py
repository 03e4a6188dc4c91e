"""Every case of programs/data/*.c prints the same under Gaiter as on plain TCP.

The cases are C: what a call gives is seen as a C program sees it. Each is run with its subject as
the client and as the server.
"""

import glob
import os
import re
import subprocess

import pytest

PROGRAMS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "programs", "data")
GCC = ["gcc", "-std=gnu17", "-D_GNU_SOURCE", "-O1", "-g", "-Wall", "-Wextra", "-Werror",
       "-Wno-nonnull", "-Wno-stringop-overflow", "-Wno-unused-result"]
SOURCES = sorted(glob.glob(os.path.join(PROGRAMS, "*.c")))


def _cases():
    for path in SOURCES:
        with open(path, encoding="ascii") as text:
            for table in re.findall(r"_cases\[\] = \{(.*?)\{0\}", text.read(), re.DOTALL):
                yield from re.findall(r"\{\"(\w+)\"", table)


CASES = sorted(_cases())


@pytest.fixture(scope="session")
def parity(tmp_path_factory):
    """The program that has all cases."""
    program = tmp_path_factory.mktemp("parity") / "parity"
    subprocess.run([*GCC, "-o", program, *SOURCES, "-lpthread"], check=True)
    return program


@pytest.mark.parametrize("role", ["client", "server"])
@pytest.mark.parametrize("case", CASES)
def test_the_same_as_plain(processes, ports, side, pki, parity, case, role):
    port = ports.free()
    plain = processes.run([parity, case, role, port], timeout=25)
    assert plain.stdout
    both = side("both", {"server": pki.server}, {"ca": pki.ca})
    port = ports.free()
    both.inbound(port)
    both.outbound(port, verify="chain")
    sealed = processes.run([parity, case, role, port], timeout=25, environment=both.environment())
    assert sealed.text == plain.text
