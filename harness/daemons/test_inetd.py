"""inetd, GNU's and xinetd: services that get the connection as standard input and output, or the
listener itself."""

import pytest

SERVICE = """#!/bin/sh
while read -r line; do
    echo "heard: $line"
    [ "$line" = bye ] && exit
done
"""

WAITING = """#!/usr/bin/python3 -I
import socket
listener = socket.socket(fileno=0)
listener.settimeout(5)
try:
    while True:
        connection, _ = listener.accept()
        with connection, connection.makefile("rw") as file:
            file.write("waited: " + file.readline())
except TimeoutError:
    pass
"""


XINETD = """defaults
{{
    log_type = FILE {place}/xinetd.log
}}
service served
{{
    type = UNLISTED
    socket_type = stream
    protocol = tcp
    bind = 127.0.0.1
    port = {port}
    wait = {wait}
    user = root
    server = {server}
    {arguments}
}}
"""


@pytest.fixture(params=["inetutils", "xinetd"])
def inetd(request, serve, ports, place, write, unpacked):
    """inetd(wait, program) serves `program` and gives the port."""
    def inetutils(port, wait, *program):
        conf = write("inetd.conf", f"127.0.0.1:{port} stream tcp4 {wait} root {program[0]} "
                     f"{' '.join(program)}\n")
        serve(port, "inetutils-inetd", "-d", "--pidfile=" + place + "/inetd.pid", conf)

    def xinetd(port, wait, server, *arguments):
        conf = write("xinetd.conf", XINETD.format(
            place=place, port=port, wait="yes" if wait == "wait" else "no", server=server,
            arguments="server_args = " + " ".join(arguments) if arguments else ""))
        serve(port, unpacked("xinetd") + "/usr/sbin/xinetd", "-dontfork", "-f", conf,
              "-pidfile", place + "/inetd.pid")

    def start(wait, *program):
        port = ports.free()
        {"inetutils": inetutils, "xinetd": xinetd}[request.param](port, wait, *program)
        return port
    return start


@pytest.fixture
def ask(client, write):
    def with_netcat(port, *lines):
        question = write("question", "\n".join(lines) + "\n")
        return client("nc", "-N", "localhost", port, stdin=question).text
    return with_netcat


def test_a_shell_script_is_served(inetd, reach, ask, write, secret):
    script = write("service", SERVICE, 0o755)
    wire = reach(inetd("nowait", script), secret)
    for number in range(3):
        answer = ask(wire.port, f"{secret} {number}", "bye")
        assert answer == f"heard: {secret} {number}\nheard: bye\n"
    wire.prove(connections=3)


def test_a_service_that_waits_accepts_by_itself(inetd, reach, ask, write, secret):
    script = write("service", WAITING, 0o755)
    wire = reach(inetd("wait", script), secret)
    for number in range(3):
        assert ask(wire.port, f"{secret} {number}") == f"waited: {secret} {number}\n"
    wire.prove(connections=3)


def test_telnetd_gives_a_terminal(inetd, reach, processes, client_side, write, secret):
    login = write("login", f'#!/bin/sh\ntest -t 0 && echo "a terminal: {secret}"\n'
                  'read -r line\necho "heard: $line"\nread -r line\n', 0o755)
    wire = reach(inetd("nowait", "/usr/sbin/telnetd", "-E", login), secret)
    telnet = processes.start(["telnet", "localhost", wire.port], stdin="pipe",
                             environment=client_side.environment())
    telnet.wait_output(b"a terminal: " + secret.encode())
    telnet.write(b"typed\n")
    telnet.wait_output(b"heard: typed")
    telnet.write(b"bye\n")  # telnetd loses, with and without Gaiter, what a login says last
    telnet.wait()
    wire.prove(connections=1)
