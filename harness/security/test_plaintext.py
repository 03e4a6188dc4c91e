"""No call, and no fault of the policy, lets a clear byte out."""

import os

import pytest

from harness.lib.gaiter import COMMAND
from harness.lib.peers import PYTHON, talk, talked
from harness.lib.policies import Word

from harness.security.conftest import SECRET, assert_serves_nobody, ended

pytestmark = pytest.mark.tls_only

TEXT = SECRET.encode()

# One connection on which each way to send is used once; the peer sends back what it got.
CALLS = """
import os, socket, sys, tempfile
port, text = int(sys.argv[1]), sys.argv[2].encode()
s = socket.create_connection(("localhost", port))
s.settimeout(None)
fd = s.fileno()
n = len(text)
f = tempfile.TemporaryFile()
f.write(b"--" + text); f.flush()
copy = os.dup(fd)
SENDS = [
    ("send", lambda: s.send(text)),
    ("sendall", lambda: s.sendall(text)),
    ("send flags", lambda: s.send(text, socket.MSG_NOSIGNAL | socket.MSG_DONTWAIT)),
    ("sendmsg", lambda: s.sendmsg([text[:3], b"", text[3:20], text[20:]])),
    ("write", lambda: os.write(fd, text)),
    ("writev", lambda: os.writev(fd, [text[:1], text[1:]])),
    ("write dup", lambda: os.write(copy, text)),
    ("sendfile", lambda: os.sendfile(fd, f.fileno(), 2, n)),
    ("makefile", lambda: [w := s.makefile("wb"), w.write(text), w.flush()] and n),
    ("more", lambda: s.send(text[:5], socket.MSG_MORE) + s.send(text[5:])),
]
def exactly(read):
    got = b""
    while len(got) < n:
        piece = read(n - len(got))
        assert piece, "early end of file"
        got += piece
    return got
def into(k):
    b = bytearray(k)
    return bytes(b[:s.recv_into(b)])
def readv(k):
    a, b = bytearray(min(k, 3)), bytearray(max(k - 3, 0))
    got = os.readv(fd, [a, b])
    return bytes((a + b)[:got])
def scattered(k):
    a, b = bytearray(min(k, 7)), bytearray(max(k - 7, 0))
    got = s.recvmsg_into([a, b])[0]
    return bytes((a + b)[:got])
def peeked(k):
    seen = s.recv(k, socket.MSG_PEEK)
    got = s.recv(len(seen))
    assert seen == got, (seen, got)
    return got
RECEIVES = [
    ("recv", s.recv), ("recv_into", into), ("recvfrom", lambda k: s.recvfrom(k)[0]),
    ("recvmsg", lambda k: s.recvmsg(k)[0]), ("recvmsg_into", scattered),
    ("read", lambda k: os.read(fd, k)), ("readv", readv), ("read dup", lambda k: os.read(copy, k)),
    ("waitall", lambda k: s.recv(k, socket.MSG_WAITALL)), ("peek", peeked),
]
for name, send in SENDS:
    sent = send()
    assert sent in (None, n), (name, sent)
    assert exactly(s.recv) == text, name
for name, read in RECEIVES:
    s.sendall(text)
    got = exactly(read)
    assert got == text, (name, got)
print("all sealed")
"""


def test_every_call_is_sealed(processes, relay_to_echo, client_side):
    wire = relay_to_echo(SECRET)
    done = processes.run([PYTHON, "-I", "-c", CALLS, wire.port, SECRET],
                         environment=client_side.environment())
    assert done.text == "all sealed\n"
    wire.prove(connections=1)


def test_urgent_data_is_refused(serve, relay, processes, client_side):
    server, port = serve("recv-all")
    wire = relay(port, [TEXT])
    client_side.outbound(wire.port)
    program = ("import socket, sys, errno\n"
               "s = socket.create_connection(('localhost', int(sys.argv[1])))\n"
               "try: s.send(b'!', socket.MSG_OOB)\n"
               "except OSError as e: print(errno.errorcode[e.errno])\n"
               "s.sendall(sys.argv[2].encode())\n")
    done = processes.run([PYTHON, "-I", "-c", program, wire.port, SECRET],
                         environment=client_side.environment())
    assert done.text in ("EOPNOTSUPP\n", "ENOTSUP\n")
    assert ended(server)["recv-all"][0].startswith("40 bytes")
    wire.prove()


def test_data_sent_before_the_handshake_is_over_waits_or_is_refused(raw_server, relay, processes,
                                                                    client_side):
    """A non-blocking program that sends too early gets EAGAIN, never a clear byte on the wire."""
    heard = []

    def serve(connection):
        connection.settimeout(1)
        try:
            while data := connection.recv(1000):
                heard.append(data)
        except OSError:
            pass

    _, port = raw_server(serve)
    client_side.outbound(port)
    program = ("import socket, sys, errno, time\n"
               "s = socket.socket(); s.setblocking(False)\n"
               "print(errno.errorcode.get(s.connect_ex(('127.0.0.1', int(sys.argv[1])))))\n"
               "for _ in range(5):\n"
               "  try: print('sent', s.send(sys.argv[2].encode()))\n"
               "  except OSError as e: print(errno.errorcode[e.errno])\n"
               "  time.sleep(0.1)\n")
    done = processes.run([PYTHON, "-I", "-c", program, port, SECRET],
                         environment=client_side.environment())
    assert done.text.splitlines() == ["EINPROGRESS"] + ["EAGAIN"] * 5, done.text
    assert heard and TEXT not in b"".join(heard)
    assert heard[0][0] == 22, "a ClientHello comes first"


def test_a_port_without_a_rule_is_left_clear(raw_server, processes, ports, client_side):
    client_side.outbound(ports.free())
    _, port = raw_server(lambda connection: connection.sendall(connection.recv(100)))
    done = processes.run(talk(f"connect:localhost:{port}", "send:hello", "recv"),
                         environment=client_side.environment())
    assert talked(done)["recv"] == ["b'hello'"]


def test_tls_off_is_clear(raw_server, dial):
    _, port = raw_server(lambda connection: connection.sendall(connection.recv(100)))
    assert dial(port, "send:hello", "recv", tls="off")["recv"] == ["b'hello'"]


@pytest.fixture
def nobody_came(relay, raw_server):
    """A relay to a plain server; after the test not one byte may have reached it."""
    _, port = raw_server(lambda connection: connection.recv(1000))
    wire = relay(port)
    yield wire
    assert wire.crossed() == (0, 0)
    assert not wire.connections


@pytest.mark.parametrize("connect", ["connect", "connect-nb"])
def test_tls_block_lets_nothing_leave(nobody_came, dial, client_side, connect):
    results = dial(nobody_came.port, f"send:{SECRET}", connect=connect, tls="block")
    assert results["connect"] == ["EACCES"]
    client_side.refused("blocked", "EACCES")


def test_unmatched_block_lets_nothing_leave(nobody_came, processes, client_side):
    client_side.policy.configuration('unmatched = "block";\n')
    done = processes.run(talk(f"connect:localhost:{nobody_came.port}", f"send:{SECRET}"),
                         environment=client_side.environment())
    assert talked(done)["connect"] == ["EACCES"]
    client_side.refused("blocked", "EACCES")


def test_strict_lets_nothing_leave(nobody_came, processes, ports, client_side):
    done = processes.run([COMMAND, "run", "--policy", client_side.policy.path, "--connect",
                          ports.free(), "--strict", "--",
                          *talk(f"connect:localhost:{nobody_came.port}", f"send:{SECRET}")],
                         environment={"GAITER_LOG": f"info:{client_side.log.path}"})
    assert talked(done)["connect"] == ["EACCES"]
    client_side.refused("blocked", "EACCES")


def test_tls_block_inbound_serves_nobody(processes, ports, server_side):
    port = ports.free()
    server_side.inbound(port, tls="block")
    server = processes.start(talk(f"listen:{port}", "accept", "recv", f"send:{SECRET}"),
                             environment=server_side.environment())
    assert_serves_nobody(server, port)
    server_side.refused("blocked", "EACCES")


BROKEN = {
    "misspelt-value": 'outbound = { tls = "requierd"; };\n',
    "misspelt-key": 'outbound = { tls = "required"; serevr_name = "x"; };\n',
    "syntax": 'outbound = { tls = "required"\n',
    "type": "outbound = { tls = 1; };\n",
}


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_policy_lets_nothing_leave(nobody_came, processes, client_side, text):
    client_side.policy.text(nobody_came.port, text)
    done = processes.run(talk(f"connect:localhost:{nobody_came.port}", f"send:{SECRET}"),
                         environment=client_side.environment())
    assert talked(done)["connect"] == ["EACCES"]
    assert f"{nobody_came.port}.conf:1" in client_side.log.text()
    assert len(client_side.log.refused()) == 1


def test_a_broken_file_of_another_port_blocks_all_the_same(nobody_came, processes, ports,
                                                           client_side):
    """All or nothing: nobody can say which sockets the broken part was to protect."""
    client_side.policy.text(ports.free(), 'inbound = { tls = "requierd"; };\n')
    done = processes.run(talk(f"connect:localhost:{nobody_came.port}", f"send:{SECRET}"),
                         environment=client_side.environment())
    assert talked(done)["connect"] == ["EACCES"]


def test_a_policy_that_anybody_may_write_is_not_followed(nobody_came, processes, client_side):
    client_side.outbound(nobody_came.port, tls="off")
    os.chmod(os.path.join(client_side.policy.path, "policy.d", f"{nobody_came.port}.conf"), 0o666)
    done = processes.run(talk(f"connect:localhost:{nobody_came.port}", f"send:{SECRET}"),
                         environment=client_side.environment())
    assert talked(done)["connect"] == ["EACCES"]


def test_a_server_with_a_broken_policy_serves_nobody(processes, ports, server_side):
    port = ports.free()
    server_side.inbound(port, tls=Word("required"))  # a bare word is no string
    server = processes.start(talk(f"listen:{port}", "accept", "recv", f"send:{SECRET}"),
                             environment=server_side.environment())
    assert_serves_nobody(server, port)
    assert f"{port}.conf:2" in server_side.log.text()
