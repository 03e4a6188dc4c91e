"""Fork families whose processes are in PID namespaces of their own: getpid(2) says 1 in several of
them, and nobody's id means anything to another. No number is sealed twice, no random is drawn
twice, nobody hangs, and nobody's connection is taken from under it."""

import os
import re
import socket
import ssl
import struct
import subprocess

import pytest

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from harness.lib import peers
from harness.lib.ports import wait_listening
from harness.security.conftest import client_hello

pytestmark = [pytest.mark.tls_only,
              pytest.mark.skipif(os.geteuid() != 0, reason="a PID namespace is root's to make")]

PROGRAMS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "programs")
MIB = 1 << 20


@pytest.fixture(scope="session")
def program(tmp_path_factory):
    path = tmp_path_factory.mktemp("namespaces") / "pid_namespaces"
    subprocess.run(["gcc", "-std=gnu17", "-D_GNU_SOURCE", "-O1", "-Wall", "-Wextra", "-Werror",
                    "-o", path, os.path.join(PROGRAMS, "pid_namespaces.c")], check=True)
    return path


@pytest.fixture
def serve(processes, ports, server_side):
    """serve(command) starts a server, whose port it appends: the process, the port."""
    def start(*command):
        port = ports.free()
        server_side.inbound(port)
        server = processes.start([str(word).format(port=port) for word in command],
                                 environment=server_side.environment())
        wait_listening(port, server)
        return server, port
    return start


@pytest.fixture
def client(pki, place):
    """client(port): a TLS connection of Python's that has sent a greeting."""
    def connect(port):
        authority = pki.ca.files(place, "authority")[0]
        connection = peers.connect(port, peers.client_context(authority))
        connection.sendall(b"hello")
        return connection
    return connect


@pytest.mark.parametrize("mode, text", [("close", b"from the parent"),
                                        ("parent", b"from the child")])
def test_who_is_left_goes_on(serve, client, program, mode, text):
    server, port = serve(program, "{port}", mode)
    with client(port) as connection:
        assert connection.recv(100) == text
        assert connection.recv(100) == b""
    assert server.wait(20) == 0, server.describe()
    assert server.stdout() == b"write %d\n" % len(text)


def test_a_sleeping_child_has_its_lock_until_it_dies(serve, client, program):
    server, port = serve(program, "{port}", "asleep")
    with client(port) as connection:
        assert connection.recv(100) == b"go on"
        connection.sendall(b"something")
        assert server.wait(20) == 0, server.describe()
    assert server.stdout() == (b"recv -1 Resource temporarily unavailable\n"
                               b"write 5\nread 9\n")


class Reader:
    """Opens a TLS 1.3 server's records under whatever number they have."""

    def __init__(self, secret):
        self.key = AESGCM(self.derive(secret, b"key", 32))
        self.iv = self.derive(secret, b"iv", 12)

    @staticmethod
    def derive(secret, label, length):
        name = b"tls13 " + label
        info = struct.pack(">HB", length, len(name)) + name + b"\0"
        return HKDFExpand(hashes.SHA384(), length, info).derive(secret)

    def open(self, record, number):
        nonce = bytes(a ^ b for a, b in zip(self.iv, number.to_bytes(12, "big")))
        try:
            return self.key.decrypt(nonce, record[5:], record[:5])
        except InvalidTag:
            return None


def raw_client(port, pki, place):
    """Says hello by TLS 1.3 with a small receive buffer: all that comes back, and its Reader."""
    context = peers.client_context(pki.ca.files(place, "authority")[0])
    context.keylog_filename = os.path.join(place, "secrets")
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        connection.settimeout(30)
        connection.connect(("127.0.0.1", port))
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                connection.sendall(outgoing.read())
                incoming.write(connection.recv(1 << 16))
        assert tls.cipher()[0] == "TLS_AES_256_GCM_SHA384"
        tls.write(b"hello")
        connection.sendall(outgoing.read())
        data = bytearray(incoming.read())
        while piece := connection.recv(1 << 20):
            data += piece
    with open(context.keylog_filename, encoding="ascii") as log:
        secret = re.search(r"SERVER_TRAFFIC_SECRET_0 \w+ (\w+)", log.read())[1]
    return bytes(data), Reader(bytes.fromhex(secret))


def test_no_number_is_used_twice(serve, program, pki, place):
    """Whoever writes in a namespace of its own waits for those it cannot see, and never takes
    what they have begun to send for lost."""
    server, port = serve(program, "{port}", "both")
    data, reader = raw_client(port, pki, place)
    assert server.wait(60) == 0, server.describe()
    at, number, written = 0, 0, 0
    while at < len(data):
        length = 5 + struct.unpack(">H", data[at + 3:at + 5])[0]
        text = reader.open(data[at:at + length], number)
        assert text is not None, f"byte {at} opens under no number {number}: {server.describe()}"
        if text[-1] == 23:
            written += len(text) - 1
        at, number = at + length, number + 1
    assert written == 16 * MIB
    assert sorted(server.stdout().split(b"\n")) == [b"", b"A done", b"B done"]


# ---- random numbers ----

# Each process is the first of its namespace, which lies in its parent's.
NEST = """
import ctypes, os, signal, socket, sys
libc = ctypes.CDLL(None, use_errno=True)
port, depth = int(sys.argv[1]), int(sys.argv[2])
CLONE_NEWPID, SYS_clone = 0x20000000, {"x86_64": 56, "aarch64": 220}[os.uname().machine]
def nest(left, work):
    child = libc.syscall(SYS_clone, CLONE_NEWPID | signal.SIGCHLD, 0, 0, 0, 0)
    assert child >= 0, ctypes.get_errno()
    if child == 0:
        assert os.getpid() == 1
        work(left)
        if left != 0:
            nest(left - 1, work)
            work(left)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
"""
CLIENTS = NEST + """
def work(left):
    try:
        socket.create_connection(("localhost", port))
    except OSError:
        pass
nest(depth, work)
"""
SERVERS = NEST + """
listener = socket.create_server(("127.0.0.1", port))
def work(left):
    connection = listener.accept()[0]
    try:
        connection.recv(1)
    except OSError:
        pass
    connection.close()
nest(depth, work)
"""
DEPTH = 3
CONNECTIONS = 2 * DEPTH + 1


def hello_of(connection):
    """The first handshake message, a ClientHello or ServerHello: its random, its key shares."""
    data = b""
    while len(data) < 5 or len(data) < 5 + struct.unpack(">H", data[3:5])[0]:
        piece = connection.recv(65536)
        assert piece, data
        data += piece
    kind, random = data[5], data[11:43]
    at = 43 + 1 + data[43]  # the session id
    if kind == 1:
        at += 2 + struct.unpack(">H", data[at:at + 2])[0]
        at += 1 + data[at]
    else:
        at += 3
    end = at + 2 + struct.unpack(">H", data[at:at + 2])[0]
    at += 2
    shares = []
    while at < end:
        extension, length = struct.unpack(">HH", data[at:at + 4])
        body = data[at + 4:at + 4 + length]
        at += 4 + length
        if extension != 51:
            continue
        body = body[2:] if kind == 1 else body
        while body:
            size = struct.unpack(">H", body[2:4])[0]
            shares.append(body[4:4 + size])
            body = body[4 + size:]
    assert shares
    return random, shares


def assert_all_different(hellos, count):
    assert len(hellos) == count
    assert len({random for random, _ in hellos}) == count
    shares = [share for _, several in hellos for share in several]
    assert len(set(shares)) == len(shares)


def test_clients_of_one_pid_draw_different_randoms_and_keys(processes, raw_server, client_side):
    hellos = []
    _, port = raw_server(lambda connection: hellos.append(hello_of(connection)))
    client_side.outbound(port)
    processes.run([peers.PYTHON, "-I", "-c", CLIENTS, port, DEPTH],
                  environment=client_side.environment())
    assert_all_different(hellos, CONNECTIONS)


def test_servers_of_one_pid_draw_different_randoms_and_keys(serve):
    server, port = serve(peers.PYTHON, "-I", "-c", SERVERS.replace("{", "{{").replace("}", "}}"),
                         "{port}", DEPTH)
    hellos = []
    for _ in range(CONNECTIONS):
        with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
            connection.sendall(client_hello())
            hellos.append(hello_of(connection))
    assert server.wait(20) == 0, server.describe()
    assert_all_different(hellos, CONNECTIONS)


# ---- relays ----

PASSES = """
import ctypes, errno, os, socket, sys
connection = socket.create_connection(("localhost", int(sys.argv[1])))
assert ctypes.CDLL(None).unshare(0x20000000) == 0
here, there = socket.socketpair()
try:
    socket.send_fds(here, [b"x"], [connection.fileno()])
    print("passed", flush=True)
except OSError as error:
    print(errno.errorcode[error.errno], flush=True)
# The first child is the program's, and the second one lives as long as it does.
first = os.fork()
if first == 0:
    print("first", os.getpid(), flush=True)
    there.recv(1)
    os._exit(0)
socket.send_fds(here, [b"x"], [os.open("/dev/null", os.O_RDONLY)])
assert os.waitpid(first, 0)[1] == 0
connection.sendall(sys.argv[2].encode())
print(connection.recv(100).decode() == sys.argv[2])
"""


def test_a_relay_is_not_the_first_process_of_a_namespace(processes, relay_to_echo, client_side):
    """It would end the namespace that the program made for its children, by going away."""
    text = os.urandom(20).hex()
    wire = relay_to_echo(text)
    done = processes.run([peers.PYTHON, "-I", "-c", PASSES, wire.port, text],
                         environment=client_side.environment())
    assert done.text.splitlines() == ["EACCES", "first 1", "True"]
    wire.prove(connections=1)
