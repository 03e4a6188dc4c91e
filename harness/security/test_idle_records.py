"""Records that bring nothing: what they may cost a program is counted in records, never in time."""

import os

import pytest

from harness.lib import peers, records
from harness.lib.ports import wait_listening

from harness.security.conftest import rest

pytestmark = pytest.mark.tls_only

HERE = os.path.dirname(__file__)
WAYS = ["poll", "select", "level", "edge"]


@pytest.fixture
def idle_server(processes, ports, place, server_side):
    """idle_server(how, bytes) starts programs/idle.c: the process and its port."""
    program = os.path.join(place, "idle")
    built = processes.run(["gcc", "-O1", "-o", program, os.path.join(HERE, "programs", "idle.c")])
    assert built.status == 0, built.errors

    def start(how, wanted):
        port = ports.free()
        server_side.inbound(port)
        server = processes.start([program, port, how, wanted],
                                 environment=server_side.environment())
        wait_listening(port, server)
        return server, port
    return start


def numbers(process):
    assert process.wait(40) == 0, process.describe()
    return dict(word.split("=") for word in process.stdout().decode().split())


@pytest.mark.parametrize("how", WAYS)
@pytest.mark.parametrize("kind", ["key_update", "empty"])
def test_a_flood_ends_the_connection(idle_server, place, ca, server_side, how, kind):
    server, port = idle_server(how, 1)
    connection, writer = records.connect(port, ca, place)
    one = writer.key_update if kind == "key_update" else lambda: writer.record(records.DATA, b"")
    with connection:
        connection.sendall(b"".join(one() for _ in range(2000)))
        rest(connection)
    said = numbers(server)
    assert said["end"] == "ECONNRESET" and said["total"] == "0", said
    event, = server_side.log.events("broken")
    assert event["cause"] == "protocol" and "without data" in event["reason"], event.text


@pytest.mark.parametrize("how", WAYS)
def test_a_call_opens_few_of_them_and_nothing_is_lost(idle_server, place, ca, server_side, how):
    """31 KeyUpdates before each byte of data, so that the bytes of a call tell how many records it
    has opened: 32 that bring nothing hold two bytes at most."""
    wanted = 60
    server, port = idle_server(how, wanted)
    connection, writer = records.connect(port, ca, place)
    with connection:
        connection.sendall(b"".join(
            b"".join(writer.key_update() for _ in range(31)) + writer.record(records.DATA, b"x")
            for _ in range(wanted)))
        said = numbers(server)
    assert said["end"] == "all" and int(said["total"]) == wanted, said
    assert int(said["most"]) <= 2 and said["in_vain"] == "0", said
    assert not server_side.log.events("broken")


def test_key_updates_now_and_then_are_no_flood(idle_server, place, ca, server_side):
    """A peer that only listens changes its keys, too; between data it may do so for ever."""
    server, port = idle_server("edge", 200)
    connection, writer = records.connect(port, ca, place)
    with connection:
        connection.sendall(b"".join(writer.key_update() + writer.record(records.DATA, b"x")
                                    for _ in range(200)))
        said = numbers(server)
    assert said["end"] == "all", said


def test_a_request_for_renegotiation_is_refused_and_said(serve, processes, ca, server_side):
    server, port = serve("recv", "close")
    client = processes.start(peers.openssl_client(port, ca, "1.2"), stdin="pipe")
    client.wait_output(b"Verification: OK")
    client.write(b"R\n")
    event, = server_side.log.wait("renegotiation")
    assert "refused" in event["reason"] and event["remote"].startswith("127.0.0.1:"), event.text
