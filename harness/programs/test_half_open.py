"""Connections of which one direction ended minutes ago, and that say nothing for minutes."""

import os

from harness.lib import peers
from harness.lib.gaiter import LIBRARY
from harness.lib.ports import wait_listening

# Its minutes are seconds to the rest of the world, for Gaiter too.
FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"

SERVER = """
import socket, sys, time
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
connection, _ = listener.accept()
question = b""
while piece := connection.recv(1000):
    question += piece
for _ in range(3):
    time.sleep(90)
    connection.sendall(question)
connection.close()
"""

CLIENT = """
import socket, sys, time
connection = socket.create_connection(("localhost", int(sys.argv[1])))
began = time.monotonic()
connection.sendall(sys.argv[2].encode())
connection.shutdown(socket.SHUT_WR)
answer = b""
while piece := connection.recv(1000):
    answer += piece
print(answer.decode(), time.monotonic() - began > 200)
"""


def hurried(side):
    return side.environment(LD_PRELOAD=f"{LIBRARY}:{FAKETIME}", FAKETIME="+0 x90",
                            FAKETIME_NO_CACHE="1")


def test_half_open_for_minutes(processes, ports, relay, server_side, client_side):
    secret = os.urandom(24).hex()
    port = ports.free()
    server_side.inbound(port, handshake_timeout=600)
    server = processes.start([peers.PYTHON, "-I", "-c", SERVER, port],
                             environment=hurried(server_side))
    wait_listening(port, server)
    wire = relay(port, [secret.encode()])
    client_side.outbound(wire.port, handshake_timeout=600)
    client = processes.run([peers.PYTHON, "-I", "-c", CLIENT, wire.port, secret],
                           environment=hurried(client_side))
    assert client.text == f"{secret * 3} True\n"
    wire.prove(connections=1)
    client_side.nothing_refused()
