"""What the scenarios are made of."""

import array
import contextlib
import ctypes
import errno
import fcntl
import os
import select
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


@contextlib.contextmanager
def timed():
    """Says whether what is done in it took about 0.2 seconds."""
    began = time.monotonic()
    yield
    took = time.monotonic() - began
    say("in time" if 0.15 < took < 1.5 else f"after {took} s")


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


def epolled(epoll, wait=0.0):
    names = ((select.EPOLLIN, "in"), (select.EPOLLOUT, "out"), (select.EPOLLRDHUP, "rdhup"),
             (select.EPOLLHUP, "hup"), (select.EPOLLERR, "err"))
    return [("+".join(name for bit, name in names if events & bit)) for _, events in
            epoll.poll(wait)]


def wait_polled(connection, word, seconds=5):
    """Waits until poll() tells of `word` too."""
    deadline = time.monotonic() + seconds
    while word not in polled(connection) and time.monotonic() < deadline:
        time.sleep(0.01)


def wait_asleep(thread, seconds=5):
    """Waits until a thread sleeps in the kernel, and goes on doing so."""
    deadline = time.monotonic() + seconds
    calm = 0
    while calm < 3 and time.monotonic() < deadline:
        with open(f"/proc/self/task/{thread.native_id}/stat", encoding="ascii") as stat:
            calm = calm + 1 if stat.read().rpartition(")")[2].split()[0] == "S" else 0
        time.sleep(0.01)
