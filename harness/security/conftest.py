"""Small conversations, most of which must fail."""

import os
import socket
import ssl
import struct

import pytest

from harness.lib import peers
from harness.lib.peers import talk, talked
from harness.lib.ports import listening, wait_listening

SECRET = os.urandom(20).hex()


@pytest.fixture
def serve(processes, ports, server_side):
    """serve(steps, **policy) starts talk.py as a server under Gaiter: the process, its port."""
    def start(*steps, side=None, environment=None, **settings):
        one = side or server_side
        port = ports.free()
        one.inbound(port, **settings)
        server = processes.start(talk(f"listen:{port}", "accept", *steps),
                                 environment=one.environment(**(environment or {})))
        wait_listening(port, server)
        return server, port
    return start


@pytest.fixture
def dial(processes, client_side):
    """dial(port, steps, **policy) runs talk.py as a client under Gaiter: what it printed."""
    def run(port, *steps, side=None, name="localhost", connect="connect", environment=None,
            timeout=30, **settings):
        one = side or client_side
        one.outbound(port, **settings)
        done = processes.run(talk(f"{connect}:{name}:{port}", *steps), timeout=timeout,
                             environment=one.environment(**(environment or {})))
        results = talked(done)
        results["connect"] = results.pop(connect)
        return results
    return run


@pytest.fixture
def tls_server(ports, place, cleanup):
    """tls_server(identity, ...) starts a TLS server of Python's: the server and its port."""
    def start(identity, serve=peers.echo, version="1.3", client_ca=None):
        port = ports.free()
        context = peers.server_context(identity.files(place, f"tls-{port}"), version, client_ca)
        server = peers.Server(port, serve, context)
        cleanup.callback(server.stop)
        return server, port
    return start


@pytest.fixture
def raw_server(ports, cleanup):
    """raw_server(serve) runs `serve(socket)` for each TCP connection: the server and its port."""
    def start(serve):
        port = ports.free()
        server = peers.Server(port, serve)
        cleanup.callback(server.stop)
        return server, port
    return start


def ended(process):
    """What a server of `serve` printed, once it has ended."""
    assert process.wait(20) == 0, process.describe()
    lines = process.stdout().decode().splitlines()
    results = {}
    for line in lines:
        step, _, result = line.partition(" ")
        results.setdefault(step, []).append(result)
    return results


def assert_serves_nobody(server, port):
    """A server (listen, accept, recv, ...) that Gaiter refuses: at listen(), or at the first use
    of what it accepted, with EACCES; the client gets not one byte of the program's."""
    if b"listen ok" in server.wait_output(b"listen "):
        with raw_connection(port) as connection:
            connection.sendall(b"\x16\x03\x01")
            assert SECRET.encode() not in rest(connection)
        assert "EACCES" in str(ended(server)), server.describe()
    else:
        server.wait_output(b"listen EACCES")
        assert not listening(port)


def client_hello(version="1.3"):
    """A whole ClientHello record for localhost."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.maximum_version = peers.TLS_VERSIONS[version]
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
    try:
        tls.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outgoing.read()


def raw_connection(port):
    connection = socket.create_connection(("127.0.0.1", port), timeout=20)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def reset(connection):
    """Closes with RST."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def rest(connection):
    """All that still comes on a raw connection, whichever way it ends."""
    data = b""
    try:
        while piece := connection.recv(65536):
            data += piece
    except ConnectionResetError:
        pass
    return data
