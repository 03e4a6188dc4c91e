"""on_change = "drain": connections of a changed rule end at a quiet moment, and no others."""

import socket
import ssl
import time

import pytest

from harness.lib.inline import Inline, pinged, wait_until
from harness.lib.peers import PYTHON
from harness.lib.policies import Word
from harness.lib.ports import wait_listening
from harness.programs.test_postgresql import psql

pytestmark = pytest.mark.tls_only

SOON = 2  # seconds, within which a change is followed


def wait_until_ended(one, port, **how):
    """Until the server ends this connection; it serves others, made like `how`, meanwhile."""
    one.socket.settimeout(0.2)

    def ended():
        assert pinged(port, **how) == b"+PONG"
        try:
            return one.socket.recv(10) == b""
        except socket.timeout:
            return False

    wait_until(ended)
    one.close()


def connected(redis, ports, server_side, ca):
    """A Redis whose rule drains, and a connection to it that was used: (port, Inline)."""
    port = ports.free()
    server_side.inbound(port, on_change="drain")
    redis(port)
    connection = Inline(port, ca=ca)
    assert connection.ask() == b"+PONG"
    return port, connection


def test_idle_connections_of_a_changed_rule_are_ended(redis, ports, server_side, ca):
    port, idle = connected(redis, ports, server_side, ca)
    server_side.inbound(port, on_change="drain", handshake_timeout=7)
    wait_until_ended(idle, port, ca=ca)
    server_side.log.wait("drained")


WAITER = """
import select, socket, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
sockets = [listener]

def asked():
    if sys.argv[2] == "select":
        return select.select(sockets, [], [])[0]
    waiter = select.poll() if sys.argv[2] == "poll" else select.epoll()
    for one in sockets:
        waiter.register(one, select.POLLIN)
    return [one for one in sockets if one.fileno() in dict(waiter.poll())]

while True:
    for one in asked():
        if one is listener:
            sockets.append(listener.accept()[0])
        elif one.recv(100):
            one.sendall(b"+PONG\\r\\n")
        else:
            sockets.remove(one)
"""


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("how", ["poll", "select", "epoll"])
def test_who_sleeps_until_something_comes_drains(processes, ports, server_side, ca, how, version):
    """No other connection is made, and one of the two was never used."""
    port = ports.free()
    server_side.inbound(port, on_change="drain", session=Word("{ tickets = 0; }"))
    server = processes.start([PYTHON, "-I", "-u", "-c", WAITER, port, how],
                             environment=server_side.environment())
    wait_listening(port, server)
    with Inline(port, ca=ca, version=version) as unused, \
            Inline(port, ca=ca, version=version) as idle:
        assert idle.ask() == b"+PONG"
        server_side.inbound(port, on_change="drain", handshake_timeout=7)
        for one in (idle, unused):
            one.socket.settimeout(20)
            assert one.socket.recv(10) == b""
    server_side.log.wait("drained", 2)


def test_an_idle_backend_of_postgresql_drains(postgresql, ports, processes, side, pki, client_side):
    """A process for each connection, which makes none itself."""
    port = ports.free()
    server = side("server", {"server": pki.server}, {"ca": pki.ca}, owner="postgres")
    server.inbound(port, on_change="drain")
    postgresql(server.environment(), port)
    client_side.outbound(port)
    session = processes.start(psql(port), stdin="pipe", environment=client_side.environment())
    session.write(b"select 'first';\n")
    session.wait_output(b"first")
    server.inbound(port, on_change="drain", handshake_timeout=7)
    server.log.wait("drained")


def test_busy_connections_of_a_changed_rule_end_when_they_are_quiet(redis, ports, server_side, ca):
    port, busy = connected(redis, ports, server_side, ca)
    server_side.inbound(port, tls="off", on_change="drain")
    began = time.monotonic()
    while time.monotonic() - began < 4:
        assert busy.ask() == b"+PONG"
        assert pinged(port) == b"+PONG" or time.monotonic() - began < SOON
        time.sleep(0.1)  # often enough not to be quiet
    busy.socket.sendall(b"BLPOP nothing 3\r\n")  # asked, and not answered yet
    began = time.monotonic()
    while time.monotonic() - began < 2.5:
        assert pinged(port) == b"+PONG"
        time.sleep(0.2)  # until shortly before the answer, which is owed
    assert busy.socket.recv(100).startswith(b"*-1")
    wait_until_ended(busy, port)


def test_other_rules_connections_are_kept(redis, ports, server_side, ca):
    port, kept = connected(redis, ports, server_side, ca)
    server_side.inbound(ports.free())
    wait_until(lambda: pinged(port, ca=ca) and "policy followed" in server_side.log.text())
    for _ in range(3):
        time.sleep(0.7)  # nothing is drained meanwhile, which no condition tells
        assert pinged(port, ca=ca) == b"+PONG"
    assert kept.ask() == b"+PONG"
    kept.close()
