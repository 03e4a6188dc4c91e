"""What a child process can do with the memory that it shares with its parent: nothing to
connections that it never had, and to those that it has no more than a descriptor allows."""

import os
import ssl
import socket
import subprocess

import pytest

from harness.lib import peers
from harness.lib.ports import wait_listening

from harness.security.conftest import SECRET

PROGRAMS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "programs")
MARKER = b"this must never be read on the wire"

CLIENT = """
import socket, sys, threading
port, data = int(sys.argv[1]), sys.argv[2].encode()
def talk(connection):
    try:
        while connection.recv(4096):
            connection.sendall(data)
    except OSError:
        pass
first = socket.create_connection(("localhost", port), timeout=150)
first.sendall(b"hello")
threading.Thread(target=talk, args=(first,), daemon=True).start()
second = socket.create_connection(("localhost", port), timeout=150)
for _ in range(int(sys.argv[3])):
    second.sendall(data)
    got = b""
    while len(got) < len(data):
        piece = second.recv(4096)
        assert piece, "end of file"
        got += piece
    assert got == data
second.shutdown(socket.SHUT_WR)
assert second.recv(1) == b""
print("echoed")
"""


@pytest.fixture(scope="session")
def program(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shared_memory")
    os.chmod(folder, 0o755)
    path = folder / "shared_memory"
    subprocess.run(["gcc", "-std=gnu17", "-D_GNU_SOURCE", "-O1", "-Wall", "-Wextra", "-Werror",
                    "-o", path, os.path.join(PROGRAMS, "shared_memory.c")], check=True)
    return path


@pytest.mark.parametrize("how", ["one", "random"])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_child_that_writes_over_all_it_shares(processes, ports, relay, server_side, client_side,
                                                program, how, seed):
    port = ports.free()
    server_side.inbound(port)
    server = processes.start([program, port, how, seed], environment=server_side.environment())
    wait_listening(port, server)
    wire = relay(port, [SECRET.encode(), MARKER])
    client_side.outbound(wire.port)
    done = processes.run([peers.PYTHON, "-I", "-c", CLIENT, wire.port, SECRET, 300],
                         environment=client_side.environment(), timeout=200)
    assert done.text == "echoed\n"
    assert server.wait(60) == 0, server.describe()
    assert f"served {300 * len(SECRET)}".encode() in server.output()
    assert wire.found() is None


@pytest.mark.skipif(os.geteuid() != 0, reason="the child becomes another user")
def test_a_child_finds_no_key_of_a_younger_connection(processes, ports, server_side, program,
                                                      tmp_path):
    port = ports.free()
    server_side.inbound(port)
    os.chmod(tmp_path, 0o755)
    for parent in tmp_path.parents:
        if str(parent).startswith("/tmp/") and os.stat(parent).st_uid == os.geteuid():
            os.chmod(parent, 0o755)
    told = tmp_path / "secret"
    server = processes.start([program, port, "look", told], environment=server_side.environment())
    wait_listening(port, server)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with context.wrap_socket(socket.create_connection(("127.0.0.1", port), 10)) as first:
        first.sendall(b"hello")
        context.keylog_filename = str(tmp_path / "log")
        with context.wrap_socket(socket.create_connection(("127.0.0.1", port), 10)) as second:
            second.sendall(b"hello")
            assert second.recv(100) == b"hello"
            log = (tmp_path / "log").read_text()
            secret = next(line.split()[2] for line in log.splitlines()
                          if line.startswith("SERVER_TRAFFIC_SECRET_0"))
            (tmp_path / "new").write_text(secret)
            os.chmod(tmp_path / "new", 0o644)
            os.rename(tmp_path / "new", told)
            second.unwrap()
    assert server.wait(30) == 0, server.describe()
    assert b"looked at some pages: 1" in server.output()
    assert b"found the secret" not in server.output()
