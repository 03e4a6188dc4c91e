"""Programs that talk to themselves: both ends in one process and one thread, as test suites do."""

import sys

# connect() before accept(), send() before accept(), and an end closed before it was accepted.
SELF_TALK = """
import socket, sys
port = int(sys.argv[1])
listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind(("127.0.0.1", port))
listener.listen()

client = socket.create_connection(("127.0.0.1", port))
client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
client.sendall(b"before accept")
server, address = listener.accept()
assert address == client.getsockname(), (address, client.getsockname())
assert client.getpeername() == server.getsockname()
assert server.recv(100) == b"before accept"
server.sendall(b"answer")
assert client.recv(100) == b"answer"
client.shutdown(socket.SHUT_WR)
assert server.recv(1) == b""
server.close()
assert client.recv(1) == b""
client.close()

client = socket.create_connection(("127.0.0.1", port))
client.sendall(b"farewell")
client.close()
server, _ = listener.accept()
assert server.recv(100) == b"farewell"
assert server.recv(100) == b""
print("done")
"""


def test_one_thread_connects_to_itself(processes, ports, server_side):
    port = ports.free()
    server_side.inbound(port)
    server_side.outbound(port)
    talk = processes.run([sys.executable, "-c", SELF_TALK, str(port)],
                         environment=server_side.environment())
    assert talk.stdout == b"done\n"
    server_side.nothing_refused()
