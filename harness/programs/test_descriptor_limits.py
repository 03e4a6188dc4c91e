"""Limits on descriptors: what Gaiter itself has to open may be refused, and then the program sees
success or an errno; never clear text, never a hang, and nothing of it once there is room again."""

import pytest

from harness.lib import peers
from harness.lib.ports import wait_listening

SECRET = "a line that was never to be seen"

# What every program below begins with. hoard() leaves `free` descriptors to be had.
COMMON = """
import errno, os, resource, socket, sys
port, secret = int(sys.argv[1]), sys.argv[2].encode()
limit = min(int(sys.argv[3]), resource.getrlimit(resource.RLIMIT_NOFILE)[1])
resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
hoarded = []
def hoard(free):
    while True:
        try:
            hoarded.append(os.open("/dev/null", os.O_RDONLY))
        except OSError as error:
            assert error.errno == errno.EMFILE, error
            break
    for _ in range(free):
        os.close(hoarded.pop())
def let_go():
    while hoarded:
        os.close(hoarded.pop())
def connect():
    connection = socket.socket()
    connection.connect(("127.0.0.1", port))
    return connection
def talk(connection):
    connection.sendall(secret)
    got = b""
    while len(got) < len(secret):
        piece = connection.recv(100)
        if not piece:
            return "end"
        got += piece
    return "echoed" if got == secret else "something else"
def attempt(what):
    try:
        return what()
    except OSError as error:
        return errno.errorcode[error.errno]
"""


@pytest.fixture
def server(processes, ports, server_side):
    """The port of an echo server under Gaiter."""
    port = ports.free()
    server_side.inbound(port)
    started = processes.start(peers.echo_server(port), environment=server_side.environment())
    wait_listening(port, started)
    return port


@pytest.fixture
def play(processes, server, relay, client_side):
    """play(program, limit) runs a client of the server; gives its lines, the relay, its errors."""
    def run(program, limit=64, environment=None):
        wire = relay(server, [SECRET.encode()])
        client_side.outbound(wire.port, verify="chain")
        done = processes.run([peers.PYTHON, "-I", "-c", COMMON + program, wire.port, SECRET, limit],
                             environment=environment or client_side.environment())
        return done.text.splitlines(), wire, done.errors
    return run


NUMBERS = """
import select
connection = connect()
for number in sorted({1023, 1024, 5000, limit - 1}):
    if number >= limit:
        continue
    os.dup2(connection.fileno(), number)
    other = socket.socket(fileno=number)
    poll = select.poll()
    poll.register(other, select.POLLIN | select.POLLOUT)
    print(number == other.fileno(), poll.poll(5000) == [(number, select.POLLOUT)], talk(other))
    other.close()
os.closerange(connection.fileno() + 1, limit)
for number in range(connection.fileno() + 1, limit):
    try:
        os.close(number)
    except OSError:
        pass
print(talk(connection))
"""


@pytest.mark.parametrize("limit,numbers", [(1024, 1), (1_000_000, 4)])
def test_numbers_up_to_the_limit(play, limit, numbers):
    """The last number works, and so does a loop that closes every other one. (Of the million as
    many as the machine allows.)"""
    lines, wire, _ = play(NUMBERS, limit)
    assert lines == ["True True echoed"] * numbers + ["echoed"]
    wire.prove(connections=1)


FIRST = """
hoard({free})
print(attempt(lambda: talk(connect())))
let_go()
import time
deadline = time.monotonic() + 20
while (last := attempt(lambda: talk(connect()))) != "echoed" and time.monotonic() < deadline:
    time.sleep(0.1)
print(last)
"""


@pytest.mark.parametrize("free", range(1, 8))
def test_the_first_connection_of_a_full_process(play, client_side, free):
    """The library's other half, the policy, the keyring, the log: none can be opened."""
    (first, second), wire, errors = play(FIRST.format(free=free))
    assert first in ("echoed", "EMFILE", "EACCES", "ENOKEY"), first
    assert second == "echoed"
    wire.prove(whole=False)
    if not client_side.plain:
        assert first == "echoed" or client_side.log.refused() or "refused" in errors, "no word"


LATER = """
print(attempt(lambda: talk(connect())), flush=True)
hoard(1)
for _ in range(3):
    connection = connect()
    print(talk(connection), flush=True)
    connection.close()
connection = connect()
pid = os.fork()
if pid == 0:
    attempt(lambda: os.dup2(connection.fileno(), 0))
    attempt(lambda: os.dup2(connection.fileno(), 1))
    connection.shutdown(socket.SHUT_WR)
    attempt(lambda: os.execv("/bin/cat", ["cat"]))
    os._exit(0)
os.waitpid(pid, 0)
let_go()
print(attempt(lambda: talk(connect())))
"""


def test_later_connections_of_a_full_process(play):
    """The log cannot be opened, a relay at exec has no socket: connections go on, and what cannot
    be handed over is not handed over in clear."""
    lines, wire, _ = play(LATER)
    assert lines == ["echoed"] * 5
    wire.prove(whole=False)


FULL_SERVER = """
import select, threading
listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind(("127.0.0.1", port))
listener.listen(64)
print("listening", flush=True)
sys.stdin.readline()
hoard(1)
for _ in range(3):
    connection, _ = listener.accept()
    while True:
        got = attempt(lambda: connection.recv(100))
        if not isinstance(got, bytes) or not got:
            break
        connection.sendall(got)
    print(got if isinstance(got, str) else "end", flush=True)
    connection.close()
print(attempt(lambda: [os.open("/dev/null", os.O_RDONLY), listener.accept()]), flush=True)
"""


def test_a_full_server_serves(processes, ports, relay, server_side, client_side):
    """One descriptor is left, for one client after the other; without it accept() says EMFILE."""
    port = ports.free()
    server_side.inbound(port)
    server = processes.start([peers.PYTHON, "-I", "-c", COMMON + FULL_SERVER, port, SECRET, 64],
                             environment=server_side.environment(), stdin="pipe")
    server.wait_output(b"listening")
    server.write(b"\n")
    wire = relay(port, [SECRET.encode()])
    client_side.outbound(wire.port, verify="chain")
    for _ in range(3):
        done = processes.run([peers.PYTHON, "-I", "-c", COMMON + "print(talk(connect()))",
                              wire.port, SECRET, 64], environment=client_side.environment())
        assert done.text == "echoed\n"
    client = processes.start([peers.PYTHON, "-I", "-c", COMMON + "print(talk(connect()))",
                              wire.port, SECRET, 64], environment=client_side.environment())
    server.wait_output(b"EMFILE")
    assert server.wait(10) == 0
    client.wait(15)
    assert server.stdout().decode().split() == ["listening", "end", "end", "end", "EMFILE"]
    wire.prove(whole=False)
