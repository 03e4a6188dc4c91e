"""What goes around libc's ordinary calls is sealed all the same, or refused."""

import os
import subprocess

import pytest

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


def test_the_ways_around(processes, relay_to_echo, client_side, program):
    wire = relay_to_echo(SECRET)
    # The name that is verified came by getaddrinfo_a.
    done = processes.run([program, wire.port, SECRET], environment=client_side.environment())
    assert done.text.splitlines() == [
        "syscall-write echoed", "syscall-sendto echoed", "syscall-pwritev2 echoed",
        "dprintf echoed", "aio_write ENOSYS", "lio_listio ENOSYS", "io_submit EINVAL",
        "io_uring ENOSYS", "io_uring-by-name ENOSYS", "splice EINVAL", "syscall-splice EINVAL",
        "splice-from EINVAL", "tee EINVAL", "vmsplice EBADF", "copy_file_range EINVAL",
        "dlopen echoed", "deepbind echoed", "dlmopen refused",
        "base opened", "peer 0", "stream echoed"]
    assert [event.get("errno") for event in client_side.log.refused()] == [
        "ENOSYS", "ENOSYS", "EINVAL", "EACCES"]
    wire.prove(connections=1)
