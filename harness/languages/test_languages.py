"""An echo server and a client in each language, against OpenSSL: a mebibyte there and back."""

import contextlib
import fcntl
import hashlib
import os
import shutil
import socket
import ssl

import pytest

from harness.languages.table import LANGUAGES
from harness.lib import peers
from harness.lib.ports import wait_listening
from harness.lib.processes import Processes

PROGRAMS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "programs")
SIZE = 1 << 20
LINE = 1023  # with its newline 1024: a burst ends with a line
BURST = 1 << 16  # sent before the answer is read: what the sockets on the way hold for sure

# The byte values that programs stumble over, and few enough that the wire proof stays quick.
VALUES = bytes({0, 4, 9, 10, 13, 26, 32, 92, 127, 128, 0xC3, 0xFE, 0xFF}) + bytes(range(160, 211))
assert len(VALUES) == 64


def random_bytes():
    return os.urandom(SIZE).translate(VALUES * 4)


def random_lines():
    digits = os.urandom(SIZE // 2).hex()
    return "".join(digits[at:at + LINE] + "\n" for at in range(0, SIZE, LINE)).encode()


def for_role(role):
    return pytest.mark.parametrize(
        "language", [language for language in LANGUAGES if language.without != role],
        ids=lambda language: language.name)


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    """A directory that all workers of this run of the tests share."""
    base = tmp_path_factory.getbasetemp()
    path = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "languages"
    path.mkdir(exist_ok=True)
    return path


@pytest.fixture
def command(built, place):
    """command(language, role, port) builds the program, once in the session, and says how it is
    run. Programs of one folder wait for each other: their compilers share files."""
    def make(language, role, port):
        folder = built / language.name
        folder.mkdir(exist_ok=True)
        words = {"source": os.path.join(PROGRAMS, language.folder), "built": str(folder),
                 "role": role, "Role": role.capitalize(), "port": port}
        done = folder / (role + ".done")
        with open(folder / "lock", "w", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if language.build and not done.exists():
                build(language, words)
                done.touch()
        run = [word.format(**words) for word in language.run]
        return run if any("{port}" in word for word in language.run) else [*run, port]

    def build(language, words):
        compiling = os.path.join(place, "compiling")
        os.mkdir(compiling)
        compilers = Processes(compiling)
        try:
            compilers.run([word.format(**words) for word in language.build], timeout=240)
        finally:
            compilers.stop()
            shutil.rmtree(compiling)
    return make


@pytest.fixture
def plain(request):
    return request.config.getoption("--plain")


def echoed(port, data, context):
    """What a server on `port` gives back for `data`, up to its end of file."""
    answer = bytearray()
    connection = (peers.connect(port, context) if context else
                  socket.create_connection(("127.0.0.1", port), timeout=20))
    with connection:
        for at in range(0, len(data), BURST):
            burst = data[at:at + BURST]
            connection.sendall(burst)
            while len(answer) < at + len(burst):
                piece = connection.recv(1 << 16)
                assert piece, f"end of file after {len(answer)} bytes"
                answer += piece
        if isinstance(connection, ssl.SSLSocket):
            connection.unwrap().close()
        else:
            connection.shutdown(socket.SHUT_WR)
            assert connection.recv(1) == b""
    return bytes(answer)


def same(got, sent):
    assert len(got) == len(sent)
    assert hashlib.sha256(got).digest() == hashlib.sha256(sent).digest()


@pytest.mark.limit(300)
@for_role("server")
def test_a_server_echoes_to_openssl(language, command, processes, ports, relay, ca, server_side,
                                    plain):
    data = random_lines() if language.lines else random_bytes()
    port = ports.free()
    server_side.inbound(port)
    server = processes.start(command(language, "server", port), name="server",
                             environment=server_side.environment())
    wait_listening(port, server, timeout=40)
    wire = relay(port, [data])
    same(echoed(wire.port, data, None if plain else peers.client_context(ca)), data)
    assert server.wait() == 0, server.describe()
    wire.prove(connections=1)
    server_side.secured(1, version="TLSv1.3")
    server_side.nothing_refused()


@pytest.mark.limit(300)
@for_role("client")
def test_a_client_is_echoed_by_openssl(language, command, processes, ports, relay, place, pki,
                                       client_side, plain):
    data = random_lines() if language.lines else random_bytes()
    source = os.path.join(place, "data")
    with open(source, "wb") as out:
        out.write(data)
    port = ports.free()
    context = None if plain else peers.server_context(pki.server.files(place, "server"))
    with contextlib.ExitStack() as stack:
        server = peers.Server(port, peers.echo, context)
        stack.callback(server.stop)
        wire = relay(port, [data])
        client_side.outbound(wire.port)
        client = processes.run(command(language, "client", wire.port), name="client", stdin=source,
                               environment=client_side.environment(), timeout=60)
        same(client.stdout, data)
        server.join()
    assert not server.errors, server.errors
    wire.prove(connections=1)
    client_side.secured(1, version="TLSv1.3")
    client_side.nothing_refused()
