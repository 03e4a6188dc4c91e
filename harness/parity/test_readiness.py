"""poll, select and epoll say of a connection under Gaiter what they say of a plain one.

Every case of programs/readiness/ is run plain and under Gaiter, and must print the same. What
only Gaiter can get wrong (handshakes that stall, halves of records) has tests of its own below.
"""

import glob
import os
import re
import socket
import ssl
import subprocess
import time

import pytest

from harness.lib.ports import wait_listening
from harness.lib.quiet import growth_while_quiet

SOURCES = sorted(glob.glob(os.path.join(os.path.dirname(__file__), "programs", "readiness", "*.c")))


def _cases():
    for path in SOURCES:
        with open(path, encoding="ascii") as text:
            yield from re.findall(r"\bCASE\((\w+)\)[,}]", text.read())


CASES = sorted(_cases())


@pytest.fixture(scope="session")
def program(tmp_path_factory):
    path = str(tmp_path_factory.mktemp("readiness") / "readiness")
    subprocess.run(["cc", "-D_GNU_SOURCE", "-O1", "-g", "-w", "-pthread", "-o", path, *SOURCES],
                   check=True)
    return path


def play(processes, program, case, role, port, refused, environment=None):
    return processes.run([program, case, role, port, refused], environment=environment,
                         timeout=50).text


@pytest.mark.limit(110)
@pytest.mark.parametrize("role", ["server", "client"])
@pytest.mark.parametrize("case", CASES)
def test_the_same_as_plain(processes, ports, program, side, pki, case, role):
    plain = play(processes, program, case, role, ports.free(), ports.free())
    assert plain.strip()
    both = side("both", {"server": pki.server}, {"ca": pki.ca})
    port, refused = ports.free(), ports.free()
    both.inbound(port)
    both.outbound(port, server_name="localhost")
    both.outbound(refused, server_name="localhost")
    sealed = play(processes, program, case, role, port, refused, both.environment())
    assert sealed == plain


# ---- what a plain connection has no like of ----

WAYS = ["poll", "select", "level", "edge", "once", "later", "inner", "nested"]


def wakeups(pid):
    """How often the program went to sleep so far, over all its threads."""
    total = 0
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/status", encoding="ascii") as status:
            total += int(re.search(r"^voluntary_ctxt_switches:\s*(\d+)", status.read(), re.M)[1])
    return total


def assert_asleep(process, seconds=0.7, at_most=3):
    assert growth_while_quiet(lambda: wakeups(process.pid), seconds, timeout=1) <= at_most
    assert process.poll() is None, process.describe()


@pytest.fixture
def waiting(processes, ports, program, server_side):
    """waiting(way, ...) starts a server that sleeps so; gives it and a socket to it."""
    def start(way, **settings):
        port = ports.free()
        server_side.inbound(port, **settings)
        server = processes.start([program, "stranger-" + way, "server", port, ports.free()],
                                 environment=server_side.environment())
        wait_listening(port, server)
        peer = socket.create_connection(("127.0.0.1", port))
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        server.wait_output(b"accepted")
        return server, peer
    return start


@pytest.mark.tls_only
@pytest.mark.parametrize("said", [b"", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03half"])
@pytest.mark.parametrize("way", WAYS)
def test_a_stalled_handshake_ends_in_time_and_costs_nothing(waiting, server_side, way, said):
    server, peer = waiting(way, handshake_timeout=2)
    began = time.monotonic()
    peer.sendall(said)
    assert_asleep(server)
    assert server.wait(10) == 0
    assert time.monotonic() - began < 5
    assert "take: ECONNRESET" in server.stdout().decode(), server.describe()
    server_side.refused("deadline", "ECONNRESET")
    peer.close()


class Stranger:
    """A TLS client whose records are sent as the test likes."""

    def __init__(self, peer, ca):
        context = ssl.create_default_context(cafile=ca)
        self.peer, self.incoming, self.outgoing = peer, ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname="localhost")
        while True:
            try:
                self.tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                peer.sendall(self.outgoing.read())
                self.incoming.write(peer.recv(65536))

    def seal(self, data):
        self.tls.write(data)
        return self.outgoing.read()


@pytest.mark.tls_only
@pytest.mark.parametrize("way", WAYS)
def test_half_a_record_is_not_readable(waiting, ca, way):
    server, peer = waiting(way)
    stranger = Stranger(peer, ca)
    last_flight_and_record = stranger.seal(b"x" * 80)
    for piece in (last_flight_and_record[:-50], last_flight_and_record[-50:-1]):
        peer.sendall(piece)
        assert_asleep(server, 0.3)
    peer.sendall(last_flight_and_record[-1:])
    assert server.wait(10) == 0
    assert server.stdout().decode().endswith("IN\ntake: 80\n"), server.describe()
    peer.close()
