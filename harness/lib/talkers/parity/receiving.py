"""Bytes in: flags, time limits, what FIONREAD says, odd arguments."""

import ctypes
import os
import signal
import socket
import struct

from tools import (
    background, exactly, later, outcome, raw, readable, say, scenario, timed, wait_waiting,
    waiting)


@scenario
def peek(s, subject):
    if not subject:
        s.sendall(b"abcdef")
        yield
        return
    yield
    readable(s)
    say(s.recv(3, socket.MSG_PEEK), s.recv(100, socket.MSG_PEEK), s.recv(2), s.recv(100))


@scenario
def dontwait(s, subject):
    if not subject:
        yield
        s.sendall(b"x")
        yield
        return
    say(outcome(s.recv, 10, socket.MSG_DONTWAIT), outcome(s.send, b"y", socket.MSG_DONTWAIT))
    yield
    yield
    readable(s)
    say(outcome(s.recv, 10, socket.MSG_DONTWAIT), outcome(s.recv, 10, socket.MSG_DONTWAIT))


@scenario
def waitall(s, subject):
    if not subject:
        for number, piece in enumerate((b"one", b"two", b"three")):
            later(0.1 + number / 10, s.sendall, piece)
        later(0.5, s.shutdown, socket.SHUT_WR)
        yield
        return
    say(s.recv(8, socket.MSG_WAITALL))
    say(s.recv(100, socket.MSG_WAITALL), s.recv(10))
    yield


@scenario
def truncating_receive(s, subject):
    """MSG_TRUNC on TCP throws the bytes away."""
    if not subject:
        s.sendall(b"0123456789")
        yield
        return
    yield
    wait_waiting(s, 10)
    say(raw("recv", s.fileno(), None, 4, socket.MSG_TRUNC), s.recv(100))


@scenario
def receive_timeout(s, subject):
    if not subject:
        yield
        return
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 0, 200_000))
    buffer = ctypes.create_string_buffer(10)
    with timed():
        say(raw("recv", s.fileno(), buffer, 10, 0))
    yield


@scenario
def interrupted(s, subject):
    """A handler without SA_RESTART ends a blocked recv() with EINTR; with it, it goes on."""
    if not subject:
        yield
        later(0.5, s.sendall, b"late")
        yield
        return
    handled = []
    signal.signal(signal.SIGALRM, lambda *_: handled.append(1))
    buffer = ctypes.create_string_buffer(10)
    signal.siginterrupt(signal.SIGALRM, True)
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    say(raw("recv", s.fileno(), buffer, 10, 0))
    signal.siginterrupt(signal.SIGALRM, False)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    say(raw("recv", s.fileno(), buffer, 10, 0), buffer.value)
    yield


@scenario
def fionread(s, subject):
    if not subject:
        yield
        s.sendall(b"a" * 700)
        s.sendall(b"b" * 300)
        yield
        return
    say(waiting(s))
    yield
    say(wait_waiting(s, 1000))
    say(len(s.recv(400)), waiting(s))
    say(len(exactly(s, 600)), waiting(s))
    yield


@scenario
def fionread_between_reads(s, subject):
    """As wrk and nginx read: FIONREAD tells whether to read on."""
    size = 3_000_000
    if not subject:
        background(s.sendall, b"r" * size)
        yield
        return
    received, reads = 0, (8192, 100, 30_000, 8192, 1, 65_536)
    s.setblocking(False)
    while received < size and readable(s):
        for length in reads:
            got = outcome(s.recv, length)
            if isinstance(got, str) or not got:
                break
            received += len(got)
            if waiting(s) == 0:
                break
        if got != "EAGAIN" and (not got or isinstance(got, str)):
            say(got)
            break
    say(received, "of", size)


@scenario
def peek_between_reads(s, subject):
    """As a parser that peeks at a header, far more than it then reads."""
    size = 1_000_000
    whole = bytes(number * 7 % 251 for number in range(size))
    if not subject:
        background(s.sendall, whole)
        yield
        return
    received = b""
    while len(received) < size:
        seen = s.recv(60_000, socket.MSG_PEEK)
        got = s.recv(1 + len(received) % 20_000)
        if not got or not (seen.startswith(got) or got.startswith(seen)):
            break
        received += got
    say(received == whole, len(received))


@scenario
def nothing_at_all(s, subject):
    """Zero lengths."""
    if not subject:
        yield
        s.sendall(b"abc")
        yield
        return
    buffer = ctypes.create_string_buffer(10)
    say(outcome(s.send, b""), raw("recv", s.fileno(), buffer, 0, socket.MSG_DONTWAIT))
    say(raw("read", s.fileno(), buffer, 0), raw("write", s.fileno(), buffer, 0))
    yield
    readable(s)
    say(raw("recv", s.fileno(), buffer, 0, 0), outcome(s.recvmsg, 0)[0], s.recv(10))
    yield


@scenario
def bad_arguments(s, subject):
    if not subject:
        yield
        s.sendall(b"abc")
        yield
        return
    buffer = ctypes.create_string_buffer(10)
    say(raw("recv", 987, buffer, 10, 0), raw("send", 987, buffer, 10, 0), raw("close", 987))
    say(raw("send", s.fileno(), None, 10, socket.MSG_NOSIGNAL))
    say(outcome(os.writev, s.fileno(), []))
    say(raw("readv", s.fileno(), None, -1), raw("writev", s.fileno(), None, 2000))
    yield
    readable(s)
    say(raw("recv", s.fileno(), None, 10, 0), s.recv(10))
    say(outcome(s.accept), outcome(s.listen), outcome(s.connect, ("127.0.0.1", 9)))
    say(outcome(os.lseek, s.fileno(), 0, os.SEEK_SET), outcome(os.pread, s.fileno(), 1, 0))
    say(outcome(s.getsockopt, socket.SOL_SOCKET, socket.SO_ERROR))
    yield
