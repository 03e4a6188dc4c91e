"""Shutdowns, ends and resets."""

import os
import signal
import socket
import struct
import threading

from tools import exactly, outcome, polled, say, scenario, wait_asleep, wait_polled


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
def shutdown_wakes_a_blocked_reader(s, subject):
    if not subject:
        yield
        return
    results = []
    reader = threading.Thread(target=lambda: results.append(outcome(s.recv, 10)))
    reader.start()
    wait_asleep(reader)
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
def peer_resets(s, subject):
    if not subject:
        yield
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        s.close()
        yield
        return
    yield
    yield
    wait_polled(s, "err")
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
    wait_polled(s, "rdhup")
    say(polled(s, wait=2), s.recv(4), s.recv(100), s.recv(100), s.recv(100))
