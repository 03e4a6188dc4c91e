"""What goes around libc's ordinary calls is sealed all the same, or refused."""

import os
import subprocess

import pytest

from harness.lib.peers import PYTHON

from harness.security.conftest import SECRET

pytestmark = pytest.mark.tls_only

PROGRAMS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "programs")


@pytest.fixture(scope="session")
def program(tmp_path_factory):
    """Opens its plugin by a RUNPATH of its own: a hooked dlopen must not hide who calls."""
    place = tmp_path_factory.mktemp("ways")
    plugins = place / "plugins"
    plugins.mkdir()
    gcc = ["gcc", "-std=gnu17", "-D_GNU_SOURCE", "-O1", "-Wall", "-Wextra", "-Werror"]
    subprocess.run([*gcc, "-shared", "-fPIC", "-o", plugins / "libplugin.so",
                    os.path.join(PROGRAMS, "plugin.c")], check=True)
    subprocess.run([*gcc, "-Wl,--enable-new-dtags,-rpath,$ORIGIN/plugins", "-o", place / "ways",
                    os.path.join(PROGRAMS, "ways_around.c"), "-luring"], check=True)
    return place / "ways"


# Its socket is older than the program image, which no hook saw come.
FAST_OPEN = """
import errno, os, socket, sys
port, text = int(sys.argv[1]), sys.argv[2].encode()
if len(sys.argv) == 3:
    one = socket.socket()
    one.set_inheritable(True)
    os.execv(sys.executable, [sys.executable, "-I", "-c", os.environ["PROGRAM"], *sys.argv[1:],
                              str(one.fileno())])
one = socket.socket(fileno=int(sys.argv[3]))
for send in (lambda: one.sendto(text, socket.MSG_FASTOPEN, ("127.0.0.1", port)),
             lambda: one.sendmsg([text], [], socket.MSG_FASTOPEN, ("127.0.0.1", port))):
    try:
        print(send())
    except OSError as error:
        print(errno.errorcode[error.errno])
"""


def test_a_socket_from_before_exec_is_not_opened_fast(processes, relay_to_echo, client_side):
    """MSG_FASTOPEN connects and sends in one, and connect(2) never hears of it."""
    wire = relay_to_echo(SECRET)
    done = processes.run([PYTHON, "-I", "-c", FAST_OPEN, wire.port, SECRET],
                         environment=client_side.environment(PROGRAM=FAST_OPEN))
    assert done.text == "ENOTSUP\nENOTSUP\n"
    wire.settle()
    assert not wire.connections


def test_the_ways_around(processes, relay_to_echo, client_side, program):
    wire = relay_to_echo(SECRET)
    # The name that is verified came by getaddrinfo_a.
    done = processes.run([program, wire.port, SECRET], environment=client_side.environment())
    assert done.text.splitlines() == [
        "syscall-write echoed", "syscall-sendto echoed", "syscall-pwritev2 echoed",
        "dprintf echoed", "aio_write ENOSYS", "lio_listio ENOSYS", "io_submit EINVAL",
        "io_uring ENOSYS", "io_uring-by-name ENOSYS", "splice EINVAL", "syscall-splice EINVAL",
        "splice-from EINVAL", "tee EINVAL", "vmsplice EBADF", "copy_file_range EINVAL",
        "options refused",
        "dlopen echoed", "deepbind echoed", "dlmopen refused",
        "base opened", "peer 0", "stream echoed"]
    assert [event.get("errno") for event in client_side.log.refused()] == [
        "ENOSYS", "ENOSYS", "EINVAL", "EACCES"]
    wire.prove(connections=1)
