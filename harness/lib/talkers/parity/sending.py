"""Bytes out: until there is no room, in pieces, from files, both ways at once."""

import os
import select
import socket
import struct
import threading
import time

from tools import (
    PLACE, background, exactly, outcome, polled, raw, report, report_drained, reported, say,
    scenario, wait_waiting)


@scenario
def send_timeout(s, subject):
    s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
    if not subject:
        yield
        background(report_drained, s)
        yield
        return
    s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", 0, 200_000))
    block = b"z" * (1 << 20)
    sent, last = 0, None
    began = time.monotonic()
    for _ in range(100):
        last = raw("send", s.fileno(), block, len(block), socket.MSG_NOSIGNAL)
        if not isinstance(last, int):
            break
        sent += last
    say(last, "in time" if time.monotonic() - began < 20 else "late")
    yield
    s.shutdown(socket.SHUT_WR)
    total = reported()
    say("equal" if str(sent) == total else f"sent {sent}, received {total}")


@scenario
def fill_and_drain(s, subject):
    """Non-blocking: what send() took arrives, and poll() tells when there is room again."""
    if not subject:
        yield
        background(report_drained, s)
        yield
        return
    s.setblocking(False)
    block, sent, result = b"z" * 60_000, 0, None
    while isinstance(result := outcome(s.send, block), int):
        sent += result
    say(result, polled(s))
    yield
    say(polled(s, select.POLLOUT, 10))
    for _ in range(50):
        polled(s, select.POLLOUT, 10)
        result = outcome(s.send, block)
        sent += result if isinstance(result, int) else 0
    s.setblocking(True)
    s.shutdown(socket.SHUT_WR)
    total = reported()
    say("equal" if str(sent) == total else f"sent {sent}, received {total}")


@scenario
def full_duplex_in_threads(s, subject):
    """One thread reads while another writes, 8 MiB each way."""
    block = bytes(range(256)) * 1024
    rounds = 32
    failures = []

    def write():
        try:
            for _ in range(rounds):
                s.sendall(block)
        except OSError as error:
            failures.append(error)

    writer = threading.Thread(target=write)
    writer.start()
    good = all(exactly(s, len(block)) == block for _ in range(rounds))
    writer.join()
    if subject:
        say(good, failures)


@scenario
def many_small_writes(s, subject):
    count = 3000
    if not subject:
        yield
        got = exactly(s, count * 7)
        report("good" if got == b"".join(b"%07d" % i for i in range(count)) else "bad")
        return
    for number in range(count):
        assert s.send(b"%07d" % number) == 7
    yield
    say(reported())


@scenario
def gather_and_scatter(s, subject):
    if not subject:
        whole = b"ab" + b"c" * 300_000 + b"d"
        background(lambda: report("good" if exactly(s, len(whole)) == whole else "bad"))
        yield
        s.sendmsg([b"12", b"", b"345"])
        yield
        return
    say(s.sendmsg([b"a", b"b", b"", b"c" * 300_000, b"d"]), reported())
    yield
    wait_waiting(s, 5)
    buffers = [bytearray(1), bytearray(0), bytearray(3), bytearray(9)]
    say(s.recvmsg_into(buffers)[0], buffers)


@scenario
def file_by_sendfile(s, subject):
    size = 1_000_000
    if not subject:
        whole = b"f" * (size + 500) + b"the end"
        background(lambda: report("good" if exactly(s, len(whole)) == whole else "bad"))
        yield
        return
    path = os.path.join(PLACE, "file")
    with open(path, "wb") as out:
        out.write(b"f" * size)
    with open(path, "rb") as source:
        sent = 0
        while sent < size:
            sent += os.sendfile(s.fileno(), source.fileno(), sent, size)
        say(sent, source.tell(), os.sendfile(s.fileno(), source.fileno(), size, 10))
        os.lseek(source.fileno(), 100, os.SEEK_SET)
        say(os.sendfile(s.fileno(), source.fileno(), None, 500), os.lseek(source.fileno(), 0, 1))
    s.sendall(b"the end")
    yield
    say(reported())
