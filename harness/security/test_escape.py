"""A socket that comes to be under a number that no hook gave writes no clear byte: it is protected
as its twin is, or refused."""

import os
import subprocess

import pytest

from harness.lib.peers import PYTHON

from harness.security.conftest import SECRET

pytestmark = pytest.mark.tls_only

PROGRAMS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "programs")

# Whatever it prints, and the log's cause of each refusal.
WAYS = {
    "pidfd": (["write echoed"], []),
    "syscall-pidfd": (["write echoed"], []),
    "pidfd-early": (["connect ok", "write echoed"], []),
    "pidfd-child": (["child connected: y", "write EACCES"], ["shared"]),
    "unshare": (["unshare EPERM", "write echoed"], ["unsupported"]),
    "syscall-unshare": (["syscall-unshare EPERM", "write echoed"], ["unsupported"]),
    "close_range": (["close_range EPERM", "write echoed"], ["unsupported"]),
    "clone-files": (["clone EPERM", "syscall EPERM", "clone3 EPERM"], ["unsupported"] * 3),
    "clone-vm": (["clone EPERM", "syscall EPERM", "clone3 EPERM"], ["unsupported"] * 3),
    "early": (["pass ok", "connect ok", "write echoed"], []),
    "early-many": (["pass ok", "connect ok", "write echoed"], []),
    "peeked": (["pass ok", "connect EACCES", "again ok", "write echoed"], ["shared"]),
    "not-sent": (["pass EPIPE", "connect ok", "write echoed"], []),
    "flag": (["pass ok", "write echoed"], []),
    "flag-many": (["pass ok", "write echoed"], []),
    "stranger": (["pass ok", "connect EACCES"], ["shared"]),
    "broker": (["pass ok", "helper connected: y", "write EACCES", "send EACCES", "read EACCES"],
               ["shared"]),
    "helper": (["pass ok", "helper connected: y", "helper echoed"], []),
    "fastopen": (["sendto EOPNOTSUPP", "sendmsg EOPNOTSUPP", "sendmmsg EOPNOTSUPP",
                  "syscall EOPNOTSUPP", "option EOPNOTSUPP"], []),
    "kernel": (["block device EACCES", "multiplexor EACCES", "write echoed"], ["unsupported"] * 2),
    "stream": (["pass ok", "fdopen EACCES"], ["unsupported"]),
}


@pytest.fixture(scope="session")
def program(tmp_path_factory):
    path = tmp_path_factory.mktemp("escape") / "escape"
    subprocess.run(["gcc", "-std=gnu17", "-D_GNU_SOURCE", "-O1", "-Wall", "-Wextra", "-Werror",
                    "-o", path, os.path.join(PROGRAMS, "escape.c"), "-lpthread"], check=True)
    return path


@pytest.mark.parametrize("way", WAYS)
def test_a_number_that_no_hook_gave(processes, relay_to_echo, client_side, program, way):
    printed, causes = WAYS[way]
    wire = relay_to_echo(SECRET)
    done = processes.run([program, way, wire.port, SECRET], environment=client_side.environment())
    assert wire.found() is None
    assert done.text.replace("ENOTSUP\n", "EOPNOTSUPP\n").splitlines() == printed
    assert [event.get("cause") for event in client_side.log.refused()] == causes


# The child's socket comes from a program without Gaiter, which connects it sooner or later, or
# passes it on.
GIVER = """
import os, socket, sys
how, port, text = sys.argv[1], int(sys.argv[2]), sys.argv[3]
child = [sys.executable, "-I", "-c", os.environ["CHILD"], how, text]
environment = dict(os.environ, LD_PRELOAD=os.environ["PRELOAD"])
ours, theirs = socket.socketpair()
os.dup2(theirs.fileno(), 200, inheritable=True)
one = socket.socket()
if how in ("connected", "high", "message"):
    one.connect(("127.0.0.1", port))
if how == "spoken":
    one.connect(("127.0.0.1", port))
    one.sendall(b"hello"), one.recv(5)
number = {"high": 700, "fifteen": 15}.get(how, 16)
if how not in ("message", "spoken"):
    os.dup2(one.fileno(), number, inheritable=True)
if os.fork() == 0:
    os.execve(sys.executable, [*child, str(number)], environment)
if how in ("message", "spoken"):
    socket.send_fds(ours, [b"x"], [one.fileno()])
assert ours.recv(1) == b"r"
if how == "later":
    one.connect(("127.0.0.1", port))
ours.send(b"g")
os.wait()
"""

CHILD = """
import errno, os, socket, sys
how, text, number = sys.argv[1], sys.argv[2].encode(), int(sys.argv[3])
control = socket.socket(fileno=200)
if how in ("message", "spoken"):
    number = socket.recv_fds(control, 1, 1)[1][0]
control.send(b"r"), control.recv(1)
try:
    if how == "itself":
        socket.socket(fileno=os.dup(number)).connect(("127.0.0.1", int(os.environ["PORT"])))
    os.write(number, text)
    got = b""
    while len(got) < len(text):
        got += os.read(number, 1000)
    print("echoed" if got == text else "lost")
except OSError as error:
    print(errno.errorcode[error.errno])
"""


@pytest.mark.parametrize("how, printed", [
    ("connected", "echoed"), ("high", "echoed"), ("message", "echoed"), ("later", "EACCES"),
    ("itself", "EACCES")])
def test_a_socket_from_a_program_without_gaiter(processes, relay_to_echo, client_side, how,
                                                printed):
    wire = relay_to_echo(SECRET)
    assert given(processes, client_side, how, wire.port).text == printed + "\n"
    assert wire.found() is None


def test_one_that_has_carried_bytes_is_refused(processes, raw_server, client_side):
    """TLS cannot begin in the middle."""
    heard = []

    def serve(connection):
        connection.sendall(connection.recv(5))
        heard.append(connection.recv(1000))
    server, port = raw_server(serve)
    client_side.outbound(port)
    assert given(processes, client_side, "spoken", port).text == "EACCES\n"
    server.stop()
    assert heard == [b""]


def given(processes, client_side, how, port):
    environment = client_side.environment()
    preload = environment.pop("LD_PRELOAD")
    return processes.run([PYTHON, "-I", "-c", GIVER, how, port, SECRET],
                         environment={**environment, "PRELOAD": preload, "CHILD": CHILD,
                                      "PORT": str(port)})


def test_a_sockmap_takes_no_protected_connection(processes, relay_to_echo, client_side, program):
    wire = relay_to_echo(SECRET)
    done = processes.run([program, "sockmap", wire.port, SECRET],
                         environment=client_side.environment())
    if done.text == "no bpf\n":
        pytest.skip("this kernel lets nobody make a sockmap")
    assert wire.found() is None
    assert done.text.splitlines() == ["sockmap EACCES", "write echoed"]
