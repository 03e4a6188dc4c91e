"""The library's two halves: the core is opened late, and without it nothing leaves in the clear."""

import os
import shutil
import sys

import pytest

from harness.lib.gaiter import BUILD, CORE, LIBRARY

pytestmark = pytest.mark.tls_only

BLOCK = 'unmatched = "block";'
CONNECT = """
import errno, os, socket, sys
{first}
try:
    socket.create_connection((b"127.0.0.1", {port}))
    print("connected")
except OSError as error:
    print(errno.errorcode[error.errno])
"""


@pytest.fixture
def connect(processes, ports):
    """connect(library) runs a program that connects under it; returns its answer and the log."""
    def run(library, first="", **options):
        program = [sys.executable, "-c", CONNECT.format(first=first, port=ports.free())]
        done = processes.run(program, environment={
            "LD_PRELOAD": library, "GAITER_POLICY_TEXT": BLOCK}, **options)
        return done.stdout.decode().strip(), done.stderr.decode()
    return run


def test_a_program_without_sockets_does_not_open_the_core(processes):
    done = processes.run(["/bin/cat", "/proc/self/maps"], environment={"LD_PRELOAD": LIBRARY})
    maps = done.stdout.decode()
    assert LIBRARY in maps
    assert CORE not in maps


def test_without_a_core_every_connection_is_refused(connect, place):
    alone = shutil.copy(LIBRARY, os.path.join(place, "libgaiter.so"))
    answer, log = connect(alone)
    assert answer == "EACCES"
    assert log.count("error: cannot load the core") == 1, log


def test_a_core_of_another_build_is_refused(connect, place):
    front = shutil.copy(LIBRARY, os.path.join(place, "libgaiter.so"))
    shutil.copy(LIBRARY, os.path.join(place, "libgaiter-core.so"))
    answer, log = connect(front)
    assert answer == "EACCES"
    assert "is of another build" in log


def test_the_core_is_found_from_another_directory(connect):
    answer, log = connect("./libgaiter.so", first='os.chdir("/")', cwd=BUILD)
    assert answer == "EACCES"
    assert "no rule matches" in log and "core" not in log


@pytest.mark.skipif(os.geteuid() != 0, reason="chroot(2) is root's")
def test_the_core_and_the_policy_are_there_after_chroot(connect, place):
    empty = os.path.join(place, "empty")
    os.mkdir(empty)
    answer, log = connect(LIBRARY, first=f'os.chroot("{empty}")')
    assert answer == "EACCES"
    assert "no rule matches" in log and "core" not in log
