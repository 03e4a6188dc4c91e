"""Free TCP ports, reserved so that tests in parallel never collide.

Asking the kernel (bind to port 0) gives a number of the ephemeral range, which the next outgoing
connection of any other test may take before the server under test binds it. So numbers come
from below that range, and each is held by an abstract Unix socket of the same name for as long as
the test runs: a lock that needs no file and dies with its owner.
"""

import random
import socket
import time

LOWEST = 10_000


def _first_ephemeral():
    with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as text:
        return int(text.read().split()[0])


def _bindable(port):
    for family, address in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
        try:
            with socket.socket(family, socket.SOCK_STREAM) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                probe.bind((address, port))
        except OSError as error:
            if family == socket.AF_INET6 and error.errno in (97, 99):  # no IPv6 on this machine
                continue
            return False
    return True


class Ports:
    """Hands out ports and gives them back together."""

    def __init__(self):
        self._locks = []
        highest = _first_ephemeral() - 1
        self._range = (LOWEST, highest) if highest > LOWEST + 5_000 else (1_100, highest)

    def free(self):
        for _ in range(2_000):
            port = random.randint(*self._range)
            lock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            try:
                lock.bind(f"\0gaiter-harness-port-{port}")
            except OSError:
                lock.close()
                continue
            if _bindable(port):
                self._locks.append(lock)
                return port
            lock.close()
        raise RuntimeError("no free TCP port found")

    def release(self):
        for lock in self._locks:
            lock.close()
        self._locks.clear()


def listening(port):
    """Whether a socket listens on `port`. Looks without connecting: a connection would be an event
    for the server under test."""
    wanted = f"{port:04X}"
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            with open(table, encoding="ascii") as lines:
                next(lines)
                for line in lines:
                    words = line.split(None, 4)
                    if words[3] == "0A" and words[1].endswith(":" + wanted):
                        return True
        except FileNotFoundError:
            pass
    return False


def wait_listening(port, process=None, timeout=20):
    """Waits until `port` listens; fails at once if `process` ends before that."""
    deadline = time.monotonic() + timeout
    while not listening(port):
        if process is not None and process.poll() is not None:
            raise AssertionError(f"ended before it listened on port {port}: {process.describe()}")
        if time.monotonic() > deadline:
            what = process.describe() if process is not None else "the server"
            raise AssertionError(f"nothing listens on port {port} after {timeout} s: {what}")
        time.sleep(0.01)
