"""Programs that lock themselves up, before or after the first byte: what the manual says that a
filter must allow is enough, and what a filter refuses ends in no clear byte."""

import os
import subprocess

import pytest

from harness.lib import peers
from harness.lib.ports import wait_listening

from harness.security.conftest import SECRET

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="chroot(2) is root's")

PROGRAMS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "programs")

CLIENT = """
import socket, sys
connection = socket.create_connection(("localhost", int(sys.argv[1])), timeout=20)
for _ in range(20):
    connection.sendall(sys.argv[2].encode())
    got = b""
    while len(got) < len(sys.argv[2]):
        piece = connection.recv(1000)
        assert piece, "end of file"
        got += piece
    assert got == sys.argv[2].encode()
connection.shutdown(socket.SHUT_WR)
assert connection.recv(1) == b""
print("echoed")
"""


@pytest.fixture(scope="session")
def program(tmp_path_factory):
    path = tmp_path_factory.mktemp("sandbox") / "sandbox"
    subprocess.run(["gcc", "-std=gnu17", "-D_GNU_SOURCE", "-O1", "-Wall", "-Wextra", "-Werror",
                    "-o", path, os.path.join(PROGRAMS, "sandbox.c")], check=True)
    return path


@pytest.mark.parametrize("log", ["info", "warning"])
@pytest.mark.parametrize("action", ["kill", "errno"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_what_the_manual_names_is_enough(processes, ports, relay, place, server_side, client_side,
                                         program, when, action, log):
    empty = os.path.join(place, "empty")
    os.mkdir(empty)
    port = ports.free()
    server_side.inbound(port)
    server = processes.start([program, port, empty, when, action],
                             environment=server_side.environment(level=log))
    wait_listening(port, server)
    wire = relay(port, [SECRET.encode()])
    client_side.outbound(wire.port)
    done = processes.run([peers.PYTHON, "-I", "-c", CLIENT, wire.port, SECRET],
                         environment=client_side.environment())
    assert done.text == "echoed\n"
    assert server.wait(10) == 0, server.describe()
    wire.prove(connections=1)


@pytest.mark.tls_only
@pytest.mark.parametrize("action", ["kill", "errno"])
def test_a_filter_that_allows_too_little(processes, ports, relay, place, server_side, client_side,
                                         program, action):
    """A handshake in the filter that is enough for open connections alone."""
    empty = os.path.join(place, "empty")
    os.mkdir(empty)
    port = ports.free()
    server_side.inbound(port)
    server = processes.start([program, port, empty, "too late", action],
                             environment=server_side.environment())
    wait_listening(port, server)
    wire = relay(port, [SECRET.encode()])
    client_side.outbound(wire.port)
    done = processes.run([peers.PYTHON, "-I", "-c", CLIENT, wire.port, SECRET], check=False,
                         environment=client_side.environment())
    assert done.status != 0 and "echoed" not in done.text
    assert server.wait(10) != 0
    wire.prove(whole=False)
