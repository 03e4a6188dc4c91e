"""A message takes the system calls of the plain program: what readiness reads ahead, no read asks
for again."""

import os

import pytest

from harness.lib.ports import wait_listening
from harness.lib.peers import PYTHON

MESSAGES, SIZE = 200, 48 << 10
# Accepts one connection, and answers each message with a byte.
SERVER = f"""
import select, socket, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
connection, _ = listener.accept()
connection.setblocking(False)
waiting = select.epoll()
waiting.register(connection, select.EPOLLIN)
came = reads = 0
while came < {MESSAGES * SIZE}:
    waiting.poll()
    came += len(connection.recv({SIZE}))
    reads += 1
    if came % {SIZE} == 0:
        connection.sendall(b".")
print(reads)
"""
CLIENT = f"""
import socket, sys
connection = socket.create_connection(("localhost", int(sys.argv[1])))
for _ in range({MESSAGES}):
    connection.sendall(bytes({SIZE}))
    assert connection.recv(1) == b"."
"""


@pytest.mark.tls_only
def test_reading_after_readiness(processes, ports, place, client_side, server_side):
    port = ports.free()
    server_side.inbound(port)
    client_side.outbound(port)
    trace = os.path.join(place, "trace")
    variables = [f"{name}={value}" for name, value in server_side.environment().items()]
    server = processes.start(["strace", "-f", "-qq", "-o", trace, "-e", "trace=recvfrom", "env",
                              *variables, PYTHON, "-c", SERVER, port])
    wait_listening(port, server)
    processes.run([PYTHON, "-c", CLIENT, port], environment=client_side.environment())
    assert server.wait(10) == 0
    reads = int(server.stdout())
    with open(trace, encoding="utf-8") as lines:
        calls = sum("recvfrom(" in line for line in lines)
    # Some for the handshake; and a record may come in two parts.
    assert calls < reads * 1.4 + 20, f"{calls} for {reads} reads"
