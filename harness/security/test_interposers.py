"""Another preload with functions of ours: before us it would take them away, behind us it would
speak in clear itself. Neither sends a byte of the program's."""

import os
import subprocess

import pytest

from harness.lib.gaiter import COMMAND, LIBRARY
from harness.lib.peers import PYTHON

from harness.security.conftest import SECRET

pytestmark = pytest.mark.tls_only

PROGRAMS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "programs")

CLIENT = """
import errno, os, socket, sys
text = sys.argv[2].encode()
try:
    one = socket.socket()
    one.connect(("127.0.0.1", int(sys.argv[1])))
    one.sendall(text)
    got = b""
    while len(got) < len(text):
        got += one.recv(1000)
    print("echoed" if got == text else "lost")
except OSError as error:
    print(errno.errorcode[error.errno])
    try:
        one.sendall(text)
    except (OSError, NameError):
        pass
"""


@pytest.fixture(scope="session")
def interposer(tmp_path_factory):
    path = tmp_path_factory.mktemp("interposer") / "libinterposer.so"
    subprocess.run(["gcc", "-std=gnu17", "-D_GNU_SOURCE", "-O1", "-Wall", "-Wextra", "-Werror",
                    "-shared", "-fPIC", "-o", path, os.path.join(PROGRAMS, "interposer.c")],
                   check=True)
    return str(path)


@pytest.fixture
def wire(relay_to_echo):
    one = relay_to_echo(SECRET)
    yield one
    assert one.found() is None


def client(wire):
    return [PYTHON, "-I", "-c", CLIENT, wire.port, SECRET]


@pytest.mark.parametrize("how", ["kernel", "next"])
def test_before_gaiter(processes, wire, client_side, interposer, how):
    """It has connect: what it does there, no hook sees."""
    done = processes.run(client(wire), environment=client_side.environment(
        LD_PRELOAD=f"{interposer}:{LIBRARY}", INTERPOSER=how))
    assert done.text == "EACCES\n"
    refused, = client_side.refused("interposed", "EACCES")
    assert interposer in refused.get("reason") and "connect" in refused.get("reason")


@pytest.mark.parametrize("start", ["exec", "spawn", "run"])
def test_gaiter_comes_first_in_what_is_started(processes, wire, client_side, interposer, start):
    """By every exec of a program under Gaiter, and by gaiter run."""
    environment = client_side.environment()
    behind = {"LD_PRELOAD": f"{interposer}:{LIBRARY}", "INTERPOSER": "next"}
    if start == "run":
        del environment["LD_PRELOAD"]
        command = ["env", f"LD_PRELOAD={interposer}", "INTERPOSER=next", COMMAND, "run", "-q",
                   "--policy", client_side.policy.path, "--", *client(wire)]
    elif start == "exec":
        command = ["env", *(f"{name}={value}" for name, value in behind.items()), *client(wire)]
    else:
        script = ("import os, sys; os.waitpid(os.posix_spawn(sys.argv[1], sys.argv[1:], "
                  f"dict(os.environ, **{behind!r})), 0)")
        command = [PYTHON, "-I", "-c", script, *client(wire)]
    done = processes.run(command, environment=environment)
    assert done.text == "echoed\n"
    wire.prove(connections=1)


@pytest.mark.parametrize("how", ["proxy", "same", "local"])
def test_behind_gaiter(processes, wire, client_side, interposer, how):
    """Its own dialogue, or another socket in the place of the program's."""
    done = processes.run(client(wire), environment=client_side.environment(
        LD_PRELOAD=f"{LIBRARY}:{interposer}", INTERPOSER=how))
    assert done.text == "EACCES\n"
    assert interposer in client_side.refused("interposed", "EACCES")[0].get("reason")
    assert sum(wire.crossed()) == 0
