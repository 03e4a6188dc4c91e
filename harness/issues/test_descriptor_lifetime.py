"""Descriptors that are closed, duplicated and reused where a library does not look."""

import os
import subprocess

import pytest

from harness.lib import peers
from harness.lib.ports import wait_listening

from harness.issues.conftest import SECRET

SSHD = """
Port {port}
ListenAddress 127.0.0.1
HostKey {place}/host
PidFile none
AuthorizedKeysFile {place}/client.pub
StrictModes no
UsePAM no
PermitRootLogin yes
PasswordAuthentication no
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="sshd is root's")
def test_ssh_closes_what_it_did_not_open(processes, ports, relay, place, server_side, client_side):
    """onload #111: ssh and sshd begin with closefrom(), which was not hooked. sshd moreover gives
    its connection to a new image of itself, and reads the first bytes in a seccomp sandbox."""
    for name in ("host", "client"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f",
                        os.path.join(place, name)], check=True)
    os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
    port = ports.free()
    conf = os.path.join(place, "sshd_config")
    with open(conf, "w", encoding="ascii") as out:
        out.write(SSHD.format(port=port, place=place))
    server_side.inbound(port)
    server = processes.start(["/usr/sbin/sshd", "-D", "-e", "-f", conf],
                             environment=server_side.environment())
    wait_listening(port, server)
    wire = relay(port, [SECRET.encode(), b"SSH-2.0-OpenSSH"])
    client_side.outbound(wire.port)
    question = os.path.join(place, "question")
    with open(question, "w", encoding="ascii") as out:
        out.write(SECRET)
    done = processes.run(
        ["ssh", "-F", "none", "-p", wire.port, "-i", f"{place}/client", "-o", "BatchMode=yes", "-o",
         "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "root@localhost", "cat"],
        stdin=question, environment=client_side.environment())
    assert done.text == SECRET
    wire.prove(whole=False, connections=1)
    server_side.secured(1)


NUMBER_ZERO = """
import fcntl, os, socket, sys
try:
    os.fstat(0)
except OSError:
    connection = socket.create_connection(("localhost", int(sys.argv[1])))
    connection.sendall(sys.argv[2].encode())
    answer = connection.recv(100).decode()
    blocking = not fcntl.fcntl(0, fcntl.F_GETFL) & os.O_NONBLOCK
    numbers = sorted(int(name) for name in os.listdir("/proc/self/fd"))
    print(connection.fileno(), answer, blocking, numbers)
    os.closerange(3, 100)
    connection.sendall(b"still")
    print(connection.recv(100).decode())
"""


def test_number_zero_is_the_programs(processes, echo, client_side):
    """mirrord #4622, PR 3911, gamescope #2422: what was free at exec, 0 to 2, became the library's
    own socket, was made non-blocking, and ended programs that close all."""
    command = [peers.PYTHON, "-I", "-c", NUMBER_ZERO, echo.port, SECRET]
    done = processes.run(["sh", "-c", 'exec "$@" <&-', "sh", *command],
                         environment=client_side.environment())
    assert done.text == f"0 {SECRET} True [0, 1, 2, 3]\nstill\n"
    echo.prove(connections=1)


def test_double_close(same):
    """proxychains-ng 1da09e4, ecbd735, #439, 1d0bc34 (ssh, Chromium): a second close() is the
    program's mistake to see, and the number's next owner is none of the library's."""
    same("double_close")


def test_closed_out_of_sight(same):
    """socket_wrapper 9ce583b, 3b39c88, 63d83be, 7a9f807: an entry of a number that something else
    has become. A file there must not get sealed bytes, the next connection no clear ones."""
    same("closed_out_of_sight")


def test_dup2_over_a_waiter(same):
    """onload 78053c56: dup2() over a socket that another thread waits on spun for ever."""
    same("dup2_over_a_waiter")


def test_duplicated_epoll_set(same):
    """onload 2c3bd855: a duplicated epoll descriptor pointed at what was freed."""
    same("duplicated_epoll_set")


def test_closed_under_poll(same):
    """libvma #32, 659575, vpp 26cac364: close() against poll() in another thread."""
    same("closed_under_poll")


def test_accept_of_a_closed_listener(same):
    """libvma 612231: accept() slept on although its listener was shut."""
    same("accept_of_a_closed_listener", wired=False)


def test_numbers_of_its_own(same):
    """AppScope PR 443, PR 672, #67, #416, #478: the library's own descriptors were closed by ssh,
    overwritten by dup2(), and found in the program's lists. Gaiter has none."""
    same("numbers_of_its_own")


def test_duplicated_while_closed(same_as_client):
    """A duplicate that Gaiter lost sight of would be written to in clear."""
    same_as_client("duplicated_while_closed")


def test_streams_without_a_number(same):
    """systemd #20586, torsocks e56313a, onload 830b1f5b: fclose() failed for streams in memory."""
    same("streams_without_a_number")
