"""Descriptors: duplicates, modes, names, children."""

import fcntl
import os
import socket
import struct

from tools import background, exactly, outcome, readable, report, reported, say, scenario


@scenario
def dup_and_close(s, subject):
    if not subject:
        s.sendall(b"one")
        yield
        assert exactly(s, 3) == b"two"
        s.sendall(b"end" if s.recv(10) == b"" else b"???")
        s.close()
        yield
        return
    copy = os.dup(s.fileno())
    third = fcntl.fcntl(copy, fcntl.F_DUPFD_CLOEXEC, 100)
    readable(s)
    say(os.read(copy, 3))
    s.close()
    say(os.write(third, b"two"))
    os.close(third)
    last = socket.socket(fileno=copy)
    last.shutdown(socket.SHUT_WR)
    yield
    say(exactly(last, 3), last.recv(1))


@scenario
def dup2_over_the_connection_ends_it(s, subject):
    if not subject:
        yield
        report(s.recv(10))
        return
    null = os.open("/dev/null", os.O_RDWR)
    os.dup2(null, s.fileno())
    yield
    say(reported(), os.write(s.fileno(), b"to nowhere"))


@scenario
def blocking_modes(s, subject):
    """O_NONBLOCK by fcntl and by ioctl, seen by both."""
    if not subject:
        yield
        return
    flags = fcntl.fcntl(s, fcntl.F_GETFL)
    fcntl.fcntl(s, fcntl.F_SETFL, flags | os.O_NONBLOCK)
    say(outcome(os.read, s.fileno(), 1), bool(fcntl.fcntl(s, fcntl.F_GETFL) & os.O_NONBLOCK))
    fcntl.ioctl(s.fileno(), 0x5421, struct.pack("i", 0))  # FIONBIO
    say(bool(fcntl.fcntl(s, fcntl.F_GETFL) & os.O_NONBLOCK))
    fcntl.ioctl(s.fileno(), 0x5421, struct.pack("i", 1))
    say(outcome(os.read, s.fileno(), 1))
    say(fcntl.fcntl(s, fcntl.F_GETFD) & fcntl.FD_CLOEXEC)
    fcntl.fcntl(s, fcntl.F_SETFD, 0)
    say(fcntl.fcntl(s, fcntl.F_GETFD) & fcntl.FD_CLOEXEC)
    yield


@scenario
def names(s, subject):
    if subject:
        say(s.getsockname()[0], s.getpeername()[0], s.type, s.family,
            s.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE),
            s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
    yield


@scenario
def a_child_serves(s, subject):
    """fork after accept: only the child uses the connection."""
    if not subject:
        s.sendall(b"hello")
        background(lambda: report((exactly(s, 5), s.recv(1))))
        yield
        return
    child = os.fork()
    if child == 0:
        s.sendall(exactly(s, 5).upper())
        s.close()
        os._exit(0)
    s.close()
    say(os.waitpid(child, 0)[1], reported())
    yield
