"""Scenarios on one TCP connection, run once plain and once under Gaiter: both must print the same.

    python -I parity SCENARIO subject|peer server|client PORT PLACE

The subject makes the calls that are tested and prints what they gave; the peer, another process,
does what the scenario needs. They take turns over FIFOs in PLACE, outside TCP. libc's functions
are called through ctypes where Python would add something of its own (retries after EINTR).

A scenario is a generator of both parts. The peer begins; `yield` gives the turn to the other part
and waits until it comes back. What must happen while the other part is at work is put off (later)
or done in a thread (background). A scenario that is no generator runs both parts at once.
"""

import contextlib
import os
import select
import socket
import sys
import time

import descriptors  # noqa: F401 (each adds its scenarios)
import ends  # noqa: F401
import readiness  # noqa: F401
import receiving  # noqa: F401
import sending  # noqa: F401
from tools import PLACE, SCENARIOS, polled


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
