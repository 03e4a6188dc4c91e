"""Programs that limit themselves. Of memory the limit is what they set, and they can use all of it;
without a right to further processes they can pass connections on."""

import time

import pytest

from harness.lib import peers
from harness.lib.ports import wait_listening

SECRET = "a line that was never to be seen"

LIMITED = """
import resource, socket, sys
limits = (250 << 20, 300 << 20)
which = getattr(resource, sys.argv[2])
if sys.argv[3] == "early":
    resource.setrlimit(which, limits)
connection = socket.create_connection(("localhost", int(sys.argv[1])))
if sys.argv[3] == "late":
    resource.setrlimit(which, limits)
assert resource.getrlimit(which) == limits, resource.getrlimit(which)
assert resource.prlimit(0, which, limits) == limits
used = bytearray(120 << 20)
connection.sendall(sys.argv[4].encode())
assert connection.recv(100)
resource.setrlimit(which, (limits[0] // 2, limits[0]))
assert resource.getrlimit(which) == (limits[0] // 2, limits[0])
try:
    more = bytearray(200 << 20)
    print("without limit")
except MemoryError:
    print("limited")
"""


@pytest.mark.parametrize("when", ["early", "late"])
@pytest.mark.parametrize("which", ["RLIMIT_AS", "RLIMIT_DATA"])
def test_a_limit_is_the_programs_own(processes, relay_to_echo, client_side, which, when):
    wire = relay_to_echo(SECRET)
    done = processes.run([peers.PYTHON, "-I", "-c", LIMITED, wire.port, which, when, SECRET],
                         environment=client_side.environment())
    assert done.text == "limited\n"
    wire.prove(connections=1)


# A child that was there before serves what it is passed, if that is what it was told.
PASSER = """
import os, pwd, resource, socket, sys
ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
if os.fork() == 0:
    while True:
        told, (number,), _, _ = socket.recv_fds(theirs, 100, 1)
        connection = socket.socket(fileno=number)
        same = os.fstat(number).st_ino == int(told)
        connection.sendall((b"same " if same else b"other ") + connection.recv(100))
        connection.close()
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
resource.setrlimit(resource.RLIMIT_NPROC, (1, 1))
for name in sys.argv[2:]:
    user = pwd.getpwnam(name)
    os.setgid(user.pw_gid)
    os.setuid(user.pw_uid)
try:
    os._exit(os.fork())
except BlockingIOError:
    pass
while True:
    connection, _ = listener.accept()
    connection.sendall(b"passed " + connection.recv(100))
    inode = os.fstat(connection.fileno()).st_ino
    try:
        socket.send_fds(ours, [str(inode).encode()], [connection.fileno()])
    except PermissionError:
        connection.sendall(b"refused " + connection.recv(100))
    connection.close()
"""

TWO_LINES = """
import socket, sys
connection = socket.create_connection(("localhost", int(sys.argv[1])))
for word in (sys.argv[2], "and more"):
    connection.sendall(word.encode())
    print(connection.recv(100).decode())
print(connection.recv(100).decode())
"""


@pytest.fixture
def passer(processes, ports, relay, server_side, server_side_of, client_side):
    """passer(user) starts a server that may not fork and passes on; gives its side, the relay to
    it, and a function that asks it. It is that user from the start, or as soon as it may not."""
    def start(user, from_the_start=True):
        side = server_side_of(user) if from_the_start else server_side
        port = ports.free()
        side.inbound(port)
        server = processes.start(
            [peers.PYTHON, "-I", "-c", PASSER, port, *([] if from_the_start else [user])],
            user=user if from_the_start else None, environment=side.environment())
        wait_listening(port, server)
        wire = relay(port, [SECRET.encode()])
        client_side.outbound(wire.port)

        def ask():
            return processes.run([peers.PYTHON, "-I", "-c", TWO_LINES, wire.port, SECRET],
                                 environment=client_side.environment()).text.splitlines()
        return side, port, wire, ask
    return start


@pytest.mark.parametrize("from_the_start", [True, False], ids=["user", "root-before"])
def test_a_connection_is_passed_on_where_no_process_may_be_made(passer, from_the_start):
    """As Dovecot's login processes do, which make sure of it by its inode."""
    side, _, wire, ask = passer("games", from_the_start)
    for _ in range(3):
        assert ask() == ["passed " + SECRET, "same and more", ""]
    side.nothing_refused()
    wire.prove(connections=3)


@pytest.mark.tls_only
def test_who_may_not_fork_does_not_pass_on_under_a_newer_policy(passer):
    """The process that would have to relay does not know it."""
    side, port, wire, ask = passer("games")
    assert ask()[1] == "same and more"
    side.inbound(port, rekey={"bytes": 1 << 20})
    for _ in range(200):
        answer = ask()[1]
        if answer != "same and more":
            break
        time.sleep(0.05)
    assert answer == "refused and more"
    side.refused("local", "EACCES")
    wire.prove()
