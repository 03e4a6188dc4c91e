"""TLS and clear text on one port, told apart by the client's first bytes."""

import os
import socket
import ssl
import time

import pytest

from harness.lib.inline import Inline, pinged
from harness.lib.peers import PYTHON
from harness.lib.ports import wait_listening
from harness.programs.test_nginx import files
from harness.programs.test_postgresql import SECRET, psql

pytestmark = pytest.mark.tls_only


@pytest.fixture
def mixed(redis, ports, server_side):
    port = ports.free()
    server_side.inbound(port, tls="optional")
    redis(port)
    return port


def test_both_on_one_port(mixed, server_side, ca):
    with Inline(mixed) as clear, Inline(mixed, ca=ca) as sealed:
        for _ in range(3):
            assert clear.ask() == b"+PONG"
            assert sealed.ask() == b"+PONG"
    server_side.secured(1, rule=f"{mixed}.conf:inbound")
    told = server_side.log.wait("clear")
    assert [event["rule"] for event in told] == [f"{mixed}.conf:inbound"]
    assert told[0]["reason"] == "the client sent plain text"
    server_side.nothing_refused()


def test_large_data_both_ways(mixed, ca):
    value = os.urandom(300_000).hex().encode()
    for how in ({}, {"ca": ca}):
        with Inline(mixed, **how) as client:
            client.socket.sendall(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$%d\r\n%s\r\n"
                                  % (len(value), value))
            assert client.socket.recv(100) == b"+OK\r\n"
            client.socket.sendall(b"GET k\r\n")
            got = b""
            while len(got) < len(value):
                got += client.socket.recv(65536)
            assert value in got


def test_one_byte_at_a_time_is_told_apart_as_well(mixed, ca):
    """The first byte of a ClientHello decides, and there is no way back."""
    with socket.create_connection(("127.0.0.1", mixed), timeout=15) as one:
        one.sendall(b"\x16")
        time.sleep(0.3)  # for the byte to be read alone, which no condition tells
        one.sendall(b"PING\r\n")
        try:
            assert b"PONG" not in one.recv(100)
        except ConnectionResetError:
            pass
    with socket.create_connection(("127.0.0.1", mixed), timeout=15) as one:
        for byte in b"PING\r\n":
            one.sendall(bytes([byte]))
            time.sleep(0.02)
        assert one.recv(100) == b"+PONG\r\n"
    assert pinged(mixed, ca=ca) == b"+PONG"


def test_a_client_that_began_tls_is_never_downgraded(mixed, server_side, pki):
    """It does not trust us: that ends the connection."""
    context = ssl.create_default_context()
    with socket.create_connection(("127.0.0.1", mixed), timeout=15) as one:
        with pytest.raises(ssl.SSLCertVerificationError):
            context.wrap_socket(one, server_hostname="localhost")
    server_side.refused("peer_refused", "ECONNRESET")
    assert not server_side.log.events("clear")


def test_a_silent_client_may_take_its_time(redis, ports, server_side, ca):
    port = ports.free()
    server_side.inbound(port, tls="optional", handshake_timeout=1)
    redis(port)
    sockets = [socket.create_connection(("127.0.0.1", port), timeout=15) for _ in range(2)]
    time.sleep(2)  # past the handshake timeout, and nothing must come of it
    assert not server_side.log.events("clear")
    context = ssl.create_default_context(cafile=ca)
    with context.wrap_socket(sockets[0], server_hostname="localhost") as sealed:
        sealed.sendall(b"PING\r\n")
        assert sealed.recv(100) == b"+PONG\r\n"
    with sockets[1] as clear:
        clear.sendall(b"PING\r\n")
        assert clear.recv(100) == b"+PONG\r\n"
    server_side.nothing_refused()


GREETER = """
import selectors, socket, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
model = sys.argv[2]
while True:
    one, _ = listener.accept()
    if model == "poll":
        one.setblocking(False)
        with selectors.DefaultSelector() as ready:
            ready.register(one, selectors.EVENT_WRITE)
            ready.select()
        one.setblocking(True)
    one.sendall(b"220 hello\\r\\n")
    got = one.recv(100)
    one.sendall(b"got " + got)
    one.close()
"""


@pytest.mark.parametrize("model", ["blocking", "poll"])
def test_a_program_that_speaks_first_waits_for_the_hello(processes, ports, server_side, ca, model):
    port = ports.free()
    server_side.inbound(port, tls="optional", handshake_timeout=1)
    server = processes.start([PYTHON, "-I", "-c", GREETER, port, model],
                             environment=server_side.environment())
    wait_listening(port, server)
    context = ssl.create_default_context(cafile=ca)
    with socket.create_connection(("127.0.0.1", port), timeout=15) as one, \
            context.wrap_socket(one, server_hostname="localhost") as sealed:
        assert sealed.recv(100) == b"220 hello\r\n"
        sealed.sendall(b"this")
        assert sealed.recv(100) == b"got this"
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", port), timeout=15) as clear:
        assert clear.recv(100) == b"220 hello\r\n"
        assert 0.9 < time.monotonic() - began < 10
        clear.sendall(b"that")
        assert clear.recv(100) == b"got that"
    assert "did not begin TLS" in server_side.log.wait("clear")[0]["reason"]
    server_side.nothing_refused()


def test_nginx_serves_both(nginx, processes, ports, place, server_side, ca):
    port = ports.free()
    server_side.inbound(port, tls="optional")
    nginx(port, files(place, port), server_side.environment())
    common = ["curl", "-q", "-sS", "--fail", "--noproxy", "*", "--http1.1"]
    clear = processes.run([*common, f"http://localhost:{port}/file"]).stdout
    sealed = processes.run([*common, "--cacert", ca, f"https://localhost:{port}/file"]).stdout
    assert clear == sealed and len(clear) > 100_000
    server_side.secured(1)
    server_side.log.wait("clear")
    server_side.nothing_refused()


def test_postgresql_serves_both(postgresql, processes, ports, side, pki, client_side):
    port = ports.free()
    server = side("server", {"server": pki.server}, {"ca": pki.ca}, owner="postgres")
    server.inbound(port, tls="optional")
    postgresql(server.environment(), port)
    client_side.outbound(port)
    query = psql(port, f"select '{SECRET}'")
    assert processes.run(query).text == SECRET + "\n"
    assert processes.run(query, environment=client_side.environment()).text == SECRET + "\n"
    server.secured(1)
    server.log.wait("clear")
    server.nothing_refused()
