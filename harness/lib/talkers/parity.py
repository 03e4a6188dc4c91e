"""Scenarios on one TCP connection, run once plain and once under Gaiter: both must print the same.

    parity.py SCENARIO subject|peer server|client PORT PLACE

The subject makes the calls that are tested and prints what they gave; the peer, another process,
does what the scenario needs. They take turns over FIFOs in PLACE, outside TCP. libc's functions
are called through ctypes where Python would add something of its own (retries after EINTR).

A scenario is a generator of both parts. The peer begins; `yield` gives the turn to the other part
and waits until it comes back. What must happen while the other part is at work is put off (later)
or done in a thread (background). A scenario that is no generator runs both parts at once.
"""

import array
import contextlib
import ctypes
import errno
import fcntl
import os
import select
import signal
import socket
import struct
import sys
import termios
import threading
import time

LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.recv.restype = LIBC.send.restype = LIBC.read.restype = LIBC.write.restype = ctypes.c_ssize_t

SCENARIOS = {}
PLACE = sys.argv[5] if len(sys.argv) > 5 else "."


def say(*words):
    os.write(1, (" ".join(str(word) for word in words) + "\n").encode())


def outcome(call, *arguments):
    """What a call gave: its result, or the name of its errno."""
    try:
        return call(*arguments)
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error))


def raw(function, *arguments):
    """A libc call as C sees it."""
    result = getattr(LIBC, function)(*arguments)
    return result if result >= 0 else errno.errorcode[ctypes.get_errno()]


def scenario(function):
    SCENARIOS[function.__name__] = function
    return function


def later(seconds, call, *arguments):
    threading.Timer(seconds, call, arguments).start()


def background(call, *arguments):
    threading.Thread(target=call, args=arguments).start()


def report(text):
    """From the peer to the subject, outside TCP."""
    with open(os.path.join(PLACE, "report.new"), "w", encoding="ascii") as out:
        out.write(str(text))
    os.rename(os.path.join(PLACE, "report.new"), os.path.join(PLACE, "report"))


def reported():
    path = os.path.join(PLACE, "report")
    deadline = time.monotonic() + 20
    while not os.path.exists(path):
        if time.monotonic() > deadline:
            return "no report"
        time.sleep(0.01)
    with open(path, encoding="ascii") as text:
        return text.read()


def report_drained(connection):
    received = 0
    while data := connection.recv(1 << 18):
        received += len(data)
    report(received)


def exactly(connection, count):
    data = b""
    while len(data) < count:
        piece = connection.recv(min(count - len(data), 1 << 18))
        if not piece:
            raise EOFError(f"end of file after {len(data)} of {count} bytes")
        data += piece
    return data


def readable(connection, seconds=5):
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    return bool(poll.poll(seconds * 1000))


def waiting(connection):
    """FIONREAD."""
    count = array.array("i", [0])
    fcntl.ioctl(connection.fileno(), termios.FIONREAD, count)
    return count[0]


def wait_waiting(connection, count):
    """Waits until FIONREAD says `count` and returns what it says at last."""
    deadline = time.monotonic() + 3
    while waiting(connection) != count and time.monotonic() < deadline:
        time.sleep(0.01)
    return waiting(connection)


def polled(connection, wanted=select.POLLIN | select.POLLOUT | select.POLLRDHUP, wait=0):
    poll = select.poll()
    poll.register(connection, wanted)
    events = poll.poll(wait * 1000)
    names = ((select.POLLIN, "in"), (select.POLLOUT, "out"), (select.POLLRDHUP, "rdhup"),
             (select.POLLHUP, "hup"), (select.POLLERR, "err"))
    return "+".join(name for bit, name in names if events and events[0][1] & bit) or "-"


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
    began = time.monotonic()
    say(raw("recv", s.fileno(), buffer, 10, 0))
    took = time.monotonic() - began
    say("in time" if 0.15 < took < 1.5 else f"after {took} s")
    yield


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
def send_after_shutdown(s, subject):
    if not subject:
        yield
        assert s.recv(10) == b""
        s.sendall(b"still here")
        yield
        return
    s.shutdown(socket.SHUT_WR)
    say(outcome(s.send, b"x", socket.MSG_NOSIGNAL), outcome(s.sendall, b"x"))
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        os.write(s.fileno(), b"x")
        os._exit(7)
    say("killed by", signal.Signals(os.WTERMSIG(os.waitpid(child, 0)[1])).name)
    yield
    say(exactly(s, 10))


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
def poll_states(s, subject):
    if not subject:
        yield
        s.sendall(b"abcdef")
        yield
        s.shutdown(socket.SHUT_WR)
        yield
        return
    say(polled(s), polled(s, select.POLLIN))
    yield
    say(polled(s, select.POLLIN, 5), polled(s))
    say(s.recv(2), polled(s))
    say(s.recv(10), polled(s))
    say([len(ready) for ready in select.select([s], [s], [s], 0)])
    yield
    say(polled(s, select.POLLIN, 5), polled(s), s.recv(10), polled(s))
    say([len(ready) for ready in select.select([s], [s], [], 0)])
    yield


@scenario
def select_waits(s, subject):
    if not subject:
        yield
        later(0.3, s.sendall, b"x")
        yield
        return
    say([len(ready) for ready in select.select([s], [], [], 0)])
    yield
    say([len(ready) for ready in select.select([s], [], [], 10)])
    say(s.recv(10))
    began = time.monotonic()
    say([len(ready) for ready in select.select([s], [], [], 0.2)])
    say("in time" if 0.15 < time.monotonic() - began < 1.5 else "not in time")
    yield


def epolled(epoll, wait=0.0):
    names = ((select.EPOLLIN, "in"), (select.EPOLLOUT, "out"), (select.EPOLLRDHUP, "rdhup"),
             (select.EPOLLHUP, "hup"), (select.EPOLLERR, "err"))
    return [("+".join(name for bit, name in names if events & bit)) for _, events in
            epoll.poll(wait)]


@scenario
def epoll_level(s, subject):
    if not subject:
        yield
        s.sendall(b"abcdef")
        yield
        s.shutdown(socket.SHUT_WR)
        yield
        return
    epoll = select.epoll()
    epoll.register(s, select.EPOLLIN)
    say(epolled(epoll))
    yield
    say(epolled(epoll, 5), epolled(epoll), s.recv(3), epolled(epoll), s.recv(3), epolled(epoll))
    epoll.modify(s, select.EPOLLIN | select.EPOLLOUT | select.EPOLLRDHUP)
    say(epolled(epoll))
    epoll.modify(s, select.EPOLLIN | select.EPOLLRDHUP)
    yield
    say(epolled(epoll, 5), s.recv(3), epolled(epoll))
    epoll.unregister(s)
    say(epolled(epoll), outcome(epoll.unregister, s))


@scenario
def epoll_edge(s, subject):
    if not subject:
        yield
        s.sendall(b"abc")
        yield
        s.sendall(b"defghi")
        yield
        s.shutdown(socket.SHUT_WR)
        yield
        return
    s.setblocking(False)
    epoll = select.epoll()
    epoll.register(s, select.EPOLLIN | select.EPOLLET)
    say(epolled(epoll))
    yield
    say(epolled(epoll, 5), epolled(epoll, 0.1), s.recv(1))
    yield
    say(epolled(epoll, 5), epolled(epoll, 0.1))
    wait_waiting(s, 8)
    say(s.recv(100), outcome(s.recv, 100))
    yield
    say(epolled(epoll, 5), s.recv(10))
    epoll.modify(s, select.EPOLLIN | select.EPOLLOUT | select.EPOLLET)
    say(epolled(epoll, 1), epolled(epoll, 0.1))


@scenario
def epoll_one_shot(s, subject):
    if not subject:
        yield
        s.sendall(b"abc")
        yield
        return
    epoll = select.epoll()
    epoll.register(s, select.EPOLLIN | select.EPOLLONESHOT)
    yield
    say(epolled(epoll, 5), epolled(epoll), s.recv(1))
    epoll.modify(s, select.EPOLLIN | select.EPOLLONESHOT)
    say(epolled(epoll, 1), epolled(epoll))
    yield


@scenario
def epoll_of_a_dup(s, subject):
    if not subject:
        yield
        s.sendall(b"abc")
        yield
        return
    copy = s.dup()
    epoll = select.epoll()
    epoll.register(copy, select.EPOLLIN)
    yield
    say(epolled(epoll, 5), s.recv(10), epolled(epoll))
    copy.close()
    say(epolled(epoll))
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
def shutdown_wakes_a_blocked_reader(s, subject):
    if not subject:
        yield
        return
    results = []
    reader = threading.Thread(target=lambda: results.append(outcome(s.recv, 10)))
    reader.start()
    time.sleep(0.2)
    s.shutdown(socket.SHUT_RDWR)
    reader.join(5)
    say(results, reader.is_alive())
    yield


@scenario
def reading_after_shutdown_of_reading(s, subject):
    if not subject:
        yield
        assert exactly(s, 4) == b"more"
        return
    s.shutdown(socket.SHUT_RD)
    say(outcome(s.recv, 10), outcome(s.send, b"more"))
    yield


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


@scenario
def peer_resets(s, subject):
    if not subject:
        yield
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        s.close()
        yield
        return
    yield
    yield
    time.sleep(0.1)
    say(polled(s, wait=2))
    say(outcome(s.recv, 10))  # after it the kernel says EPIPE, Gaiter goes on saying ECONNRESET


@scenario
def end_of_file_after_data(s, subject):
    if not subject:
        s.sendall(b"last words")
        s.close()
        yield
        return
    yield
    time.sleep(0.2)
    say(polled(s, wait=2), s.recv(4), s.recv(100), s.recv(100), s.recv(100))


def take_turns(play, first, tell, hear):
    """Runs a generator; each of its yields hands the turn over and waits for it."""
    if not first:
        os.read(hear, 1)
    with contextlib.suppress(BrokenPipeError):  # the other part needs no more turns
        for _ in play:
            os.write(tell, b"t")
            os.read(hear, 1)
        os.write(tell, b"t")
        if first:  # the peer: its exit would be an event for the subject
            while os.read(hear, 1):
                pass


def connection_of(role, port):
    ready = os.path.join(PLACE, "listening")
    if role == "client":
        while not os.path.exists(ready):
            time.sleep(0.01)
        return socket.create_connection(("localhost", port))
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(1)
    with open(ready, "wb"):
        pass
    connection, _ = listener.accept()
    listener.close()
    return connection


def main(name, part, role, port):
    subject = part == "subject"
    to_peer, to_subject = (os.path.join(PLACE, name) for name in ("to-peer", "to-subject"))
    # Opening a FIFO waits for its other end: both parts open them in the same order.
    up = os.open(to_peer, os.O_WRONLY if subject else os.O_RDONLY)
    down = os.open(to_subject, os.O_RDONLY if subject else os.O_WRONLY)
    tell, hear = (up, down) if subject else (down, up)
    connection = connection_of(role, port)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    # Gaiter's server end does its part of the handshake at the first use after accept(), and the
    # client's connect() waits for that: so use it before the parts take turns.
    polled(connection, select.POLLOUT, 10)
    play = SCENARIOS[name](connection, subject)
    if play is not None:
        take_turns(play, not subject, tell, hear)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))
