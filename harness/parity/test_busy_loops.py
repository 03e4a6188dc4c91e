"""Who waits makes no system call: with an idle connection, in a stalled handshake, in half of a
record. Counted by strace, and the same as of the plain program."""

import os
import socket

import pytest

from harness.lib.ports import wait_listening
from harness.lib.quiet import growth_while_quiet
from harness.parity.test_readiness import Stranger, program  # noqa: F401 (a fixture)

WAYS = ["poll", "select", "level", "edge"]
WINDOW = 1.0  # seconds in which nothing may happen


class Traced:
    """A server under strace that sleeps in one way or another (programs/readiness/stranger.c)."""

    def __init__(self, processes, place, program, way, port, other, environment):  # noqa: F811
        self.trace = os.path.join(place, f"trace-{port}")
        variables = [f"{name}={value}" for name, value in environment.items()]
        self.process = processes.start(["strace", "-f", "-qq", "-o", self.trace, "env", *variables,
                                        program, "stranger-" + way, "server", port, other])
        wait_listening(port, self.process)
        self.peer = socket.create_connection(("127.0.0.1", port))
        self.process.wait_output(b"accepted")

    def calls(self):
        with open(self.trace, "rb") as lines:
            return sum(1 for _ in lines)

    def calls_while_waiting(self):
        """How many calls it makes in a while, once it has done what there was to do."""
        made = growth_while_quiet(self.calls, WINDOW)
        assert self.process.poll() is None, self.process.describe()
        return made


@pytest.fixture
def waiting(processes, ports, place, program, server_side):  # noqa: F811
    def start(way, plain=False):
        port = ports.free()
        if not plain:
            server_side.inbound(port, handshake_timeout=60)
        return Traced(processes, place, program, way, port, ports.free(),
                      {} if plain else server_side.environment())
    return start


@pytest.mark.parametrize("way", WAYS)
def test_the_plain_program_sleeps(waiting, way):
    """What the others are measured by."""
    server = waiting(way, plain=True)
    assert server.calls_while_waiting() == 0
    server.peer.sendall(b"x" * 80)
    assert server.process.wait(10) == 0


@pytest.mark.tls_only
@pytest.mark.parametrize("said", [b"", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03half"])
@pytest.mark.parametrize("way", WAYS)
def test_in_a_stalled_handshake(waiting, way, said):
    server = waiting(way)
    server.peer.sendall(said)
    assert server.calls_while_waiting() == 0
    server.peer.close()
    assert server.process.wait(10) == 0


@pytest.mark.tls_only
@pytest.mark.parametrize("way", WAYS)
def test_in_an_idle_connection_and_in_half_a_record(waiting, ca, way):
    server = waiting(way)
    stranger = Stranger(server.peer, ca)
    last_flight_and_record = stranger.seal(b"x" * 80)
    # The client's last flight, the first byte of the record, more of it.
    at = 0
    for length in (len(last_flight_and_record) - 103, 3, 50):
        server.peer.sendall(last_flight_and_record[at:at + length])
        at += length
        assert server.calls_while_waiting() == 0
    server.peer.sendall(last_flight_and_record[at:])
    assert server.process.wait(10) == 0
    assert server.process.stdout().decode().endswith("IN\ntake: 80\n")
