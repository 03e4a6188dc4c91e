"""A TCP relay that stands between the two ends and records, or harms, what passes.

The client connects to the relay's port, the relay to the server's. It propagates half-closes and
resets, so the ends cannot tell it from a direct connection by anything but the port.
"""

import collections
import contextlib
import socket
import struct
import threading
import time

from harness.lib.wire import HEADER, NAMES, PlaintextSearch, Secrets, TlsRecords

CHUNK = 1 << 18
KEPT = 1 << 16  # bytes of each direction kept for a test that wants to look

RESET = struct.pack("ii", 1, 0)  # SO_LINGER that makes close() send RST

Proof = collections.namedtuple("Proof", "connections bytes records text")


class Direction:
    """One direction of one relayed connection."""

    def __init__(self, name, secrets):
        self.name = name
        self.bytes = 0
        self.head = b""  # the first KEPT bytes
        self.records = TlsRecords()
        self.search = PlaintextSearch(secrets) if secrets else None
        self.ended = None  # "fin", "reset" or None

    def feed(self, data):
        self.bytes += len(data)
        if len(self.head) < KEPT:
            self.head += bytes(data[:KEPT - len(self.head)])
        self.records.feed(data)
        if self.search is not None:
            self.search.feed(data)


class Connection:
    """Both directions of one relayed connection."""

    def __init__(self, number, secrets):
        self.number = number
        self.upward = Direction(f"connection {number}, client to server", secrets)
        self.downward = Direction(f"connection {number}, server to client", secrets)


class Relay:
    """Listens on 127.0.0.1 `port` and relays to 127.0.0.1 `target`.

    secrets   pieces of plaintext that must not cross
    mutate    mutate(upward, index, record) -> bytes: sees every TLS record of each direction by
              itself (upward is client to server, index counts from 0) and says what is sent for it;
              b"" drops it, RESET_BOTH ends the connection with RST on both sides
    """

    RESET_BOTH = None

    def __init__(self, port, target, secrets=(), mutate=None):
        self.port = port
        self.target = target
        self.connections = []
        self._secrets = Secrets(secrets) if secrets else None
        self._mutate = mutate
        self._lock = threading.Lock()
        self._threads = []
        self._open = set()
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind(("127.0.0.1", port))
        self._listener.listen(1024)
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    # ---- what a test asks ----

    def prove(self, whole=True, connections=None):
        """Asserts that all that crossed was TLS and none of it a secret; returns the sums.

        whole=False allows a connection to end inside a record (a reset, a killed program).
        """
        self.settle()
        with self._lock:
            seen = list(self.connections)
        directions = [direction for one in seen for direction in (one.upward, one.downward)]
        for direction in directions:
            where = f"{direction.name} ({direction.bytes} bytes)"
            assert self._secrets, "a relay without secrets proves nothing"
            assert direction.search.found is None, f"{where}: {direction.search.found}"
            assert direction.records.fault is None, f"{where}: {direction.records.fault}"
            assert not whole or direction.records.at_boundary, f"{where}: ends inside a record"
        if connections is not None:
            assert len(seen) == connections, f"{len(seen)} connections instead of {connections}"
        carried = sum(direction.bytes for direction in directions)
        records = sum(direction.records.total for direction in directions)
        assert records > 0, "nothing crossed the relay"
        text = f"{len(seen)} connections, {carried} bytes, {records} TLS records, no plaintext"
        return Proof(len(seen), carried, records, text)

    def found(self):
        """The first piece of plaintext seen, in words, or None."""
        self.settle()
        with self._lock:
            seen = list(self.connections)
        for one in seen:
            for direction in (one.upward, one.downward):
                if direction.search is not None and direction.search.found is not None:
                    return direction.search.found
        return None

    def crossed(self):
        """Bytes from clients to server, and back."""
        with self._lock:
            return (sum(one.upward.bytes for one in self.connections),
                    sum(one.downward.bytes for one in self.connections))

    def settle(self, quiet=0.05, timeout=5):
        """Waits until nothing has passed for `quiet` seconds, or all connections have ended."""
        deadline = time.monotonic() + timeout
        before = None
        while time.monotonic() < deadline:
            with self._lock:
                busy = bool(self._open)
            now = self.crossed()
            if not busy or now == before:
                return
            before = now
            time.sleep(quiet)

    # ---- the works ----

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:  # stop() has shut the listener
                return
            try:
                server = socket.create_connection(("127.0.0.1", self.target), timeout=10)
            except OSError:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                client.close()
                continue
            server.settimeout(None)
            for end in (client, server):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                one = Connection(len(self.connections), self._secrets)
                self.connections.append(one)
                pair = _Pair(client, server)
                self._open.add(pair)
            for source, sink, direction in ((client, server, one.upward),
                                            (server, client, one.downward)):
                thread = threading.Thread(target=self._pump, daemon=True,
                                          args=(pair, source, sink, direction,
                                                direction is one.upward))
                thread.start()
                self._threads.append(thread)

    def _pump(self, pair, source, sink, direction, upward):
        forward = self._by_record(direction, upward) if self._mutate else self._as_it_is(direction)
        buffer = memoryview(bytearray(CHUNK))
        try:
            while True:
                count = source.recv_into(buffer)
                if count == 0:
                    direction.ended = "fin"
                    pair.half_close(sink)
                    break
                out = forward(buffer[:count])
                if out is self.RESET_BOTH:
                    direction.ended = "reset"
                    pair.reset()
                    break
                sink.sendall(out)
        except OSError:
            direction.ended = "reset"
            pair.reset()
        if pair.one_less():
            with self._lock:
                self._open.discard(pair)

    @staticmethod
    def _as_it_is(direction):
        def forward(data):
            direction.feed(bytes(data))
            return data
        return forward

    def _by_record(self, direction, upward):
        pending = bytearray()
        index = 0

        def forward(data):
            nonlocal index
            pending.extend(data)
            out = bytearray()
            while len(pending) >= HEADER:
                length = HEADER + (pending[3] << 8 | pending[4])
                if pending[0] not in NAMES or len(pending) < length:
                    break
                record = bytes(pending[:length])
                del pending[:length]
                changed = self._mutate(upward, index, record)
                index += 1
                if changed is self.RESET_BOTH:
                    return self.RESET_BOTH
                out += changed
            if pending and pending[0] not in NAMES:  # not TLS: pass it on, the checks will tell
                out += pending
                pending.clear()
            direction.feed(bytes(out))
            return bytes(out)
        return forward

    def stop(self):
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(5)
        self._listener.close()
        with self._lock:
            pairs = list(self._open)
        for pair in pairs:
            pair.reset()
        for thread in self._threads:
            thread.join(5)


class _Pair:
    """The two sockets of one relayed connection, and who closes them when."""

    def __init__(self, client, server):
        self._ends = (client, server)
        self._running = 2
        self._lock = threading.Lock()

    @staticmethod
    def half_close(end):
        try:
            end.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def reset(self):
        """RST to both sides. shutdown() first wakes the other pump from its recv()."""
        for end in self._ends:
            try:
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                end.shutdown(socket.SHUT_RD)
            except OSError:
                pass

    def one_less(self):
        """A pump has ended; the last one closes. True if it was the last."""
        with self._lock:
            self._running -= 1
            last = self._running == 0
        if last:
            for end in self._ends:
                end.close()
        return last
