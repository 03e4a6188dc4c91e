"""Connections that leave the program that made them: for another program image, for a libc stream,
for another process. They stay protected; a relay carries the bytes."""

import os
import socket
import struct
import sys

import pytest

from harness.lib.ports import wait_listening

PYTHON = sys.executable
SECRET = b"a line that was never to be seen"

# What inetd does: the accepted socket becomes standard input and output of another program.
INETD = """
import os, socket, sys
listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind(("127.0.0.1", int(sys.argv[1])))
listener.listen()
while True:
    connection, _ = listener.accept()
    if os.fork() == 0:
        for number in range(3):
            os.dup2(connection.fileno(), number)
        connection.close()
        os.execv(sys.argv[2], sys.argv[2:])
    connection.close()
    os.wait()
"""

# Accepts, and passes the socket to a child that was there before.
PASSER = """
import os, socket, sys
ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
if os.fork() == 0:
    _, (number,), _, _ = socket.recv_fds(theirs, 1, 1)
    connection = socket.socket(fileno=number)
    line = connection.makefile().readline()
    connection.sendall(b"passed on: " + line.encode())
    os._exit(0)
listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind(("127.0.0.1", int(sys.argv[1])))
listener.listen()
connection, _ = listener.accept()
socket.send_fds(ours, [b"x"], [connection.fileno()])
connection.close()
os.wait()
"""


def ask(processes, relay, port, client_side, text=SECRET):
    """One line to the service, by a client under Gaiter; what comes back until end of file."""
    wire = relay(port, [text])
    client_side.outbound(wire.port)
    question = os.path.join(processes.place, "question")
    with open(question, "wb") as file:
        file.write(text + b"\n")
    answer = processes.run(["nc", "-N", "localhost", wire.port], stdin=question,
                           environment=client_side.environment())
    wire.prove(connections=1)
    return answer.stdout


def start(processes, ports, server_side, program, *arguments):
    port = ports.free()
    server_side.inbound(port)
    server = processes.start([PYTHON, "-c", program, str(port), *arguments],
                             environment=server_side.environment())
    wait_listening(port, server)
    return server, port


def test_a_program_started_by_inetd_talks_by_its_standard_streams(processes, ports, relay,
                                                                  server_side, client_side):
    _, port = start(processes, ports, server_side, INETD, "/bin/sh", "-c",
                    "read line; echo \"heard: $line\"")
    assert ask(processes, relay, port, client_side) == b"heard: " + SECRET + b"\n"


def test_a_static_program_started_by_inetd_is_protected(processes, ports, relay, server_side,
                                                        client_side, place):
    source = os.path.join(place, "echo.c")
    with open(source, "w", encoding="utf-8") as file:
        file.write('#include <stdio.h>\nint main(void) { char line[100]; '
                   'if (fgets(line, sizeof line, stdin)) printf("static: %s", line); return 0; }\n')
    program = os.path.join(place, "echo")
    processes.run(["gcc", "-static", "-o", program, source])
    _, port = start(processes, ports, server_side, INETD, program)
    assert ask(processes, relay, port, client_side) == b"static: " + SECRET + b"\n"


def test_socat_executes_a_program_in_its_own_place(processes, ports, relay, server_side,
                                                   client_side):
    port = ports.free()
    server_side.inbound(port)
    server = processes.start(["socat", f"TCP4-LISTEN:{port},bind=127.0.0.1,reuseaddr",
                              "EXEC:cat,nofork"], environment=server_side.environment())
    wait_listening(port, server)
    assert ask(processes, relay, port, client_side) == SECRET + b"\n"


def test_a_passed_descriptor_goes_on_being_protected(processes, ports, relay, server_side,
                                                     client_side):
    _, port = start(processes, ports, server_side, PASSER)
    assert ask(processes, relay, port, client_side) == b"passed on: " + SECRET + b"\n"


def test_bash_talks_through_dev_tcp(processes, ports, relay, server_side, client_side):
    _, port = start(processes, ports, server_side, INETD, "/bin/cat")
    wire = relay(port, [SECRET])
    client_side.outbound(wire.port)
    script = (f"exec 3<>/dev/tcp/localhost/{wire.port}; echo '{SECRET.decode()}' >&3; "
              "read -r line <&3; echo \"$line\"")
    answer = processes.run(["bash", "-c", script], environment=client_side.environment())
    assert answer.stdout == SECRET + b"\n"
    wire.prove(connections=1)


def test_a_child_with_a_cleaned_environment_is_protected_too(processes, ports, relay, server_side,
                                                             client_side):
    _, port = start(processes, ports, server_side, INETD, "/bin/cat")
    wire = relay(port, [SECRET])
    client_side.outbound(wire.port)
    question = os.path.join(processes.place, "question")
    with open(question, "wb") as file:
        file.write(SECRET + b"\n")
    answer = processes.run(["env", "-i", "PATH=/usr/bin:/bin", "nc", "-N", "localhost", wire.port],
                           stdin=question, environment=client_side.environment())
    assert answer.stdout == SECRET + b"\n"
    wire.prove(connections=1)


# Who was started with the socket says who is at its other end.
WHO = """
import socket
one = socket.socket(fileno=0)
line = one.recv(100)
def text(address):
    return address[0] if isinstance(address, tuple) else repr(address)
import ctypes
libc = ctypes.CDLL(None)
class Address(ctypes.Structure):
    _fields_ = [("family", ctypes.c_uint16), ("port", ctypes.c_uint16), ("ip", ctypes.c_uint8 * 4),
                ("rest", ctypes.c_uint8 * 8)]
def ask(function):
    address, length = Address(), ctypes.c_uint32(16)
    assert function(0, ctypes.byref(address), ctypes.byref(length)) == 0
    return "%d %s" % (address.family, ".".join(map(str, address.ip)))
one.sendall(b"peer " + ask(libc.getpeername).encode() + b" here "
            + ask(libc.getsockname).encode() + b"\\n")
"""


def test_the_next_program_image_sees_the_addresses_of_tcp(processes, ports, relay, server_side,
                                                          client_side):
    _, port = start(processes, ports, server_side, INETD, PYTHON, "-c", WHO)
    assert ask(processes, relay, port, client_side) == b"peer 2 127.0.0.1 here 2 127.0.0.1\n"


@pytest.mark.parametrize("number", [0, 3])
def test_a_connection_from_a_parent_that_is_not_under_gaiter(processes, ports, relay, server_side,
                                                             client_side, number):
    """As inetd's (0, 1 and 2) and systemd's (3) children get it."""
    program = INETD.replace("range(3)", f"range({number}, {number + 3})")
    service = f"read -r line <&{number}; echo \"heard: $line\" >&{number}"
    port = ports.free()
    server_side.inbound(port)
    variables = [f"{name}={value}" for name, value in server_side.environment().items()]
    server = processes.start([PYTHON, "-c", program, str(port), "/usr/bin/env", *variables,
                              "/bin/sh", "-c", service])
    wait_listening(port, server)
    assert ask(processes, relay, port, client_side) == b"heard: " + SECRET + b"\n"


# Its service gets what came, and nobody under Gaiter saw it come.
LATE = """
import os, socket, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
connection, _ = listener.accept()
connection.recv(1, socket.MSG_PEEK)
while sys.argv[2] == "reset":
    try:
        connection.getpeername()
    except OSError:
        break
for number in map(int, sys.argv[3].split(",")):
    os.dup2(connection.fileno(), number)
os.execv("/usr/bin/env", ["env", *sys.argv[4:]])
"""


def serve_late(processes, ports, server_side, how, numbers, *service, **variables):
    port = ports.free()
    variables = [f"{name}={value}" for name, value in server_side.environment(**variables).items()]
    server = processes.start([PYTHON, "-c", LATE, port, how, numbers, *variables, *service])
    wait_listening(port, server)
    return server, port


@pytest.mark.tls_only
@pytest.mark.parametrize("number", [0, 7])
def test_what_came_before_a_reset_is_not_handed_over(processes, ports, place, server_side, number):
    """A peer that has reset the connection has no address any more by which to find a rule."""
    heard = os.path.join(place, "heard")
    server, port = serve_late(processes, ports, server_side, "reset", str(number), "/bin/sh", "-c",
                              f"sed w{heard} <&{number}")
    server_side.inbound(port)
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(SECRET + b"\n")
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    server.wait()
    with open(heard, "rb") as file:
        assert file.read() == b""
    assert len(server_side.log.refused()) == 1


@pytest.mark.tls_only
def test_streams_that_are_refused_hear_and_say_nothing(processes, ports, place, server_side):
    """Nor does the log write to what is standard error: it is the peer that would read it."""
    heard = os.path.join(place, "heard")
    server, port = serve_late(processes, ports, server_side, "open", "0,1,2", "/usr/bin/sed",
                              f"w{heard}", GAITER_LOG="info")
    server_side.policy.text(port, 'inbound = { tls = "requierd"; };\n')
    with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        client.sendall(SECRET + b"\n")
        try:
            assert client.recv(1000) == b""
        except ConnectionResetError:
            pass
    server.wait()
    with open(heard, "rb") as file:
        assert file.read() == b""


# What systemd does: the program finds its listener as number 3 (sd_listen_fds(3)).
ACTIVATING = """
import os, socket, sys
listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind(("127.0.0.1", int(sys.argv[1])))
listener.listen()
os.dup2(listener.fileno(), 3)
os.set_inheritable(3, True)  # 3 may have been its number before
os.execve(sys.executable, [sys.executable, "-c", sys.argv[2]], dict(
    os.environ, LISTEN_FDS="1", LISTEN_PID=str(os.getpid()),
    **dict(variable.split("=", 1) for variable in sys.argv[3:])))
"""

ACTIVATED = """
import os, socket
assert os.environ["LISTEN_FDS"] == "1" and os.environ["LISTEN_PID"] == str(os.getpid())
listener = socket.socket(fileno=3)
while True:
    connection, _ = listener.accept()
    connection.sendall(b"activated: " + connection.makefile("rb").readline())
    connection.close()
"""


def test_a_listener_from_socket_activation(processes, ports, relay, server_side, client_side):
    port = ports.free()
    server_side.inbound(port)
    variables = [f"{name}={value}" for name, value in server_side.environment().items()]
    server = processes.start([PYTHON, "-c", ACTIVATING, port, ACTIVATED, *variables])
    wait_listening(port, server)
    for _ in range(2):
        assert ask(processes, relay, port, client_side) == b"activated: " + SECRET + b"\n"


# Sets what its successor's calls go by, then lets it have the connection as number 0.
OPTIONS = """
import os, socket, struct, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    connection, _ = listener.accept()
    if os.fork() == 0:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 0, 300_000))
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 20)
        os.dup2(connection.fileno(), 0)
        os.execv(sys.executable, [sys.executable, "-c", sys.argv[2]])
    connection.close()
"""

PATIENT = """
import socket
connection = socket.socket(fileno=0)
heard = connection.recv(1000)
try:
    connection.recv(1000)
except BlockingIOError:
    connection.sendall(b"in time: " + heard)
"""

IN_PIECES = """
import socket, sys, time
connection = socket.create_connection(("localhost", int(sys.argv[1])))
for piece in (sys.argv[2][:10], sys.argv[2][10:]):
    connection.sendall(piece.encode())
    time.sleep(0.1)
print(connection.recv(1000).decode())
"""


def test_options_go_with_the_connection(processes, ports, relay, server_side, client_side):
    port = ports.free()
    server_side.inbound(port)
    server = processes.start([PYTHON, "-c", OPTIONS, port, PATIENT],
                             environment=server_side.environment())
    wait_listening(port, server)
    wire = relay(port, [SECRET])
    client_side.outbound(wire.port)
    done = processes.run([PYTHON, "-c", IN_PIECES, wire.port, SECRET.decode()],
                         environment=client_side.environment())
    assert done.text == f"in time: {SECRET.decode()}\n"
    wire.prove(connections=1)
