"""What a peer, and what lies at the end of the log, can do to a program by its log: nothing."""

import os
import socket
import ssl

import pytest

from harness.lib import peers
from harness.lib.inline import wait_until
from harness.lib.peers import talk
from harness.lib.ports import wait_listening
from harness.lib.processes import descendants

from harness.security.conftest import raw_connection, reset

pytestmark = pytest.mark.tls_only

PROBES = 30


def probe(port, how):
    """What load balancers send to see whether a port is alive."""
    if how == "tls":
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with raw_connection(port) as connection:
            context.wrap_socket(connection).close()
        return
    connection = raw_connection(port)
    if how == "reset":
        reset(connection)
    elif how == "garbage":
        connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
        while connection.recv(100):
            pass
    connection.close()


@pytest.fixture
def forking(processes, ports, server_side):
    """forking(environment) starts a server that forks for each connection: the process, its
    port."""
    def start(**environment):
        port = ports.free()
        server_side.inbound(port)
        server = processes.start(
            ["socat", f"TCP-LISTEN:{port},fork,reuseaddr,bind=127.0.0.1", "SYSTEM:cat"],
            environment=server_side.environment(**environment))
        wait_listening(port, server)
        return server, port
    return start


@pytest.mark.parametrize("how", ["close", "reset", "garbage", "tls"])
def test_equal_ends_make_one_line(forking, server_side, how):
    """Of a server that forks for each of them, too; what was not told yet is as it exits."""
    server, port = forking()
    for _ in range(PROBES):
        probe(port, how)
    server_side.log.wait("broken" if how == "tls" else "refused")
    # Each child has looked once it is gone: then its line is written, or counted.
    wait_until(lambda: not descendants(server.pid), 20)
    lines = [line for line in server_side.log.text().splitlines() if " secured " not in line]
    assert 1 <= len(lines) <= 2, lines


@pytest.mark.parametrize("how", ["close", "reset"])
def test_a_probe_says_what_it_was(serve, server_side, how):
    server, port = serve("recv", "close", "accept", "recv", "close", "accept", "recv", "close")
    for _ in range(3):
        probe(port, how)
    assert server.wait(20) == 0
    event, = server_side.log.refused()
    assert event["cause"] == "peer_closed", event.text
    if how == "close":
        assert event["reason"] == "closed without a byte", event.text
    total, = server_side.log.events("summed")
    assert total["times"] == "2" and total["remote"] == "127.0.0.1", total.text
    assert event["reason"] in total["reason"], total.text


def refuse_one(port):
    with raw_connection(port) as connection:
        connection.sendall(b"PING\r\n")
        try:
            while connection.recv(100):
                pass
        except ConnectionResetError:
            pass


def is_served(processes, port, ca):
    done = processes.run(peers.openssl_client(port, ca, "1.3"), check=False)
    return "Verification: OK" in done.text


@pytest.mark.parametrize("reader", [False, True], ids=["alone", "with-a-reader"])
def test_a_fifo_as_log_stops_nothing(processes, ports, place, ca, server_side, cleanup, reader):
    path = os.path.join(place, "fifo")
    os.mkfifo(path)
    if reader:
        end = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        cleanup.callback(os.close, end)
    port = ports.free()
    server_side.inbound(port)
    server = processes.start(peers.echo_server(port),
                             environment=server_side.environment(GAITER_LOG=f"info:{path}"))
    wait_listening(port, server)
    for _ in range(3):
        refuse_one(port)
    assert is_served(processes, port, ca)
    wait_until(lambda: b"refused rule=" in server.stderr())  # standard error has it


def test_a_full_disk_as_log_stops_nothing(processes, ports, ca, server_side):
    port = ports.free()
    server_side.inbound(port)
    server = processes.start(peers.echo_server(port),
                             environment=server_side.environment(GAITER_LOG="info:/dev/full"))
    wait_listening(port, server)
    refuse_one(port)
    assert is_served(processes, port, ca)
    wait_until(lambda: b"refused rule=" in server.stderr())


def test_a_log_is_not_made_where_a_link_leads(processes, ports, place, ca, server_side):
    target, link = os.path.join(place, "target"), os.path.join(place, "link")
    os.symlink(target, link)
    port = ports.free()
    server_side.inbound(port)
    server = processes.start(peers.echo_server(port),
                             environment=server_side.environment(GAITER_LOG=f"info:{link}"))
    wait_listening(port, server)
    assert is_served(processes, port, ca)
    wait_until(lambda: b"secured rule=" in server.stderr())
    assert not os.path.exists(target)
    with open(target, "wb"):
        pass
    assert is_served(processes, port, ca)  # nor is one that is there written to
    wait_until(lambda: server.stderr().count(b"secured rule=") == 2)
    assert os.path.getsize(target) == 0


@pytest.mark.parametrize("kind", ["pipe", "socket"])
def test_standard_error_that_nobody_reads_stops_nothing(processes, ports, place, ca, server_side,
                                                        cleanup, kind):
    """It is full, and blocking: so it stays, and lines are lost."""
    if kind == "pipe":
        reading, writing = os.pipe()
        cleanup.callback(os.close, reading)
    else:
        here, there = socket.socketpair()
        cleanup.callback(here.close)
        writing = os.dup(there.fileno())
        there.close()
    os.set_blocking(writing, False)
    for size in (65536, 4096, 1):
        try:
            while os.write(writing, b"x" * size):
                pass
        except BlockingIOError:
            pass
    os.set_blocking(writing, True)
    cleanup.callback(os.close, writing)
    port = ports.free()
    server_side.inbound(port)
    environment = server_side.environment(GAITER_LOG="info")
    server = processes.start(peers.echo_server(port), environment=environment, stderr=writing)
    wait_listening(port, server)
    for _ in range(3):
        refuse_one(port)
    assert is_served(processes, port, ca)
    assert os.get_blocking(writing)


@pytest.mark.parametrize("setting", ["inof", "info:relative.log", "info:"])
def test_a_wrong_word_is_said_once(processes, ports, server_side, ca, setting):
    port = ports.free()
    server_side.inbound(port)
    server = processes.start(talk(f"listen:{port}", "accept", "recv", "close", "accept", "recv"),
                             environment=server_side.environment(GAITER_LOG=setting))
    wait_listening(port, server)
    for _ in range(2):
        refuse_one(port)
    server.wait(20)
    text = server.stderr().decode()
    assert text.count(f"GAITER_LOG={setting}: ") == (0 if setting == "info:" else 1), text
    assert "refused rule=" in text
